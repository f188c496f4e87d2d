"""The model directory: everything that recognition must know, checked part by part.

``model.toml``               `ModelConfig`: options, record, size and hash of every other file
``acoustic.safetensors``     the network's weights and log priors (am.network_file)
``tree.json``                the phonetic decision tree (am.tree)
``phones.txt``               phone table (am.phones)
``transitions.json``         topology and transition probabilities (am.transitions)
``lexicon.txt``              pronunciations, Kaldi's lexiconp form (data.lexicon)
``graph.safetensors.zst``    decoding graph HCLG with the first-pass LM in it (decoding.graph)
``first_pass.arpa.gz``       the exact LM of the graph, which rescoring takes out again (lm.arpa)
``rescoring.arpa.gz``        the large LM, which rescoring puts in (read by KenLM)

Nothing is pickled. ``model.toml`` is written last, so a directory that has one is complete.
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from am.decision_tree import Tree
from am.features import FbankOptions
from am.inference import AcousticModel
from am.inference_numpy import NumpyLstmp
from am.network_file import Network, read_network
from am.phones import PhoneTable
from am.transitions import TransitionModel
from data.errors import SpeechError, UsageError
from data.files import replace_text
from data.lexicon import Lexicon, read_lexicon
from decoding.graph import DecodingGraph
from decoding.search import SearchOptions
from lm.arpa import read_arpa
from lm.language_model import EpsilonBackoffModel, LanguageModel, read_language_model
from recognizer.options import from_table, read_toml, to_toml

FORMAT_VERSION = 1
CONFIG = "model.toml"
ACOUSTIC = "acoustic.safetensors"
TREE = "tree.json"
PHONES = "phones.txt"
TRANSITIONS = "transitions.json"
LEXICON = "lexicon.txt"
GRAPH = "graph.safetensors.zst"
FIRST_PASS = "first_pass.arpa.gz"
RESCORING = "rescoring.arpa.gz"
FILES = (ACOUSTIC, TREE, PHONES, TRANSITIONS, LEXICON, GRAPH, FIRST_PASS, RESCORING)

_ENGINE = "engine"  # a part that is made, not read

DEFAULT_MODEL = Path(__file__).resolve().parent / "models" / "english"
"""The model that comes with the package."""

Part = TypeVar("Part")


@dataclass(frozen=True)
class AcousticOptions:
    """How the network's outputs are to be read; checked against the network's own file.

    Attributes:
        output_delay: frames by which the outputs lag behind the features.
        silence_weight: divisor of the silence states' counts that is already in the log priors
            (recorded, not applied again).
    """

    output_delay: int = 5
    silence_weight: float = 2.7


@dataclass(frozen=True)
class GraphRecord:
    """What the decoding graph was built with (recorded: it is in the graph's costs already)."""

    self_loop_scale: float = 0.1
    transition_scale: float = 1.0
    silence_probability: float = 0.5


@dataclass(frozen=True)
class RescoringOptions:
    """Second pass: acoustic scale (`SearchOptions`), LM scale and penalty are tuned together.

    Attributes:
        lm_scale: factor of the large LM's log probabilities.
        word_insertion_penalty: cost of every word, in natural-log units; positive values make
            for fewer words.
    """

    lm_scale: float = 1.0
    word_insertion_penalty: float = 0.0

    def __post_init__(self) -> None:
        if not self.lm_scale > 0:
            raise UsageError(f"lm_scale: expected a number above 0, found {self.lm_scale}")
        if not abs(self.word_insertion_penalty) < float("inf"):
            raise UsageError("word_insertion_penalty: expected a finite number")


@dataclass(frozen=True)
class TrainingData:
    """A set that the model was trained on."""

    name: str
    licence: str
    hours: float = 0.0
    words: int = 0


@dataclass(frozen=True)
class Measurement:
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
        acoustic: how to read the network's outputs.
        features: options of the filter bank.
        graph: what the graph was built with.
        search: first pass; its acoustic scale is also the second pass's.
        rescoring: second pass.
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
    acoustic: AcousticOptions = AcousticOptions()
    features: FbankOptions = FbankOptions()
    graph: GraphRecord = GraphRecord()
    search: SearchOptions = SearchOptions()
    rescoring: RescoringOptions = RescoringOptions()
    training_data: tuple[TrainingData, ...] = ()
    results: tuple[Measurement, ...] = ()
    record: dict[str, Any] = field(default_factory=dict)
    files: dict[str, FileRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.format_version != FORMAT_VERSION:
            raise SpeechError(
                f"format_version: expected {FORMAT_VERSION}, found {self.format_version}: "
                "the model was made for another version of this program"
            )


class ModelBundle:
    """A model directory; parts are read and checked when they are first asked for.

    Opening it reads ``model.toml`` and compares the size of every file; `check` compares hashes
    and reads everything. Parts may be asked for by several threads.

    Args:
        path: the directory; None is the English model of this package.

    Raises:
        UsageError: there is no such directory.
        SpeechError: a file is missing, has another size, or ``model.toml`` has a wrong field;
            names the file and the field.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = DEFAULT_MODEL if path is None else Path(path)
        self._parts: dict[str, Any] = {}
        self._locks = {name: threading.Lock() for name in (*FILES, _ENGINE)}
        if not self.path.is_dir():
            if path is None:
                raise SpeechError(f"this installation has no model at {self.path}: name one")
            found = "a file" if self.path.exists() else "nothing"
            raise UsageError(f"{self.path}: expected a model directory, found {found}")
        place = self.path / CONFIG
        self.config = from_table(ModelConfig, read_toml(place), str(place))
        self._check_sizes()

    @property
    def phones(self) -> PhoneTable:
        """The phone table."""
        return self._part(PHONES, PhoneTable.read)

    @property
    def transitions(self) -> TransitionModel:
        """Transition-ids and their probabilities, pdf-ids, phones."""
        return self._part(TRANSITIONS, lambda path: TransitionModel.read(path, self.phones))

    @property
    def tree(self) -> Tree:
        """The phonetic decision tree (recognition does not need it: it is in the graph)."""

        def read(path: Path) -> Tree:
            tree = Tree.read(path)
            self._agree(TREE, "num_pdfs", tree.num_pdfs)
            return tree

        return self._part(TREE, read)

    @property
    def lexicon(self) -> Lexicon:
        """Pronunciations of all words (recognition does not need it: it is in the graph)."""
        return self._part(LEXICON, read_lexicon)

    @property
    def network(self) -> Network:
        """The network's weights and log priors."""

        def read(path: Path) -> Network:
            network = read_network(path)
            self._agree(ACOUSTIC, "outputs", network.options.outputs)
            for name, found, expected in (
                ("log_priors", "log_priors" in network.tensors, True),
                ("input_dim", network.options.input_dim, self.config.features.num_bins),
                ("output_delay", network.options.output_delay, self.config.acoustic.output_delay),
            ):
                if found != expected:
                    raise SpeechError(f"{path}: {name}: expected {expected}, found {found}")
            return network

        return self._part(ACOUSTIC, read)

    @property
    def acoustic_model(self) -> AcousticModel:
        """The network behind the interface start, advance, finish (numpy in and out)."""
        return self._part(_ENGINE, lambda path: NumpyLstmp(self.network))

    @property
    def graph(self) -> DecodingGraph:
        """The decoding graph."""

        def read(path: Path) -> DecodingGraph:
            graph = DecodingGraph.load(path)
            largest = int(graph.ilabels.max(initial=0))
            if largest > self.transitions.num_transition_ids:
                raise SpeechError(
                    f"{path}: ilabels: expected transition-ids up to "
                    f"{self.transitions.num_transition_ids}, as in {TRANSITIONS}, found {largest}"
                )
            return graph

        return self._part(GRAPH, read)

    @property
    def first_pass_lm(self) -> EpsilonBackoffModel:
        """The language model inside the graph, scored as the graph scores it."""
        return self._part(FIRST_PASS, lambda path: EpsilonBackoffModel(read_arpa(path)))

    @property
    def rescoring_lm(self) -> LanguageModel[Any]:
        """The large language model."""
        return self._part(RESCORING, read_language_model)

    def check(self) -> None:
        """Compare the hash of every file, read every part, and compare the parts.

        Raises:
            SpeechError: names the file and the field that is wrong.
        """
        for name, record in self.config.files.items():
            path = self.path / name
            found = file_record(path).sha256
            if found != record.sha256:
                raise SpeechError(f"{path}: sha256: expected {record.sha256}, found {found}")
        graph, lexicon = self.graph, self.lexicon
        for part in (self.tree, self.network):
            assert part is not None
        for word in graph.words[1:]:
            if word.startswith("#") or word.startswith("<"):
                continue
            for name, known in (
                (LEXICON, lexicon),
                (FIRST_PASS, self.first_pass_lm),
                (RESCORING, self.rescoring_lm),
            ):
                if word not in known:
                    raise SpeechError(
                        f"{self.path / name}: expected the word {word!r} of {GRAPH}, found none"
                    )

    def _part(self, name: str, read: Callable[[Path], Part]) -> Part:
        with self._locks[name]:
            if name not in self._parts:
                self._parts[name] = read(self.path / name)
            part: Part = self._parts[name]
            return part

    def _agree(self, name: str, field_name: str, found: int) -> None:
        expected = self.transitions.num_pdfs
        if found != expected:
            raise SpeechError(
                f"{self.path / name}: {field_name}: expected {expected}, as in {TRANSITIONS}, "
                f"found {found}"
            )

    def _check_sizes(self) -> None:
        place = self.path / CONFIG
        for name in FILES:
            if name not in self.config.files:
                raise SpeechError(f"{place}: files: the key {name!r} is missing")
        for name, record in self.config.files.items():
            path = self.path / name
            if name not in FILES:
                raise SpeechError(f"{place}: files: unknown key {name!r}")
            if not path.is_file():
                raise SpeechError(f"{path}: expected a file of the model, found none")
            found = path.stat().st_size
            if found != record.size:
                raise SpeechError(f"{path}: size: expected {record.size} bytes, found {found}")


def write_config(directory: str | Path, config: ModelConfig) -> ModelBundle:
    """Complete a model directory: record its files' sizes and hashes and write ``model.toml``.

    All other files must be there; ``config.files`` is replaced.

    Raises:
        SpeechError: a file is missing or does not fit the others.
    """
    directory = Path(directory)
    for name in FILES:
        if not (directory / name).is_file():
            raise SpeechError(f"{directory / name}: expected a file of the model, found none")
    files = {name: file_record(directory / name) for name in FILES}
    with replace_text(directory / CONFIG) as stream:
        stream.write(to_toml(dataclasses.replace(config, files=files)))
    return ModelBundle(directory)


def file_record(path: Path) -> FileRecord:
    """Size and hash of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return FileRecord(path.stat().st_size, digest.hexdigest())
