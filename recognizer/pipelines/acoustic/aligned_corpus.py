"""Training sets with the HMM state of every frame, and with the label of every frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from recognizer.am.features.fbank import FbankOptions
from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.contexts import FrameContexts, frame_contexts, frame_pdfs
from recognizer.am.tree.decision_tree import Tree
from recognizer.am.tree.segment_contexts import segment_contexts
from recognizer.data.alignments.alignment import Alignment
from recognizer.data.alignments.exclusions import Exclusions, exclude
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError

IntArray = npt.NDArray[np.int32]


class TrainingCorpus(Protocol):
    """A training set, whatever is known of its utterances beside their audio."""

    @property
    def name(self) -> str:
        """Name of its feature files."""

    @property
    def utterances(self) -> tuple[Utterance, ...]:
        """Those that can be trained on."""


@dataclass(frozen=True)
class AlignedCorpus:
    """A training set with the state of every frame.

    Attributes:
        name: of its feature files.
        utterances: those that could be aligned.
        contexts: the states of each utterance's frames, by its id.
    """

    name: str
    utterances: tuple[Utterance, ...]
    contexts: Mapping[str, FrameContexts]

    @classmethod
    def from_paths(
        cls,
        name: str,
        utterances: Sequence[Utterance],
        paths: Mapping[str, IntArray],
        transitions: TransitionModel,
    ) -> AlignedCorpus:
        """From transition-ids of an aligner; utterances without a path are left out."""
        kept = tuple(utterance for utterance in utterances if utterance.id in paths)
        contexts = {u.id: frame_contexts(paths[u.id], transitions) for u in kept}
        return cls(name, kept, contexts)

    @classmethod
    def from_alignments(
        cls,
        name: str,
        utterances: Sequence[Utterance],
        alignments: Iterable[Alignment],
        phones: PhoneTable,
        topology: Topology,
        options: FbankOptions,
        exclusions: Exclusions | None = None,
    ) -> AlignedCorpus:
        """From segments in seconds; utterances without an alignment are left out.

        Args:
            name: of its feature files.
            utterances: the corpus.
            alignments: of some or all of them.
            phones: the phone table.
            topology: number of states of each phone.
            options: of the features, which give the number of frames.
            exclusions: counts alignments without speech instead of raising.

        Raises:
            SpeechError: an alignment with phones that the table lacks, or with none of speech.
        """
        of_id = {utterance.id: utterance for utterance in utterances}
        contexts = {}
        for alignment in alignments:
            if alignment.utterance not in of_id:
                continue
            frames = options.num_frames(len(of_id[alignment.utterance].samples()))
            try:
                contexts[alignment.utterance] = segment_contexts(
                    alignment, phones, topology, frames, options.frame_shift
                )
            except SpeechError as error:
                exclude(exclusions, "phones that give no labels", f"{name}: {error}")
        kept = tuple(utterance for utterance in utterances if utterance.id in contexts)
        return cls(name, kept, contexts)

    def labelled(self, tree: Tree) -> LabelledCorpus:
        """The set with the labels that a tree gives to its frames."""
        labels = {u.id: frame_pdfs(self.contexts[u.id], tree) for u in self.utterances}
        return LabelledCorpus(self.name, self.utterances, labels)


@dataclass(frozen=True)
class LabelledCorpus:
    """A training set with a label for every frame.

    Attributes:
        name: of its feature files.
        utterances: those that have labels.
        labels: int32 `[T]` by utterance id.
    """

    name: str
    utterances: tuple[Utterance, ...]
    labels: Mapping[str, IntArray]


@dataclass(frozen=True)
class AcousticInputs:
    """What the stages start from.

    Attributes:
        phones: the phone table of the alignments.
        topology: HMM topology of the model to make.
        corpora: training sets with the state of every frame.
    """

    phones: PhoneTable
    topology: Topology
    corpora: tuple[AlignedCorpus, ...]
