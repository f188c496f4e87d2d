"""The numbers of words and endings that a tagger reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.lm.tagging.options import ENDING, UNKNOWN_ID

IntArray = npt.NDArray[np.int64]

UNKNOWN = "<unk>"
"""Stands first in both lists."""


@dataclass(frozen=True)
class TaggerVocabulary:
    """Words and endings that have vectors.

    Attributes:
        words: by number; the first is `UNKNOWN`.
        endings: likewise.

    Raises:
        SpeechError: a list begins otherwise, or has something twice.
    """

    words: tuple[str, ...]
    endings: tuple[str, ...]
    _word_ids: dict[str, int] = field(init=False, repr=False, compare=False)
    _ending_ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("words", "endings"):
            listed = getattr(self, name)
            if listed[:1] != (UNKNOWN,) or len(set(listed)) != len(listed):
                raise SpeechError(
                    f"{name}: expected {UNKNOWN} and distinct {name}, found {len(listed)} that "
                    f"begin with {listed[0] if listed else 'none'}"
                )
        object.__setattr__(self, "_word_ids", {one: n for n, one in enumerate(self.words)})
        object.__setattr__(self, "_ending_ids", {one: n for n, one in enumerate(self.endings)})

    def numbers(self, words: Sequence[str]) -> tuple[IntArray, IntArray]:
        """Numbers of the words ``[T]`` and of their endings ``[T]``."""
        word_ids = [self._word_ids.get(word, UNKNOWN_ID) for word in words]
        ending_ids = [self._ending_ids.get(word[-ENDING:], UNKNOWN_ID) for word in words]
        return np.array(word_ids, np.int64), np.array(ending_ids, np.int64)

    @classmethod
    def of_counts(
        cls, counts: Iterable[tuple[str, int]], words: int, endings: int
    ) -> TaggerVocabulary:
        """The most frequent words and endings.

        Args:
            counts: words, each once, with how often they occur.
            words: most words, with `UNKNOWN`.
            endings: most endings, with `UNKNOWN`.
        """
        of_words = dict(counts)
        of_endings: dict[str, int] = {}
        for word, count in of_words.items():
            ending = word[-ENDING:]
            of_endings[ending] = of_endings.get(ending, 0) + count
        return cls(_frequent(of_words, words), _frequent(of_endings, endings))


def _frequent(counts: dict[str, int], most: int) -> tuple[str, ...]:
    """The most frequent ones; of equal ones those that come first in the alphabet."""
    order = sorted(counts, key=lambda one: (-counts[one], one))
    return (UNKNOWN, *order[: most - 1])
