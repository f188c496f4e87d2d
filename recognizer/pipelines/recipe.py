"""Recipes: from corpora and text to a model directory, stage by stage, described in TOML."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from recognizer.alignment.flat_start_options import FlatStartOptions
from recognizer.alignment.lexicons import GRAPHEMES, chosen_rules
from recognizer.am.nnet.ctc import CtcPruning
from recognizer.data.corpora.corpus import Corpus, read_corpus
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.options import from_table, read_toml
from recognizer.data.text.rules import DEFAULT_RULES, check_text_rules
from recognizer.decoding.graph.options import GraphOptions
from recognizer.decoding.search.search import SearchOptions
from recognizer.evaluation.tune import Grid
from recognizer.lm.estimation.options import EstimateOptions
from recognizer.lm.pronunciation.training import PronunciationOptions
from recognizer.lm.units.pieces import PieceOptions
from recognizer.model.config import FirstPassOptions, LatticeOptions, TeacherRecord
from recognizer.pipelines.acoustic.options import AcousticOptions
from recognizer.transcription.selection import SelectionOptions
from recognizer.transcription.teachers import TeacherOptions

BUILT_IN = Path(__file__).resolve().parents[1] / "recipes"
"""The recipes that come with the package: NAME.toml."""


@dataclass(frozen=True)
class TrainingSet:
    """A corpus to train on.

    Attributes:
        data: its directory, relative to the corpora's.
        licence: recorded in the model.
        bootstrap: whether the flat start trains on it, or only aligns it.
    """

    data: str
    licence: str
    bootstrap: bool = False

    @property
    def name(self) -> str:
        """Name of its files."""
        return _file_name(self.data)

    @property
    def made_by(self) -> str | None:
        """The stage that makes the directory; None where it is there from the beginning."""
        return None

    @property
    def inputs(self) -> Any:
        """Plain values (JSON) that stand for its utterances."""
        return self.data

    def directory(self, corpora: Path) -> Path:
        """Where it lies."""
        return corpora / self.data

    def read(self, corpora: Path) -> Corpus:
        """The utterances to train on.

        Raises:
            SpeechError: it is missing or damaged.
        """
        return read_corpus(self.directory(corpora))

    def teacher(self) -> TeacherRecord | None:
        """Who transcribed it, if no person did."""
        return None


def stages_of(sets: Iterable[TrainingSet]) -> tuple[str, ...]:
    """The stages that make sets, each once."""
    return tuple(sorted({one.made_by for one in sets if one.made_by is not None}))


@dataclass(frozen=True)
class UntranscribedSet:
    """Speech to train on that nobody has transcribed (`recognizer.pipelines.semi_supervised`).

    Attributes:
        data: its directory, relative to the corpora's. Transcripts that it has are not read.
        licence: recorded in the model.
        teacher: who transcribes it. If it is a model of this package, an earlier recipe made it.
        second: another teacher, with whom the first must agree
            (`SelectionOptions.max_disagreement`).
        selection: which transcripts are kept.
    """

    data: str
    licence: str
    teacher: TeacherOptions
    second: TeacherOptions | None = None
    selection: SelectionOptions = SelectionOptions()

    def __post_init__(self) -> None:
        if (self.second is None) != (self.selection.max_disagreement is None):
            raise UsageError(
                f"{self.data}: expected both a second teacher and selection.max_disagreement, or "
                "neither, found one of them"
            )

    @property
    def name(self) -> str:
        """Name of its files."""
        return _file_name(self.data)

    @property
    def teachers(self) -> tuple[TeacherOptions, ...]:
        """The teacher, and the second one if there is one."""
        return (self.teacher,) if self.second is None else (self.teacher, self.second)


@dataclass(frozen=True)
class MixedText:
    """Text of another kind beside the main one, with a weight of its own.

    Attributes:
        text: patterns of files with a sentence a line, relative to the corpora's directory.
        weight: the share of its model in the linear mixture, above 0; the main text's model has
            what all of these leave.
        text_licence: recorded in the model.
        order: words in its longest n-gram.
    """

    text: tuple[str, ...]
    weight: float
    text_licence: str = ""
    order: int = 4

    def __post_init__(self) -> None:
        if not 0 < self.weight < 1:
            raise UsageError(f"weight: expected above 0 and below 1, found {self.weight}")
        EstimateOptions(order=self.order)


@dataclass(frozen=True)
class LanguageOptions:
    """The two language models.

    Attributes:
        text: patterns of text files, relative to the corpora's directory.
        books: whether they hold books, paragraph by paragraph (see
            `recognizer.data.text.english.books`), or already a sentence a line.
        transcripts: whether the transcripts of the training sets are text, too, but for sentences
            that a development set has. Without patterns of files they are all of it.
        text_licence: recorded in the model.
        mixed: more texts, whose models are interpolated with the main text's after pruning; the
            mixtures are pruned to the same sizes. Weights can be found with `recognizer lm
            interpolate --dev`.
        lexicon_words: whether all words of the lexicon, or of its language's dictionary, are in the
            vocabulary, and not only those of the texts.
        min_count: words that occur so often, in all texts together, and have a pronunciation are
            the vocabulary (of pieces see `recognizer.lm.units.pieces.PieceOptions`).
        order: words in the longest n-gram.
        cutoffs: by order, n-grams that occur at most so often are not even estimated (see
            `recognizer.lm.estimation.options.EstimateOptions`).
        discount_fallback: take lmplz's fallback discounts where the counts of a small text do not
            determine them; otherwise that is an error.
        first_pass_ngrams: n-grams above unigrams that pruning leaves for the first pass.
        rescoring_ngrams: and for the second pass.
        allow_missing_words: whether words may lack a pronunciation; they cannot then be
            recognised.
    """

    text: tuple[str, ...] = ()
    books: bool = True
    transcripts: bool = False
    text_licence: str = ""
    mixed: tuple[MixedText, ...] = ()
    lexicon_words: bool = False
    min_count: int = 3
    order: int = 5
    cutoffs: tuple[int, ...] = ()
    discount_fallback: bool = False
    first_pass_ngrams: int = 200_000
    rescoring_ngrams: int = 2_500_000
    allow_missing_words: bool = True

    def __post_init__(self) -> None:
        if not self.text and not self.transcripts:
            raise UsageError("text: expected files, or transcripts = true, found none")
        if sum(one.weight for one in self.mixed) >= 1:
            found = ", ".join(f"{one.weight:g}" for one in self.mixed)
            raise UsageError(f"mixed: expected weights of a sum below 1, found {found}")
        if not 0 < self.first_pass_ngrams <= self.rescoring_ngrams:
            raise UsageError(
                f"expected 0 < first_pass_ngrams <= rescoring_ngrams, found "
                f"{self.first_pass_ngrams} and {self.rescoring_ngrams}"
            )


@dataclass(frozen=True)
class TuningOptions:
    """How scales and penalty are chosen.

    Attributes:
        data: development sets, relative to the corpora's directory.
        grid: the values to try.
    """

    data: tuple[str, ...]
    grid: Grid = Grid()

    def __post_init__(self) -> None:
        if not self.data:
            raise UsageError("expected a development set, found none")


@dataclass(frozen=True)
class CharacterOptions:
    """What a network of kind "ctc" spells with.

    Attributes:
        min_count: characters that occur less often in the transcripts of the training sets are left
            out, and so are the utterances that have one.
        space: whether the space between words is a character; false for languages without it, where
            utterances with a space between two Latin words are then left out.
        pruning: which characters of a frame the search considers; all by default.
    """

    min_count: int = 1
    space: bool = True
    pruning: CtcPruning | None = None

    def __post_init__(self) -> None:
        if self.min_count < 1:
            raise UsageError(f"min_count: expected an integer >= 1, found {self.min_count}")


_ONLY_HYBRID = (
    "lexicon", "pronunciation", "pieces", "aligner", "keep_aligner", "flat_start", "graph",
    "acoustic.tree", "acoustic.lf_mmi", "acoustic.initial", "acoustic.priors",
    "acoustic.silence_weight", "acoustic.realign", "acoustic.realign_training",
    "lm.lexicon_words", "lm.allow_missing_words",
)  # fmt: skip
_ONLY_CTC = ("characters",)


@dataclass(frozen=True)
class Recipe:
    """What a recipe file says.

    Attributes:
        name: of the model.
        language: BCP 47 tag.
        licence: SPDX expression of the model.
        description: one line.
        kind: of the acoustic model: "hybrid", whose network's outputs are the states of HMMs, so
            that it needs a lexicon, alignments and a tree; or "ctc", whose network spells words
            with characters and is trained on transcripts alone (Amodei et al. 2015).
        lexicon: a lexicon file (`recognizer.data.lexicon.reading`), relative to the corpora's
            directory, or "graphemes" to spell words with their letters as phones
            (`recognizer.data.lexicon.graphemes`); by default CMU's English dictionary, and what
            `recognizer.data.text.english.derivation` derives from it.
        text_rules: the rule set for transcripts, text and lexicon (`recognizer.data.text.rules`);
            by default "english" without a lexicon, else "unicode".
        pronunciation: how the pronunciation model is trained on the lexicon. It becomes a part of
            the model, and with it every word of the text that occurs often enough is in the
            vocabulary; by default, only those that the lexicon has or its language's rules derive.
        pieces: how to find the pieces of words that the language models are then made of, so that
            any word can be recognised; by default they are made of whole words.
        training: corpora to train on.
        untranscribed: sets to train on that have no transcripts, with who transcribes them.
        lm: the language models.
        aligner: model directory whose network aligns the training sets, or "english", that of this
            package; by default a model is made for it from a flat start.
        keep_aligner: the model that aligned the training sets goes into the new one, for alignment:
            a network with an output every 30 ms recognises faster, and one every 10 ms aligns more
            exactly.
        flat_start: how that is made.
        acoustic: tree, features, network.
        characters: of kind "ctc", what the network spells with.
        graph: scales and silence probability of the decoding graph.
        first_pass: kind of the first pass, and so of the graph.
        search: its beams.
        lattice: limits of the second pass.
        tuning: development sets and grid.
    """

    name: str
    language: str
    licence: str
    training: tuple[TrainingSet, ...]
    lm: LanguageOptions
    tuning: TuningOptions
    description: str = ""
    kind: Literal["hybrid", "ctc"] = "hybrid"
    untranscribed: tuple[UntranscribedSet, ...] = ()
    lexicon: str | None = None
    text_rules: str | None = None
    pronunciation: PronunciationOptions | None = None
    pieces: PieceOptions | None = None
    aligner: str | None = None
    keep_aligner: bool = False
    flat_start: FlatStartOptions = FlatStartOptions()
    acoustic: AcousticOptions = AcousticOptions()
    characters: CharacterOptions = CharacterOptions()
    graph: GraphOptions = GraphOptions()
    first_pass: FirstPassOptions = FirstPassOptions()
    search: SearchOptions = SearchOptions()
    lattice: LatticeOptions = LatticeOptions()

    def __post_init__(self) -> None:
        self._check_kind()
        if self.kind == "ctc" and not self.training and not self.untranscribed:
            raise UsageError("expected a set to train on, found none")
        bootstrap = [one.data for one in self.training if one.bootstrap]
        if self.kind == "hybrid" and self.aligner is None and not bootstrap:
            raise UsageError("expected a training set with bootstrap = true, found none")
        if bootstrap and (self.kind == "ctc" or self.aligner is not None):
            beside = "kind = 'ctc'" if self.kind == "ctc" else "aligner"
            raise UsageError(
                f"{bootstrap[0]}: bootstrap: expected nothing beside {beside}, for there is no "
                "flat start"
            )
        if self.keep_aligner and self.aligner is None:
            raise UsageError("keep_aligner: expected false without aligner, found true")
        names = [one.name for one in self.training] + [one.name for one in self.untranscribed]
        if len(set(names)) < len(names):
            raise UsageError(f"expected sets of distinct names, found {', '.join(names)}")
        if self.lm.books and self.rules != "english":
            raise UsageError(
                f"books: expected false with the text rules {self.rules!r}, for sentences of books "
                "are found by English rules; found true"
            )
        if self.pronunciation is not None and self.lexicon == GRAPHEMES:
            raise UsageError(
                f"pronunciation: expected a lexicon of phones, for letters need no model; "
                f"found lexicon = {self.lexicon!r}"
            )
        if self.pieces is not None and (self.lm.mixed or self.lm.lexicon_words):
            raise UsageError("pieces: expected no mixed texts and no lexicon_words beside them")
        if self.pieces is not None and self.lexicon != GRAPHEMES:
            raise UsageError(
                f"pieces: expected lexicon = {GRAPHEMES!r}, for pieces are spelled; "
                f"found {self.lexicon!r}"
            )

    @property
    def rules(self) -> str:
        """The name of the rule set."""
        if self.kind == "ctc":
            return self.text_rules or DEFAULT_RULES
        return chosen_rules(self.text_rules, self.lexicon)

    def _check_kind(self) -> None:
        """Refuse options that mean nothing for the kind of acoustic model."""
        if self.kind == "ctc" and self.text_rules is not None:
            check_text_rules(self.text_rules)
        for path in _ONLY_HYBRID if self.kind == "ctc" else _ONLY_CTC:
            owner, _, name = path.rpartition(".")
            options: Any = getattr(self, owner) if owner else self
            default = next(one.default for one in fields(options) if one.name == name)
            if getattr(options, name) != default:
                raise UsageError(f"{path}: expected nothing beside kind = {self.kind!r}")


def find_recipe(name: str) -> Path:
    """The file of a recipe by its built-in name or its path.

    Raises:
        UsageError: neither.
    """
    path = BUILT_IN / f"{name}.toml"
    if path.exists():
        return path
    path = Path(name)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in BUILT_IN.glob("*.toml")))
        raise UsageError(f"expected a recipe ({known}) or a TOML file, found {name!r}")
    return path


def read_recipe(name: str) -> Recipe:
    """Read a recipe by its built-in name or its path.

    Raises:
        UsageError: neither.
        SpeechError: the file has another form (names the field).
    """
    path = find_recipe(name)
    return from_table(Recipe, read_toml(path), str(path))


def find_text(patterns: tuple[str, ...], root: Path) -> list[Path]:
    """The files of patterns relative to a directory, in order.

    Raises:
        SpeechError: a pattern without a file.
    """
    if not root.is_dir():
        raise SpeechError(f"{root}: no such directory")
    files: list[Path] = []
    for pattern in patterns:
        found = sorted(Path(p) for p in glob.glob(str(root / pattern)))  # noqa: PTH207
        if not found:
            raise SpeechError(f"{root / pattern}: expected text files, found none")
        files += found
    return files


def _file_name(data: str) -> str:
    return data.strip("/").replace("/", "-")
