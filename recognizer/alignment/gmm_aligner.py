"""The aligner that a flat start trains: Gaussian mixtures over context-dependent states."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recognizer.alignment.aligned_set import AlignedSet, collect, collect_heard
from recognizer.alignment.flat_start_options import FlatStartOptions
from recognizer.alignment.gmm_features import SpeechData
from recognizer.am.hmm.fmllr import FmllrOptions, FmllrStats
from recognizer.am.hmm.gmm import DiagonalGmmSet
from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.decision_tree import Tree
from recognizer.data.alignments.alignment import Alignment
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError
from recognizer.data.io.options import from_table, read_toml, to_toml
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.data.text.rules import check_text_rules
from recognizer.decoding.alignment.align import Aligner, ForcedPath, path_alignment
from recognizer.decoding.alignment.tolerance import Tolerance
from recognizer.decoding.alignment.utterance_graph import UtteranceGraph

DoubleArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int32]


def align_all(
    gmm: DiagonalGmmSet,
    aligner: Aligner,
    data: SpeechData,
    jobs: int | None,
    graphs: Sequence[UtteranceGraph | None] | None = None,
    *,
    scored: bool = False,
) -> AlignedSet:
    """Align every utterance; those without features, words or a path are listed as failed."""

    def find(index: int) -> ForcedPath:
        features = data.features[index]
        graph = graphs[index] if graphs is not None else None
        return aligner.path(
            data.words[index] if graph is None else graph,
            lambda pdfs: gmm.log_likelihoods(features, pdfs),
            scored=scored,
        )

    aligned = collect(data.ids, data.words, find, aligner, jobs)
    return replace(aligned, failed={**data.failed, **aligned.failed})


def speaker_transforms(
    gmm: DiagonalGmmSet,
    transitions: TransitionModel,
    data: SpeechData,
    paths: Mapping[str, IntArray],
    options: FmllrOptions,
) -> dict[str, DoubleArray]:
    """The fMLLR transform of each speaker who says enough, from aligned utterances.

    Frames of silence and noise do not count: they are of the room more than of the speaker.

    Args:
        gmm: mixtures.
        transitions: knows the pdfs of the paths.
        data: utterances with features as they were recorded.
        paths: transition-ids of utterances that could be aligned.
        options: of the estimation.
    """
    silence = np.zeros(transitions.num_pdfs, dtype=np.bool_)
    silence[sorted(transitions.silence_pdfs)] = True
    stats: dict[str, FmllrStats] = {}
    for key, speaker, features in zip(data.ids, data.speakers, data.features, strict=True):
        if key in paths:
            pdfs = transitions.pdf[paths[key]]
            speech = ~silence[pdfs]
            known = stats.setdefault(speaker, FmllrStats(gmm.dim))
            known.accumulate(gmm, features[speech], pdfs[speech])
    estimated = {speaker: one.estimate(options) for speaker, one in stats.items()}
    return {speaker: one for speaker, one in estimated.items() if one is not None}


@dataclass(frozen=True)
class _Record:
    """What flat_start.toml holds: how a model was trained, and the rule set of its lexicon."""

    text_rules: str
    options: FlatStartOptions

    def __post_init__(self) -> None:
        check_text_rules(self.text_rules)


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
        text_rules: name of the rule set of its lexicon (`recognizer.data.text.rules`).
    """

    lexicon: Lexicon
    phones: PhoneTable
    tree: Tree
    transitions: TransitionModel
    gmm: DiagonalGmmSet
    options: FlatStartOptions
    text_rules: str

    @property
    def frame_shift(self) -> float:
        """Seconds from one frame of a path to the next."""
        return self.options.features.frame_shift

    def aligner(self, tolerance: Tolerance | None = None) -> Aligner:
        """An aligner with this model's states; see `Aligner`."""
        parts = self.lexicon, self.phones, self.tree, self.transitions
        return Aligner(*parts, self.options.align, tolerance)

    def align(
        self,
        utterances: Sequence[Utterance],
        jobs: int | None = None,
        tolerance: Tolerance | None = None,
        *,
        scored: bool = False,
    ) -> AlignedSet:
        """Align utterances with their transcripts; those that fail are listed, not dropped."""
        data = SpeechData.load(utterances, self.options.features, jobs)
        aligner = self.aligner(tolerance)
        adapted = self._adapted(data, aligner, jobs)
        return align_all(self.gmm, aligner, adapted, jobs, scored=scored)

    def _adapted(self, data: SpeechData, aligner: Aligner, jobs: int | None) -> SpeechData:
        """Features adapted to their speakers, where the options say so."""
        adapted, options = data, self.options.fmllr
        if options is not None:
            for _ in range(options.passes):
                paths = align_all(self.gmm, aligner, adapted, jobs).paths
                transforms = speaker_transforms(self.gmm, self.transitions, data, paths, options)
                adapted = data.adapted(transforms)
        return adapted

    def hear(
        self, utterances: Sequence[Utterance], others: Sequence[str], jobs: int | None = None
    ) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
        """What is said in utterances by language models of their own transcripts."""
        aligner = self.aligner()
        data = SpeechData.load(utterances, self.options.features, jobs)
        data = self._adapted(data, aligner, jobs)

        def hear(index: int) -> tuple[str, ...]:
            features = data.features[index]
            return aligner.hear(
                data.words[index], others, lambda pdfs: self.gmm.log_likelihoods(features, pdfs)
            )

        heard, failed = collect_heard(data.ids, hear, jobs)
        return heard, {**data.failed, **failed}

    def segments(self, utterance: Utterance, path: ForcedPath) -> Alignment:
        """Words and phones of an utterance's path, in seconds."""
        return path_alignment(
            utterance.id,
            path.labels(utterance.tokens),
            path.tids,
            self.transitions,
            self.phones,
            self.frame_shift,
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
        partial.write_text(to_toml(_Record(self.text_rules, self.options)), encoding="utf-8")
        partial.replace(target / "flat_start.toml")

    @classmethod
    def read(cls, directory: str | os.PathLike[str]) -> FlatStartModel:
        """Read what :meth:`write` wrote.

        Raises:
            SpeechError: a missing or damaged part, or parts that do not belong together.
        """
        source = Path(directory)
        path = source / "flat_start.toml"
        record = from_table(_Record, read_toml(path), str(path))
        phones = PhoneTable.read(source / "phones.txt")
        model = cls(
            lexicon=Lexicon.read(source / "lexicon.txt"),
            phones=phones,
            tree=Tree.read(source / "tree.json"),
            transitions=TransitionModel.read(source / "transitions.json", phones),
            gmm=DiagonalGmmSet.read(source / "gmm.safetensors"),
            options=record.options,
            text_rules=record.text_rules,
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
