"""Interpolated modified Kneser-Ney estimation of n-gram models from text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data.errors import SpeechError, UsageError
from lm.counts import CountedLevel, count_ngrams, read_tokens
from lm.ngram import BEGIN, NO_NODE, SPECIAL_WORDS, NgramLevel, NgramModel

MAX_ORDER = 6

Discounts = tuple[float, float, float]
"""What is taken off an (adjusted) count of 1, of 2, and of 3 or more."""


@dataclass(frozen=True)
class EstimateOptions:
    """Options of `estimate`.

    Attributes:
        order: words in the longest n-gram, 1 to 6.
        cutoffs: by order, unigrams first: n-grams that occur at most so often are left out (their
            probability goes to the back-off); the last value holds for the orders that remain.
            Empty: nothing is left out. As lmplz's `--prune`.
        discount_fallback: discounts for an order whose counts of counts do not determine them
            (small or artificial text); None: that is an error. As lmplz's `--discount_fallback`,
            whose default values are 0.5, 1 and 1.5.
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


@dataclass(frozen=True, eq=False)
class Estimate:
    """A model and what its text said of it.

    Attributes:
        model: the model, with float32 log10 values.
        occurrences: int32 `[M]` by order: how often each of the model's n-grams occurs in the
            text (for `<s>`: the number of sentences).
        discounts: by order.
    """

    model: NgramModel
    occurrences: tuple[NDArray[np.int32], ...]
    discounts: tuple[Discounts, ...]


def estimate(
    lines: Iterable[str],
    vocabulary: Sequence[str] | None = None,
    options: EstimateOptions | None = None,
) -> Estimate:
    """Estimate an interpolated modified Kneser-Ney model (Chen and Goodman, 1998, section 4.1.6).

    The result is what KenLM's lmplz gives for the same text: n-grams that begin with `<s>` keep
    their raw counts, `<unk>` is a word that never occurred (the unigrams are interpolated with the
    uniform distribution over all words and `</s>`), `<s>` has log10 probability 0, and an empty
    line is a sentence without words. (lmplz counts the very last n-gram of each lower order by
    occurrences rather than by continuations when it gathers counts of counts; this does not.)

    Args:
        lines: sentences, one a line, words separated by white space.
        vocabulary: the model's words, in the order that they get; None: all words of the text, in
            the order of their first occurrence. Words outside the vocabulary are counted each for
            itself, and then n-grams that hold one are left out, as with lmplz's
            `--limit_vocab_file`. Words of the vocabulary that do not occur get what `<unk>` gets.
        options: see `EstimateOptions`.

    Raises:
        SpeechError: a line holds `<s>`, `</s>` or `<unk>`; there is no text; discounts cannot be
            determined and there is no fallback.
        UsageError: the vocabulary has a word twice or one of the above.
    """
    options = options or EstimateOptions()
    if vocabulary is not None:
        if not set(SPECIAL_WORDS).isdisjoint(vocabulary):
            raise UsageError(f"vocabulary: expected no {', '.join(SPECIAL_WORDS)} in it")
        if len(set(vocabulary)) != len(vocabulary):
            raise UsageError("vocabulary: expected distinct words")
    tokens, words = read_tokens(lines, vocabulary or ())
    num_allowed = len(words) if vocabulary is None else len(SPECIAL_WORDS) + len(vocabulary)
    levels = count_ngrams(tokens, len(words), options.order)
    del tokens
    return _Smoother(levels, words, num_allowed, options).run()


class _Smoother:
    """Goes up the orders; counted levels are released as they have been used."""

    def __init__(
        self,
        counted: list[CountedLevel],
        words: list[str],
        num_allowed: int,
        options: EstimateOptions,
    ) -> None:
        self.counted = counted
        self.words = words
        self.num_allowed = num_allowed
        self.options = options
        self.levels: list[NgramLevel] = []
        self.suffixes: list[NDArray[np.int32]] = []
        self.occurrences: list[NDArray[np.int32]] = []
        self.discounts: list[Discounts] = []
        self.new_ids = np.zeros(0, dtype=np.int32)  # word id in the model by counted word

    def run(self) -> Estimate:
        keep, probs = self.unigrams()
        vocabulary = tuple(self.words[row] for row in np.flatnonzero(keep))
        offset = 0
        for order in range(2, self.options.order + 1):
            keep, probs, offset = self.higher(order, keep, probs, offset)
        model = NgramModel(vocabulary, tuple(self.levels), tuple(self.suffixes))
        return Estimate(model, tuple(self.occurrences), tuple(self.discounts))

    def adjusted(self, order: int) -> NDArray[np.int64]:
        """The counts that the estimate of an order is made from."""
        level = self.counted[order - 1]
        if order == self.options.order or not self.options.continuation_counts:
            counts = level.occurrences.astype(np.int64)
        else:
            above = self.counted[order].suffixes
            counts = np.bincount(above, minlength=len(level.words))
            # Nothing precedes <s>: such n-grams have no continuations to count.
            counts[level.begins] = level.occurrences[level.begins]
        if order == 1:
            counts[self.words.index(BEGIN)] = 0
        return counts

    def unigrams(self) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        level = self.counted[0]
        counts = self.adjusted(1)
        discount = self.discount(1, counts)
        cutoff = self.options.cutoff(1)
        keep = np.arange(len(counts)) < self.num_allowed
        if cutoff:
            keep &= level.occurrences > cutoff
        keep[: len(SPECIAL_WORDS)] = True
        total = float(counts.sum())
        taken = discount[np.minimum(counts, 3)]
        gamma = float(np.where(keep, taken, counts).sum()) / total
        uniform = 1.0 / (int(keep.sum()) - 1)  # over all but <s>
        probs = (counts - taken) / total + gamma * uniform
        probs[self.words.index(BEGIN)] = 1.0
        size = int(keep.sum())
        self.new_ids = (np.cumsum(keep) - 1).astype(np.int32)
        self.append(
            NgramLevel(
                np.arange(size, dtype=np.int32),
                np.full(size, NO_NODE, dtype=np.int64),
                _log10(probs[keep]),
                np.zeros(size, dtype=np.float32),
            ),
            np.full(size, NO_NODE, dtype=np.int32),
            level.occurrences[keep],
        )
        return keep, probs

    def higher(
        self, order: int, keep_below: NDArray[np.bool_], probs_below: NDArray[np.float64], base: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64], int]:
        """Add the level of an order >= 2 and set the back-offs of the level below.

        Rows of the level below are as counted, with `keep_below` telling which stay; `base` is
        the node of the first that stays.
        """
        counts = self.adjusted(order)
        discount = self.discount(order, counts)
        level = self.counted[order - 1]
        keep = keep_below[level.parents]
        keep &= level.words < self.num_allowed
        if cutoff := self.options.cutoff(order):
            keep &= level.occurrences > cutoff
        size_below = len(keep_below)
        total = np.bincount(level.parents, weights=counts, minlength=size_below)
        taken = discount[np.minimum(counts, 3)]
        # What is cut goes to the back-off as a whole.
        freed = np.where(keep, taken, counts)
        gamma: NDArray[np.float64] = np.bincount(
            level.parents, weights=freed, minlength=size_below
        ).astype(np.float64, copy=False)
        del freed
        with np.errstate(invalid="ignore"):
            gamma /= total
        gamma[total == 0] = 1.0

        parents = level.parents[keep]
        suffixes = level.suffixes[keep]
        kept_probs = (counts[keep] - taken[keep]) / total[parents]
        kept_probs += gamma[parents] * probs_below[suffixes]
        del counts, taken
        self.levels[-1] = replace(self.levels[-1], log10_backoffs=_log10(gamma[keep_below]))

        new_rows = np.cumsum(keep_below, dtype=np.int64) - 1
        highest = order == self.options.order
        zeros = np.broadcast_to(np.float32(0), kept_probs.shape)
        words = self.new_ids[level.words[keep]]
        self.append(
            NgramLevel(words, new_rows[parents], _log10(kept_probs), zeros),
            (new_rows[suffixes] + base).astype(np.int32),
            level.occurrences[keep],
        )
        next_base = base + int(keep_below.sum())
        self.counted[order - 1] = replace(level, suffixes=level.suffixes[:0])
        if highest:
            return keep, kept_probs, next_base
        probs = np.zeros(len(keep))
        probs[keep] = kept_probs
        return keep, probs, next_base

    def append(
        self, level: NgramLevel, suffixes: NDArray[np.int32], occurrences: NDArray[np.int32]
    ) -> None:
        self.levels.append(level)
        self.suffixes.append(suffixes)
        self.occurrences.append(occurrences)

    def discount(self, order: int, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Discount by count 0, 1, 2, 3+ from counts of counts (Chen and Goodman, equation 26)."""
        n = np.bincount(counts[(counts > 0) & (counts <= 4)], minlength=5).tolist()
        missing = [count for count in (1, 2, 3) if n[count] == 0]
        problem = f"no {order}-gram has the count {missing[0]}" if missing else ""
        discounts = [0.0]
        if not problem:
            y = n[1] / (n[1] + 2 * n[2])
            discounts += [j - (j + 1) * y * n[j + 1] / n[j] for j in (1, 2, 3)]
            wrong = [j for j in (1, 2, 3) if not 0 <= discounts[j] <= j]
            if wrong:
                problem = f"that of count {wrong[0]} would be {discounts[wrong[0]]:.3f}"
        if problem:
            if self.options.discount_fallback is None:
                raise SpeechError(
                    f"Kneser-Ney discounts of {order}-grams: expected counts of natural text, "
                    f"found that {problem} (more text, or a discount fallback, would do)"
                )
            discounts = [0.0, *self.options.discount_fallback]
        self.discounts.append((discounts[1], discounts[2], discounts[3]))
        return np.array(discounts)


def _log10(probs: NDArray[np.float64]) -> NDArray[np.float32]:
    """As float32, at most 0 (rounding may lift a sum above 1) and at least -99 (ARPA's zero)."""
    return np.log10(np.clip(probs, 1e-99, 1.0)).astype(np.float32)
