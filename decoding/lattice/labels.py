"""What the labels of a decoding graph stand for: the network's outputs, pauses, parts of words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.decoding.lattice.arc_times import WordBoundaries
from recognizer.decoding.lattice.lattice import BestPath
from recognizer.decoding.lattice.word_times import word_times


class GraphLabels(ABC):
    """What search and lattices must know of a model's labels, whatever its kind.

    Attributes:
        pdfs: int32 ``[1 + labels]``, the network's output of each label; index 0 is unused.
        is_silence: bool ``[1 + labels]``, labels in which nobody speaks.
    """

    pdfs: npt.NDArray[np.int32]
    is_silence: npt.NDArray[np.bool_]

    @property
    def num_outputs(self) -> int:
        """Outputs of the network."""
        return int(self.pdfs[1:].max()) + 1

    @property
    def silence_outputs(self) -> frozenset[int]:
        """Outputs of the network that stand for silence."""
        return frozenset(self.pdfs[self.is_silence].tolist())

    @property
    @abstractmethod
    def boundaries(self) -> WordBoundaries:
        """Labels at which words begin and end."""

    @abstractmethod
    def word_times(
        self, path: BestPath, words: Sequence[str] | None = None
    ) -> tuple[tuple[str, int, int], ...]:
        """The words of a path with their frames.

        Args:
            path: with a label for each frame. If it is not complete, its last word may be cut off.
            words: the words of the path, where its labels are pieces of them.

        Returns:
            For each word: the word, its first frame, and the frame after its last one.

        Raises:
            SpeechError: the labels are not whole words, or not as many as the words.
        """


class HmmLabels(GraphLabels):
    """Transition-ids of HMMs of phones."""

    def __init__(self, transitions: TransitionModel, phones: PhoneTable) -> None:
        self._transitions, self._phones = transitions, phones
        self.pdfs = transitions.pdf
        self.is_silence = transitions.is_silence

    @property
    def boundaries(self) -> WordBoundaries:
        """Those of phones in word-position variants."""
        return WordBoundaries.of_model(self._transitions)

    def word_times(
        self, path: BestPath, words: Sequence[str] | None = None
    ) -> tuple[tuple[str, int, int], ...]:
        """See `recognizer.decoding.lattice.word_times.word_times`."""
        return word_times(path, self._transitions, self._phones, words)
