"""A model directory, its parts read and checked when they are first asked for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.nnet.acoustic_model import AcousticModel, HybridModel
from recognizer.am.nnet.network_file import Network
from recognizer.am.tree.decision_tree import Tree
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import replace_text
from recognizer.data.io.mapped_arrays import open_arrays
from recognizer.data.io.options import to_toml
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.data.text.characters import CharacterSet
from recognizer.data.text.rules import TextRules, text_rules
from recognizer.decoding.graph import mapped_graph
from recognizer.decoding.graph.mapped_graph import MappedGraph
from recognizer.decoding.lattice.labels import GraphLabels
from recognizer.decoding.rescoring.models import EpsilonBackoff
from recognizer.decoding.search.on_the_fly import OnTheFlyDecoder
from recognizer.decoding.search.search import Decoder, SearchOptions
from recognizer.decoding.vocabulary.extension import ExtendableGraph, ExtendedGraph
from recognizer.decoding.vocabulary.phrases import WeightedPhrase
from recognizer.lm.automaton import automaton
from recognizer.lm.automaton.automaton import FAST, NgramAutomaton
from recognizer.lm.estimation.acceptor import NgramAcceptor
from recognizer.lm.model.language_model import LanguageModel, read_language_model
from recognizer.lm.neural.word_model import NeuralLanguageModel
from recognizer.lm.pronunciation.model import PronunciationModel
from recognizer.lm.pronunciation.pronouncer import Pronouncer
from recognizer.lm.units.pieces import any_begins_word
from recognizer.model.acoustic_parts import (
    AcousticFiles,
    AcousticParts,
    PartCache,
)
from recognizer.model.config import ModelConfig
from recognizer.model.files import (
    ACOUSTIC,
    ALIGNER_ACOUSTIC,
    ALIGNER_TRANSITIONS,
    ALIGNER_TREE,
    CHARACTERS,
    CONFIG,
    DEFAULT_MODEL,
    FIRST_PASS,
    LEXICON,
    NEURAL,
    PHONE_MODEL,
    PHONES,
    PRONUNCIATION,
    RESCORING,
    RESCORING_ARPA,
    TRANSITIONS,
    TREE,
    check_sizes,
    file_record,
    graph_file,
    read_config,
    required_files,
)

_EXTENDABLE = "extendable graph"  # a part that is made, not read

Part = TypeVar("Part")

RECOGNITION_FILES = AcousticFiles(ACOUSTIC, TREE, TRANSITIONS, PHONES, CHARACTERS)
ALIGNMENT_FILES = AcousticFiles(
    ALIGNER_ACOUSTIC, ALIGNER_TREE, ALIGNER_TRANSITIONS, PHONES, CHARACTERS
)


class ModelBundle:
    """A model directory; parts are read and checked when they are first asked for.

    Opening it reads ``model.toml`` and compares the size of every file; `check` compares hashes
    and reads everything. Parts may be asked for by several threads.

    Args:
        path: the directory; None is the English model of this package.

    Attributes:
        recognition: the acoustic model that recognises.
        alignment: the acoustic model that aligns; the same one unless the directory has another.

    Raises:
        UsageError: there is no such directory.
        SpeechError: a file is missing, has another size, or ``model.toml`` has a wrong field;
            names the file and the field.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = DEFAULT_MODEL if path is None else Path(path)
        if not self.path.is_dir():
            if path is None:
                raise SpeechError(f"this installation has no model at {self.path}: name one")
            found = "a file" if self.path.exists() else "nothing"
            raise UsageError(f"{self.path}: expected a model directory, found {found}")
        self.config = read_config(self.path)
        check_sizes(self.path, self.config)
        self._cache = PartCache()
        self.recognition = AcousticParts(
            self.path,
            RECOGNITION_FILES,
            self.config.recognition,
            self._cache,
        )
        self.alignment = self.recognition
        if self.config.aligner is not None:
            self.alignment = AcousticParts(
                self.path,
                ALIGNMENT_FILES,
                self.config.aligner,
                self._cache,
            )

    @property
    def phones(self) -> PhoneTable:
        """The phone table."""
        return self.recognition.phones

    @property
    def transitions(self) -> TransitionModel:
        """Transition-ids and their probabilities, pdf-ids, phones."""
        return self.recognition.transitions

    @property
    def tree(self) -> Tree:
        """The phonetic decision tree (recognition does not need it: it is in the graph)."""
        return self.recognition.tree

    @property
    def characters(self) -> CharacterSet:
        """The characters of a model of acoustic kind "ctc"."""
        return self.recognition.characters

    @property
    def labels(self) -> GraphLabels:
        """What the labels of the decoding graph stand for."""
        return self.recognition.labels

    @property
    def lexicon(self) -> Lexicon:
        """Pronunciations of all words (recognition does not need it: it is in the graph)."""
        self.recognition.expect(HybridModel.kind, "a lexicon")
        return self._part(LEXICON, Lexicon.read)

    @property
    def pronunciation_model(self) -> PronunciationModel | None:
        """Pronounces words that the lexicon lacks; None where the model has no such part."""
        if PRONUNCIATION not in self.config.files:
            return None

        def read(path: Path) -> PronunciationModel:
            model = PronunciationModel.open(path)
            unknown = sorted(set(model.phones) - set(self.phones.base_phones))
            if unknown:
                raise SpeechError(f"{path}: expected phones of {PHONES}, found {unknown[0]!r}")
            return model

        return self._part(PRONUNCIATION, read)

    @property
    def phone_model(self) -> NgramAcceptor | None:
        """The phone language model of lattice-free MMI; None where the model has no such part."""
        if PHONE_MODEL not in self.config.files:
            return None
        return self._part(PHONE_MODEL, NgramAcceptor.read)

    @property
    def text_rules(self) -> TextRules:
        """How the model's language is written."""
        return text_rules(self.config.text_rules)

    @property
    def pronouncer(self) -> Pronouncer:
        """Gives pronunciations to words, those of the lexicon and others."""
        return Pronouncer(self.lexicon, self.text_rules, self.pronunciation_model)

    @property
    def network(self) -> Network:
        """The network's weights and log priors."""
        return self.recognition.network

    @property
    def acoustic_model(self) -> AcousticModel:
        """Features in, scores for the search out: the network in the native engine."""
        return self.recognition.acoustic_model

    @property
    def graph_file(self) -> str:
        """Name of the decoding graph's file."""
        return graph_file(self.config.first_pass, self.config.acoustic.kind)

    @property
    def rescoring_file(self) -> str:
        """Name of the large language model's file."""
        return RESCORING if RESCORING in self.config.files else RESCORING_ARPA

    @property
    def graph(self) -> MappedGraph:
        """The decoding graph: HCL, or HCLG where the first pass is static."""

        def read(path: Path) -> MappedGraph:
            graph = MappedGraph.open(path)
            if not np.array_equal(graph.pdfs()[1:], self.labels.pdfs[1:]):
                source = CHARACTERS if self.recognition.is_ctc else TRANSITIONS
                what = "labels" if self.recognition.is_ctc else "transition-ids"
                raise SpeechError(
                    f"{path}: expected the {len(self.labels.pdfs) - 1} {what} of {source} with "
                    f"their pdfs, found others"
                )
            found = "pieces" if any_begins_word(graph.words) else "words"
            if found != self.config.units:
                raise SpeechError(
                    f"{path}: units: expected {self.config.units} as in {CONFIG}, found {found}"
                )
            return graph

        return self._part(self.graph_file, read)

    @property
    def first_pass_lm(self) -> NgramAutomaton:
        """The language model of the first pass."""

        def read(path: Path) -> NgramAutomaton:
            model = NgramAutomaton.open(path)
            if model.layout != FAST:
                raise SpeechError(f"{path}: layout: expected {FAST!r}, found {model.layout!r}")
            return model

        return self._part(FIRST_PASS, read)

    @property
    def first_pass_scores(self) -> NgramAutomaton | EpsilonBackoff:
        """The language model of the first pass, backing off as the first pass does."""
        epsilon = self.config.first_pass.backoff == "epsilon"
        return EpsilonBackoff(self.first_pass_lm) if epsilon else self.first_pass_lm

    @property
    def rescoring_lm(self) -> LanguageModel[Any]:
        """The large language model."""
        return self._part(self.rescoring_file, read_language_model)

    @property
    def has_neural_lm(self) -> bool:
        """Whether the directory has a neural language model."""
        return NEURAL in self.config.files

    @property
    def own_neural_lm(self) -> NeuralLanguageModel | None:
        """The neural language model of the directory; None where it has no such part."""
        return self._part(NEURAL, self.neural_lm) if self.has_neural_lm else None

    def neural_lm(self, model: str | os.PathLike[str] | NeuralLanguageModel) -> NeuralLanguageModel:
        """A neural language model for this model's lattices.

        Args:
            model: its file, or the model itself.

        Raises:
            SpeechError: it is damaged, or lacks a word of the decoding graph.
        """
        name = "neural language model" if isinstance(model, NeuralLanguageModel) else str(model)
        if not isinstance(model, NeuralLanguageModel):
            model = NeuralLanguageModel.open(model)
        for word in self.graph.words[1:]:
            if word not in model:
                raise SpeechError(
                    f"{name}: expected the vocabulary of {self.path}, found none of its word "
                    f"{word!r}: a neural language model of another vocabulary"
                )
        return model

    @property
    def extendable_graph(self) -> ExtendableGraph:
        """The decoding graph as words can be added to it; errors as of `check_extendable`."""
        self.check_extendable("to add words to")
        options = self.config.graph
        return self._cache.get(
            _EXTENDABLE,
            lambda: ExtendableGraph(self.graph, self.tree, self.transitions, options),
        )

    def check_extendable(self, purpose: str) -> None:
        """Refuse a model whose words cannot be changed at run time.

        Args:
            purpose: what that would be good for, for messages.

        Raises:
            UsageError: the model searches a static graph, which holds its language model.
            SpeechError: its units are pieces of words.
        """
        if self.config.first_pass.search == "static":
            raise UsageError(
                f"{self.path}: expected a model that searches on the fly, {purpose}: "
                f"found one with a static graph"
            )
        if self.config.units == "pieces":
            raise SpeechError(
                f"{self.path}: expected a model of whole words, {purpose}: found one of "
                f"pieces, which can spell any word"
            )

    def decoder(
        self,
        search: SearchOptions | None = None,
        extended: ExtendedGraph | None = None,
        phrases: Sequence[WeightedPhrase] = (),
        language_model: NgramAutomaton | None = None,
        *,
        is_grammar: bool = False,
    ) -> Decoder:
        """A search of the model's own kind.

        Args:
            search: beams and acoustic scale in place of the model's.
            extended: the graph with more words, made of `extendable_graph`.
            phrases: words in a row that get a bonus.
            language_model: in place of the first pass's own; not for a static graph, which holds
                its language model.
            is_grammar: whether that is a grammar, whose words are those of the graph
                (`recognizer.decoding.vocabulary.grammar.grammar_automaton`).

        Raises:
            UsageError: phrases for a model that searches a static graph.
        """
        search = search or self.config.search
        kind = self.config.first_pass
        is_silence = self.labels.is_silence
        if kind.search == "static":
            if phrases:
                self.check_extendable("to boost phrases")
            return Decoder(self.graph, None, search, is_silence=is_silence)
        return OnTheFlyDecoder(
            self.graph if extended is None else extended.graph,
            None,
            self.first_pass_lm if language_model is None else language_model,
            search,
            # By backing off too early, the sentences of a grammar would leave it.
            "exact" if is_grammar else kind.backoff,
            is_silence=is_silence,
            lm_words=None if extended is None or is_grammar else extended.scored_as,
            num_own_words=None if extended is None else extended.num_own_words,
            phrases=phrases,
        )

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
        for name, kind, version in (
            (self.graph_file, mapped_graph.KIND, mapped_graph.VERSION),
            (FIRST_PASS, automaton.KIND, automaton.VERSION),
            (RESCORING, automaton.KIND, automaton.VERSION),
            (PRONUNCIATION, automaton.KIND, automaton.VERSION),
        ):
            if name in self.config.files:
                open_arrays(self.path / name, kind=kind, version=version).verify()
        for acoustic in (self.recognition, self.alignment):
            for part in (acoustic.network, acoustic.labels):
                assert part is not None
            assert acoustic.is_ctc or acoustic.tree is not None
        for name, optional in (
            (PRONUNCIATION, self.pronunciation_model),
            (PHONE_MODEL, self.phone_model),
            (NEURAL, self.own_neural_lm),
        ):
            assert (optional is not None) == (name in self.config.files)
        for name, known in (
            *(() if self.recognition.is_ctc else ((LEXICON, self.lexicon),)),
            (FIRST_PASS, self.first_pass_lm),
            (self.rescoring_file, self.rescoring_lm),
        ):
            for word in self.graph.words[1:]:
                if word not in known:
                    raise SpeechError(
                        f"{self.path / name}: expected the word {word!r} of {self.graph_file}, "
                        f"found none"
                    )

    def _part(self, name: str, read: Callable[[Path], Part]) -> Part:
        return self._cache.get(name, lambda: read(self.path / name))


def write_config(directory: str | Path, config: ModelConfig) -> ModelBundle:
    """Complete a model directory: record its files' sizes and hashes and write ``model.toml``.

    All other files must be there; ``config.files`` is replaced.

    Raises:
        SpeechError: a file is missing or does not fit the others.
    """
    directory = Path(directory)
    names = required_files(directory, config)
    for name in names:
        if not (directory / name).is_file():
            raise SpeechError(f"{directory / name}: expected a file of the model, found none")
    files = {name: file_record(directory / name) for name in names}
    with replace_text(directory / CONFIG) as stream:
        stream.write(to_toml(replace(config, files=files)))
    return ModelBundle(directory)


def copy_around_network(
    model: ModelBundle, config: ModelConfig, to: Path, *, link: bool = False
) -> None:
    """Make a model of the network that lies in a directory and of all else of another model.

    Args:
        model: gives everything but the network.
        config: of the new model.
        to: its directory, where the network's file is.
        link: make symbolic links to the model's files instead of copies.

    Raises:
        SpeechError: the files do not fit each other.
    """
    for name in model.config.files:
        if name == ACOUSTIC:
            continue
        target = to / name
        if link:
            target.unlink(missing_ok=True)
            target.symlink_to((model.path / name).resolve())
        else:
            shutil.copyfile(model.path / name, target)
    write_config(to, config)
