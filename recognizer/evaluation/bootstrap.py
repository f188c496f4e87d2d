"""Bootstrap intervals of word error rates, and paired comparison of two systems.

M. Bisani and H. Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation",
ICASSP 2004. What is drawn with replacement are utterances, or whole speakers: errors of one speaker
are not independent of each other, so that drawing speakers gives the wider and more honest interval
where there are enough of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recognizer.data.errors import SpeechError
from recognizer.evaluation.error_counts import ErrorCounts, total

REPLICATIONS = 10_000
"""Bootstrap replications; Kaldi's ``compute-wer-bootci`` draws as many."""


@dataclass(frozen=True)
class Interval:
    """A 95 % interval of the word error rate.

    Attributes:
        low: its lower end, in percent.
        high: its upper end, in percent.
    """

    low: float
    high: float


@dataclass(frozen=True)
class PairedDifference:
    """How the word error rate changes from one system to another.

    Attributes:
        units: how many utterances or speakers were drawn from.
        difference: rate of the second less that of the first, in percent points.
        low: lower end of the difference's 95 % interval.
        high: upper end of it.
        improvement_probability: share of replications in which the second has fewer errors.
    """

    units: int
    difference: float
    low: float
    high: float
    improvement_probability: float


def wer_interval(
    counts: Sequence[ErrorCounts], *, replications: int = REPLICATIONS, seed: int = 0
) -> Interval:
    """95 % percentile interval of the WER from a bootstrap (Bisani and Ney, section 3).

    Args:
        counts: of each unit that is drawn: an utterance, or a speaker's pooled counts.
        replications: how many samples to draw.
        seed: of the random numbers; the same one gives the same interval.

    Returns:
        The interval's bounds in percent.
    """
    errors, words = _replicated(counts, replications, seed)
    good = words > 0
    if not good.any():
        return Interval(0.0, 0.0)
    low, high = np.percentile(100.0 * errors[good] / words[good], [2.5, 97.5])
    return Interval(float(low), float(high))


def improvement_probability(
    before: Sequence[ErrorCounts],
    after: Sequence[ErrorCounts],
    *,
    replications: int = REPLICATIONS,
    seed: int = 0,
) -> float:
    """How often ``after`` has fewer errors than ``before`` on the same resampled utterances.

    The paired bootstrap of Bisani and Ney, section 4; Kaldi's ``compute-wer-bootci`` with two
    hypotheses. Both sequences hold the same utterances in the same order.

    Raises:
        SpeechError: the two hold different numbers of utterances.
    """
    return paired_difference(
        before, after, replications=replications, seed=seed
    ).improvement_probability


def paired_difference(
    before: Sequence[ErrorCounts],
    after: Sequence[ErrorCounts],
    *,
    replications: int = REPLICATIONS,
    seed: int = 0,
) -> PairedDifference:
    """The paired bootstrap of Bisani and Ney, section 4, with the interval of the difference.

    Args:
        before: counts of the first system, of each unit that is drawn.
        after: counts of the second system, of the same units in the same order.
        replications: how many samples to draw.
        seed: of the random numbers.

    Raises:
        SpeechError: the two hold different numbers of units.
    """
    if len(before) != len(after):
        raise SpeechError(f"a paired bootstrap of {len(before)} and {len(after)} utterances")
    # The same seed draws the same units for both: that is what pairs them.
    errors_before, words_before = _replicated(before, replications, seed)
    errors_after, words_after = _replicated(after, replications, seed)
    good = (words_before > 0) & (words_after > 0)
    low = high = 0.0
    if good.any():
        differences = 100.0 * (
            errors_after[good] / words_after[good] - errors_before[good] / words_before[good]
        )
        low, high = (float(value) for value in np.percentile(differences, [2.5, 97.5]))
    return PairedDifference(
        units=len(before),
        difference=total(after).wer - total(before).wer if good.any() else 0.0,
        low=low,
        high=high,
        improvement_probability=float((errors_after < errors_before).mean()) if before else 0.0,
    )


def _replicated(
    counts: Sequence[ErrorCounts], replications: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Errors and reference words [replications] of units drawn with replacement."""
    table = np.array([(c.errors, c.words) for c in counts], np.int64).reshape(-1, 2)
    sums = np.zeros((replications, 2), np.int64)
    if len(counts):
        generator = np.random.default_rng(seed)
        for row in range(replications):
            sums[row] = table[generator.integers(len(counts), size=len(counts))].sum(axis=0)
    return sums[:, 0], sums[:, 1]
