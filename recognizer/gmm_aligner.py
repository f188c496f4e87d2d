"""The aligner that a flat start trains: Gaussian mixtures over context-dependent states."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from am.gmm import DiagonalGmmSet
from am.phones import PhoneTable
from am.transitions import TransitionModel
from am.tree import Tree
from data.alignment import Alignment
from data.corpus import Utterance
from data.errors import SpeechError
from data.lexicon import Lexicon, read_lexicon
from decoding.align import Aligner, AlignmentError, ForcedPath, path_segments
from decoding.utterance_graph import UtteranceGraph
from recognizer.flat_start_options import FlatStartOptions
from recognizer.gmm_features import gmm_features, parallel
from recognizer.options import from_table, read_toml, to_toml

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True)
class AlignedSet:
    """Alignments of many utterances.

    Attributes:
        paths: transition-ids ``[T]`` by utterance id.
        failed: why, by the id of each utterance that could not be aligned.
        unknown: transcript words outside the lexicon, aligned with spoken noise, and their counts.
        log_prob: mean log score per aligned frame (natural log, scaled as in alignment).
        frames: number of aligned frames.
    """

    paths: dict[str, IntArray]
    failed: dict[str, str]
    unknown: Counter[str]
    log_prob: float
    frames: int


@dataclass(frozen=True)
class SpeechData:
    """Utterances with their features, in one order."""

    ids: list[str]
    words: list[tuple[str, ...]]
    features: list[FloatArray]

    @classmethod
    def load(
        cls, utterances: Sequence[Utterance], options: FlatStartOptions, jobs: int | None
    ) -> SpeechData:
        """Compute the features of utterances; raises as `gmm_features`."""
        features = gmm_features(utterances, options.features, jobs)
        return cls(
            [utterance.id for utterance in utterances],
            [utterance.words for utterance in utterances],
            [features[utterance.id] for utterance in utterances],
        )

    def shortest(self, count: int) -> SpeechData:
        """The ``count`` shortest utterances (all for 0): few states, so uniform is least wrong."""
        if not count:
            return self
        order = sorted(range(len(self.ids)), key=lambda i: len(self.features[i]))
        chosen = sorted(order[:count])
        return SpeechData(
            [self.ids[i] for i in chosen],
            [self.words[i] for i in chosen],
            [self.features[i] for i in chosen],
        )

    def graphs(self, aligner: Aligner) -> list[UtteranceGraph | None]:
        """The transcripts' graphs; None for a transcript without words."""
        return [aligner.graph(words) if words else None for words in self.words]


def align_all(
    gmm: DiagonalGmmSet,
    aligner: Aligner,
    data: SpeechData,
    graphs: Sequence[UtteranceGraph | None],
    jobs: int | None,
) -> AlignedSet:
    """Align every utterance; those without a path or without words are listed as failed."""

    def best(index: int) -> ForcedPath | str:
        graph, features = graphs[index], data.features[index]
        if graph is None:
            return "no words in its transcript"
        try:
            return aligner.path(graph, lambda pdfs: gmm.log_likelihoods(features, pdfs))
        except AlignmentError as error:
            return str(error)

    paths: dict[str, IntArray] = {}
    failed: dict[str, str] = {}
    log_prob = 0.0
    for index, found in enumerate(parallel(best, range(len(data.ids)), jobs)):
        if isinstance(found, str):
            failed[data.ids[index]] = found
        else:
            paths[data.ids[index]] = found.tids
            log_prob += found.log_prob
    frames = sum(map(len, paths.values()))
    unknown = Counter(word for words in data.words for word in aligner.unknown(words))
    return AlignedSet(paths, failed, unknown, log_prob / max(frames, 1), frames)


@dataclass(frozen=True)
class FlatStartModel:
    """A trained aligner of Gaussian mixtures.

    Attributes:
        lexicon: pronunciations.
        phones: the phone table.
        tree: pdf-ids of phones in context.
        transitions: transition-ids with their probabilities.
        gmm: a mixture per pdf.
        options: how it was trained, and its features.
    """

    lexicon: Lexicon
    phones: PhoneTable
    tree: Tree
    transitions: TransitionModel
    gmm: DiagonalGmmSet
    options: FlatStartOptions

    def aligner(self) -> Aligner:
        """An aligner with this model's states."""
        return Aligner(self.lexicon, self.phones, self.tree, self.transitions, self.options.align)

    def align(self, utterances: Sequence[Utterance], jobs: int | None = None) -> AlignedSet:
        """Align utterances with their transcripts; those that fail are listed, not dropped."""
        data = SpeechData.load(utterances, self.options, jobs)
        aligner = self.aligner()
        return align_all(self.gmm, aligner, data, data.graphs(aligner), jobs)

    def segments(self, utterance: Utterance, tids: IntArray) -> Alignment:
        """Words and phones of an utterance's path, in seconds."""
        return path_segments(
            utterance.id,
            utterance.words,
            tids,
            self.transitions,
            self.phones,
            self.options.features.frame_shift,
        )

    def write(self, directory: str | os.PathLike[str]) -> None:
        """Write a model directory: phones, lexicon, tree, transitions, mixtures and options."""
        target = Path(directory)
        target.mkdir(parents=True, exist_ok=True)
        self.phones.write(target / "phones.txt")
        self.lexicon.write(target / "lexicon.txt")
        self.tree.write(target / "tree.json")
        self.transitions.write(target / "transitions.json")
        self.gmm.write(target / "gmm.safetensors")
        partial = target / "flat_start.toml.partial"
        partial.write_text(to_toml(self.options), encoding="utf-8")
        partial.replace(target / "flat_start.toml")

    @classmethod
    def read(cls, directory: str | os.PathLike[str]) -> FlatStartModel:
        """Read what :meth:`write` wrote.

        Raises:
            SpeechError: a missing or damaged part, or parts that do not belong together.
        """
        source = Path(directory)
        path = source / "flat_start.toml"
        options = from_table(FlatStartOptions, read_toml(path), str(path))
        phones = PhoneTable.read(source / "phones.txt")
        model = cls(
            lexicon=read_lexicon(source / "lexicon.txt"),
            phones=phones,
            tree=Tree.read(source / "tree.json"),
            transitions=TransitionModel.read(source / "transitions.json", phones),
            gmm=DiagonalGmmSet.read(source / "gmm.safetensors"),
            options=options,
        )
        expected = model.transitions.num_pdfs
        for name, found in (
            ("tree.json", model.tree.num_pdfs),
            ("gmm.safetensors", model.gmm.num_pdfs),
        ):
            if found != expected:
                raise SpeechError(
                    f"{source / name}: expected {expected} pdfs as in transitions.json, "
                    f"found {found}"
                )
        return model
