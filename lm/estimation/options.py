"""How an n-gram model is estimated, and the discounts of Kneser-Ney smoothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recognizer.data.errors import SpeechError, UsageError

MAX_ORDER = 8

Discounts = tuple[float, float, float]
"""What is taken off an (adjusted) count of 1, of 2, and of 3 or more."""

DISCOUNT_FALLBACK: Discounts = (0.5, 1.0, 1.5)
"""Those of lmplz's `--discount_fallback`."""


@dataclass(frozen=True)
class EstimateOptions:
    """Options of an estimate.

    Attributes:
        order: words in the longest n-gram, 1 to 8.
        cutoffs: by order, unigrams first: n-grams that occur at most so often are left out (their
            probability goes to the back-off); the last value holds for the orders that remain.
            Empty: nothing is left out. As lmplz's `--prune`.
        discount_fallback: discounts for an order whose counts of counts do not determine them
            (small or artificial text); None: that is an error. As lmplz's `--discount_fallback`.
        continuation_counts: lower orders count the distinct words before an n-gram (Kneser-Ney);
            False: they count its occurrences (absolute discounting), so that they keep their
            text's marginals, which hard pruning wants (Chelba et al., 2010).
    """

    order: int = 5
    cutoffs: tuple[int, ...] = ()
    discount_fallback: Discounts | None = None
    continuation_counts: bool = True

    def __post_init__(self) -> None:
        """Check the values."""
        if not 1 <= self.order <= MAX_ORDER:
            raise UsageError(f"order: expected 1 to {MAX_ORDER}, found {self.order}")
        cutoffs = list(self.cutoffs)
        if cutoffs != sorted(cutoffs) or any(cutoff < 0 for cutoff in cutoffs):
            raise UsageError(f"cutoffs: expected counts that do not decrease, found {cutoffs}")
        if len(cutoffs) > self.order:
            raise UsageError(f"cutoffs: expected at most {self.order} values, found {cutoffs}")
        for count, discount in enumerate(self.discount_fallback or (), start=1):
            if not 0 <= discount <= count:
                expected = f"0 to {count} for counts of {count}"
                raise UsageError(f"discount_fallback: expected {expected}, found {discount}")

    def cutoff(self, order: int) -> int:
        """The cut-off of an order (1-based)."""
        return self.cutoffs[min(order, len(self.cutoffs)) - 1] if self.cutoffs else 0


def determine_discounts(
    order: int, counts_of_counts: Sequence[int], fallback: Discounts | None
) -> Discounts:
    """The discounts of an order (Chen and Goodman, 1998, equation 26).

    Args:
        order: of the n-grams, for the message.
        counts_of_counts: `[5]`, how many n-grams have the adjusted count 1, 2, 3 and 4; [0] unused.
        fallback: what to take where these do not determine them.

    Raises:
        SpeechError: they do not, and there is no fallback.
    """
    n = counts_of_counts
    missing = [count for count in (1, 2, 3) if n[count] == 0]
    if missing:
        problem = f"no {order}-gram has the count {missing[0]}"
    else:
        y = n[1] / (n[1] + 2 * n[2])
        one, two, three = (j - (j + 1) * y * n[j + 1] / n[j] for j in (1, 2, 3))
        wrong = [(j, d) for j, d in ((1, one), (2, two), (3, three)) if not 0 <= d <= j]
        if not wrong:
            return one, two, three
        problem = f"that of count {wrong[0][0]} would be {wrong[0][1]:.3f}"
    if fallback is None:
        raise SpeechError(
            f"Kneser-Ney discounts of {order}-grams: expected counts of natural text, "
            f"found that {problem} (more text, or --discount-fallback, would do)"
        )
    return fallback
