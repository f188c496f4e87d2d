"""How well the confidences of words fit the words that were right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.evaluation.word_alignment import align
from recognizer.evaluation.word_network import Transcript

BINS = 10
"""Bins of equal width between 0 and 1 of reliability diagrams."""

_LEAST_DOUBT = 1e-3


@dataclass(frozen=True)
class ReliabilityBin:
    """The words whose confidences lie between two limits.

    Attributes:
        low: the lower limit, which the first bin includes and all others exclude.
        high: the upper limit, which is included.
        words: how many words.
        confidence: their mean confidence; 0 for no words.
        accuracy: the share of them that is right; 0 for no words.
    """

    low: float
    high: float
    words: int
    confidence: float
    accuracy: float


def right_words(reference: Transcript, hypothesis: Sequence[str]) -> list[bool]:
    """Which words of a hypothesis are right, by its alignment with the reference."""
    pairs = align(reference, hypothesis)
    return [pair.operation == "C" for pair in pairs if pair.hypothesis is not None]


def cross_entropy(confidences: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]) -> float:
    """Bits per word that are missing to know which words are right; 0 for no words.

    Confidences nearer to 0 or 1 than 0.001, which is what a CTM shows, count as that far away.

    Args:
        confidences: float ``[N]``, probability of each recognised word.
        right: bool ``[N]``, whether it was said.
    """
    if len(right) == 0:
        return 0.0
    clipped = np.clip(confidences, _LEAST_DOUBT, 1 - _LEAST_DOUBT)
    return float(-np.log2(np.where(right, clipped, 1 - clipped)).mean())


def normalized_cross_entropy(
    confidences: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]
) -> float:
    """NIST's normalised cross entropy: 1 knows which words are right, 0 only how many.

    It is negative where always saying what share of the words is right would be better; 0 where
    all words are right, or none, so that nothing is left to know.

    Args:
        confidences: float ``[N]``, probability of each recognised word.
        right: bool ``[N]``, whether it was said.
    """
    share = float(np.mean(right)) if len(right) else 1.0
    if share in (0.0, 1.0):
        return 0.0
    return 1 - cross_entropy(confidences, right) / cross_entropy(np.full(len(right), share), right)


def reliability(
    confidences: npt.NDArray[np.floating], right: npt.NDArray[np.bool_], bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """Mean confidence and accuracy in bins of equal width (Guo et al. 2017, section 2).

    C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On calibration of modern neural networks", ICML 2017.

    Args:
        confidences: float ``[N]``, in [0, 1].
        right: bool ``[N]``, whether each word was said.
        bins: how many.
    """
    edges = np.linspace(0.0, 1.0, bins + 1)
    which = np.clip(np.searchsorted(edges, confidences, side="left") - 1, 0, bins - 1)
    found = []
    for index in range(bins):
        inside = which == index
        words = int(inside.sum())
        found.append(
            ReliabilityBin(
                low=float(edges[index]),
                high=float(edges[index + 1]),
                words=words,
                confidence=float(np.mean(confidences[inside])) if words else 0.0,
                accuracy=float(np.mean(right[inside])) if words else 0.0,
            )
        )
    return tuple(found)


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """The mean of ``|accuracy - confidence|`` over words, taken bin by bin (Guo et al., eq. 3).

    0 is perfect; 0 for no words.
    """
    words = sum(one.words for one in bins)
    if not words:
        return 0.0
    return sum(one.words * abs(one.accuracy - one.confidence) for one in bins) / words
