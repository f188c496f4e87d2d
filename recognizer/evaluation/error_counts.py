"""Counts of word errors and their rate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorCounts:
    """Errors of one or of many utterances.

    Attributes:
        words: number of reference words.
        insertions: hypothesis words without a reference word.
        deletions: reference words without a hypothesis word.
        substitutions: reference words with another hypothesis word.
    """

    words: int = 0
    insertions: int = 0
    deletions: int = 0
    substitutions: int = 0

    @property
    def errors(self) -> int:
        """Insertions, deletions and substitutions together."""
        return self.insertions + self.deletions + self.substitutions

    @property
    def wer(self) -> float:
        """Word error rate in percent; infinite for insertions against an empty reference."""
        if self.words == 0:
            return float("inf") if self.errors else 0.0
        return 100.0 * self.errors / self.words

    def __add__(self, other: ErrorCounts) -> ErrorCounts:
        """Pool two counts."""
        return ErrorCounts(
            self.words + other.words,
            self.insertions + other.insertions,
            self.deletions + other.deletions,
            self.substitutions + other.substitutions,
        )

    def __str__(self) -> str:
        """Kaldi's line: ``%WER 12.34 [ 123 / 997, 10 ins, 20 del, 93 sub ]``."""
        return (
            f"%WER {self.wer:.2f} [ {self.errors} / {self.words}, {self.insertions} ins, "
            f"{self.deletions} del, {self.substitutions} sub ]"
        )


def total(counts: Iterable[ErrorCounts]) -> ErrorCounts:
    """Pool the counts of many utterances."""
    return sum(counts, ErrorCounts())


def grouped(counts: Sequence[ErrorCounts], groups: Sequence[str]) -> dict[str, list[ErrorCounts]]:
    """Counts of utterances by group (such as the speaker), groups sorted.

    Args:
        counts: of each utterance.
        groups: of each utterance.
    """
    found: dict[str, list[ErrorCounts]] = {group: [] for group in sorted(set(groups))}
    for one, group in zip(counts, groups, strict=True):
        found[group].append(one)
    return found
