"""How far the boundaries of two alignments of the same speech are from each other."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np

from recognizer.data.alignments.alignment import Alignment, Segment


def boundary_errors(reference: Sequence[Segment], found: Sequence[Segment]) -> list[float]:
    """Seconds between boundaries that lie between the same two phones, signed (found - reference).

    The sequences are matched first: they need not pronounce a word alike.
    """
    return [
        found[j + i].end - reference[k + i].end
        for k, j, size in _matches(reference, found)
        for i in range(size - 1)
    ]


def word_boundary_errors(reference: Sequence[Segment], found: Sequence[Segment]) -> list[float]:
    """Seconds between the starts and between the ends of the same words (found - reference)."""
    pairs = [
        (reference[k + i], found[j + i])
        for k, j, size in _matches(reference, found)
        for i in range(size)
    ]
    return [
        error for one, other in pairs for error in (other.start - one.start, other.end - one.end)
    ]


def word_edge_errors(reference: Sequence[Segment], found: Alignment) -> list[float]:
    """Seconds between the starts and between the ends of words, where the reference has no words.

    The edges of a word are those of its first and last phones, where the reference has them too.

    Args:
        reference: phones.
        found: words and phones.
    """
    partners = {
        j + i: k + i for k, j, size in _matches(reference, found.phones) for i in range(size)
    }
    starts = {round(phone.start, 4): index for index, phone in enumerate(found.phones)}
    ends = {round(phone.end, 4): index for index, phone in enumerate(found.phones)}
    errors = []
    for word in found.words:
        first, last = starts[round(word.start, 4)], ends[round(word.end, 4)]
        if first in partners:
            errors.append(word.start - reference[partners[first]].start)
        if last in partners:
            errors.append(word.end - reference[partners[last]].end)
    return errors


def summary(errors: np.ndarray) -> dict[str, float]:
    """Absolute errors and bias in milliseconds, and shares within 20 and 50 ms."""
    distance = np.abs(errors)
    return {
        "median_ms": round(1000 * float(np.median(distance)), 2),
        "mean_ms": round(1000 * float(distance.mean()), 2),
        "p90_ms": round(1000 * float(np.percentile(distance, 90)), 2),
        "p99_ms": round(1000 * float(np.percentile(distance, 99)), 2),
        "bias_ms": round(1000 * float(errors.mean()), 2),
        "within_20_ms": round(float((distance <= WITHIN[0]).mean()), 4),
        "within_50_ms": round(float((distance <= WITHIN[1]).mean()), 4),
    }


WITHIN = 0.02 + 1e-6, 0.05 + 1e-6
"""Seconds; times are multiples of a frame but for rounding."""


def _matches(reference: Sequence[Segment], found: Sequence[Segment]) -> list[tuple[int, int, int]]:
    first, second = ([segment.label for segment in segments] for segments in (reference, found))
    matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
    return [(block.a, block.b, block.size) for block in matcher.get_matching_blocks()]
