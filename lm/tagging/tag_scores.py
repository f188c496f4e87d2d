"""How well words are tagged: precision, recall and F1 of each mark and of capital letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from recognizer.data.text.tags import MARKS, TaggedWord

CAPITALS = "capitals"
"""Stands for words that do not have small letters alone."""

CLASSES = (*MARKS[1:], CAPITALS)
"""What is scored."""


class Score(NamedTuple):
    """Of one class.

    Attributes:
        precision: share of what was tagged so that is so; 0 where nothing was.
        recall: share of what is so that was tagged so; 0 where nothing is.
        f1: harmonic mean of both.
        reference: how often the class is right.
    """

    precision: float
    recall: float
    f1: float
    reference: int


@dataclass
class TagScores:
    """Counts of what is tagged, what should be, and both; texts can be added one by one.

    Attributes:
        words: that were compared.
    """

    words: int = 0
    _found: Counter[str] = field(default_factory=Counter)
    _reference: Counter[str] = field(default_factory=Counter)
    _both: Counter[str] = field(default_factory=Counter)

    def add(self, reference: Sequence[TaggedWord], found: Sequence[TaggedWord]) -> None:
        """Compare two taggings of the same words."""
        self.add_pairs(zip(reference, found, strict=True))

    def add_pairs(self, pairs: Iterable[tuple[TaggedWord | None, TaggedWord | None]]) -> None:
        """Compare aligned words; where one side has none, the other's tags are errors."""
        for reference, found in pairs:
            self.words += reference is not None
            right, tagged = _classes(reference), _classes(found)
            self._reference.update(right)
            self._found.update(tagged)
            self._both.update(right & tagged)

    def score(self, name: str) -> Score:
        """Of one of `CLASSES`."""
        both, found, reference = self._both[name], self._found[name], self._reference[name]
        total = found + reference
        return Score(
            both / found if found else 0.0,
            both / reference if reference else 0.0,
            2 * both / total if total else 0.0,
            reference,
        )


def _classes(word: TaggedWord | None) -> set[str]:
    if word is None:
        return set()
    classes = {word.mark} if word.mark else set()
    return classes | ({CAPITALS} if word.case != "lower" else set())
