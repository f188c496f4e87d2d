"""What ``model.toml`` says of a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from recognizer.am.features.fbank import FbankOptions
from recognizer.am.nnet.ctc import CtcPruning
from recognizer.am.nnet.native import Precision
from recognizer.am.nnet.priors import PriorSource
from recognizer.data.errors import UsageError
from recognizer.data.text.rules import DEFAULT_RULES, check_text_rules
from recognizer.decoding.graph.options import GraphOptions
from recognizer.decoding.rescoring.neural import NeuralRescoringOptions
from recognizer.decoding.rescoring.rescore import RescoringLimits, RescoringOptions
from recognizer.decoding.search.on_the_fly import BackoffMode
from recognizer.decoding.search.search import SearchOptions

FORMAT_VERSION = 2


@dataclass(frozen=True)
class AcousticConfig:
    """What the acoustic model is; checked against the network's own file.

    Attributes:
        kind: what the outputs are, and so which other files the model has; see
            `recognizer.am.nnet.acoustic_model.AcousticModel`.
        output_delay: frames by which the outputs lag behind the features.
        subsampling: frames of features from one output to the next.
        priors: what the log priors in the network's file are relative frequencies of: "labels" of
            training frames, or the network's "posteriors" (recorded, not made again); "none" where
            lattice-free MMI trained it, whose outputs are scores already, and of kind "ctc".
        silence_weight: divisor of the silence states' counts that is already in the log priors
            (recorded, not applied again).
        precision: of the weights in recognition, "float32" or "int8" (rounded when the network is
            read: its file holds more of them, see `recognizer.am.nnet.network_file`).
        pruning: of kind "ctc", which outputs of a frame the search considers; None for all.
    """

    kind: Literal["hybrid", "ctc"] = "hybrid"
    output_delay: int = 5
    subsampling: int = 1
    priors: PriorSource = "labels"
    silence_weight: float = 2.7
    precision: Precision = "float32"
    pruning: CtcPruning | None = None

    def __post_init__(self) -> None:
        if self.kind == "ctc" and self.priors != "none":
            raise UsageError(f"priors: expected 'none' of kind 'ctc', found {self.priors!r}")
        if self.kind != "ctc" and self.pruning is not None:
            raise UsageError(f"pruning: expected none of kind {self.kind!r}, found one")


@dataclass(frozen=True)
class AcousticSettings:
    """An acoustic model and how its scores stand beside the costs of graphs.

    Attributes:
        acoustic: kind and outputs.
        features: options of its filter bank.
        acoustic_scale: factor of its scores.
        graph: options of graphs of its states.
    """

    acoustic: AcousticConfig
    features: FbankOptions
    acoustic_scale: float
    graph: GraphOptions

    def __post_init__(self) -> None:
        if not 0 < self.acoustic_scale < float("inf"):
            raise UsageError(
                f"acoustic_scale: expected a finite number above 0, found {self.acoustic_scale}"
            )


@dataclass(frozen=True)
class FirstPassOptions:
    """How the first pass uses its graph and language model.

    Attributes:
        search: "on-the-fly" composes the graph HCL with the language model while searching;
            "static" searches HCLG, which holds it: quicker, and larger by far.
        backoff: "exact" scores each word by its longest explicit n-gram; "epsilon" lets it back
            off first where that is cheaper, as a static graph always does.
    """

    search: Literal["on-the-fly", "static"] = "on-the-fly"
    backoff: BackoffMode = "exact"

    def __post_init__(self) -> None:
        if self.search == "static" and self.backoff != "epsilon":
            raise UsageError(
                f"backoff: expected 'epsilon', which is how a static graph backs off, "
                f"found {self.backoff!r}"
            )


@dataclass(frozen=True)
class LatticeOptions:
    """Limits of what is done with lattices after the search, and the scale of confidences.

    Attributes:
        determinization_bytes: working memory of determinisation; what does not fit is left out,
            the worst first.
        rescoring_beam: `RescoringLimits.beam`.
        rescoring_max_arcs: `RescoringLimits.max_arcs`.
        confidence_scale: factor of all costs where words' probabilities are computed; below one,
            words are less sure.
    """

    determinization_bytes: int = 200_000_000
    rescoring_beam: float = RescoringLimits.beam
    rescoring_max_arcs: int = RescoringLimits.max_arcs
    confidence_scale: float = 1.0

    def __post_init__(self) -> None:
        for name in ("determinization_bytes", "rescoring_max_arcs"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected at least 1, found {getattr(self, name)}")
        if not self.rescoring_beam > 0:
            raise UsageError(f"rescoring_beam: expected above 0, found {self.rescoring_beam}")
        if not 0 < self.confidence_scale < float("inf"):
            raise UsageError(
                f"confidence_scale: expected a finite number above 0, found {self.confidence_scale}"
            )

    @property
    def rescoring(self) -> RescoringLimits:
        """The limits of rescoring."""
        return RescoringLimits(self.rescoring_beam, self.rescoring_max_arcs)


@dataclass(frozen=True)
class TeacherRecord:
    """Who transcribed a training set that no person did.

    Attributes:
        name: of the recogniser.
        licence: of the recogniser.
        utterances: of the whole set.
        kept: how many of them were trained on.
        agreed_with: name of another recogniser, whose transcripts had to be nearly the same.
    """

    name: str
    licence: str
    utterances: int
    kept: int
    agreed_with: str | None = None


@dataclass(frozen=True)
class TrainingData:
    """A set that the model was trained on.

    Attributes:
        name: of the set.
        licence: of the set.
        hours: of speech.
        words: of transcripts or text.
        teacher: who transcribed it; None for a set with transcripts of its own.
    """

    name: str
    licence: str
    hours: float = 0.0
    words: int = 0
    teacher: TeacherRecord | None = None


@dataclass(frozen=True)
class ErrorRates:
    """A word error rate (percent) measured with this model, with its 95 % interval."""

    data: str
    utterances: int
    words: int
    first_pass_wer: float
    wer: float
    wer_low: float
    wer_high: float


@dataclass(frozen=True)
class FileRecord:
    """Size in bytes and SHA-256 (hexadecimal) of a file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class ModelConfig:
    """The content of ``model.toml``.

    Attributes:
        format_version: of the directory's layout; `FORMAT_VERSION`.
        name: what people call the model.
        language: BCP 47 tag.
        description: one line.
        licence: SPDX expression of the model itself.
        acoustic: kind and outputs of the acoustic model.
        features: options of the filter bank.
        text_rules: the rule set (`recognizer.data.text.rules`) by which transcripts that the model
            is tested on or aligned with become words: the same as in training.
        units: what the lexicon and the language models are made of: "words", or "pieces" of words
            (`recognizer.lm.units.pieces`), which recognition puts together.
        graph: what the decoding graph was built with (recorded: its costs hold it already), and
            alignment graphs are.
        aligner: another acoustic model of the directory, which aligns; None: the one that
            recognises aligns too.
        first_pass: kind of the first pass.
        search: its beams; its acoustic scale is also the second pass's.
        lattice: limits of the second pass.
        rescoring: second pass.
        neural_rescoring: third pass, where a neural language model is given.
        training_data: what the model was trained on.
        results: what was measured with it.
        record: how it was trained (free: recipe options, versions).
        files: record of every other file of the directory.
    """

    name: str
    language: str
    licence: str
    description: str = ""
    format_version: int = FORMAT_VERSION
    acoustic: AcousticConfig = AcousticConfig()
    features: FbankOptions = FbankOptions()
    text_rules: str = DEFAULT_RULES
    units: Literal["words", "pieces"] = "words"
    graph: GraphOptions = GraphOptions()
    aligner: AcousticSettings | None = None
    first_pass: FirstPassOptions = FirstPassOptions()
    search: SearchOptions = SearchOptions()
    lattice: LatticeOptions = LatticeOptions()
    rescoring: RescoringOptions = RescoringOptions()
    neural_rescoring: NeuralRescoringOptions = NeuralRescoringOptions()
    training_data: tuple[TrainingData, ...] = ()
    results: tuple[ErrorRates, ...] = ()
    record: dict[str, Any] = field(default_factory=dict)
    files: dict[str, FileRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a rule set that does not exist, and what a kind of model cannot have."""
        check_text_rules(self.text_rules)
        if self.acoustic.kind == "ctc":
            of_kind = "in a model of acoustic kind 'ctc'"
            if self.aligner is not None:
                raise UsageError(f"aligner: expected none {of_kind}, found one")
            if self.units != "words":
                raise UsageError(f"units: expected 'words' {of_kind}, found {self.units!r}")

    @property
    def recognition(self) -> AcousticSettings:
        """The acoustic model that recognises."""
        return AcousticSettings(
            self.acoustic, self.features, self.search.acoustic_scale, self.graph
        )

    @property
    def alignment(self) -> AcousticSettings:
        """The acoustic model that aligns."""
        return self.aligner or self.recognition
