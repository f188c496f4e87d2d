"""Relative-entropy pruning of back-off models (Stolcke, 1998)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from data.errors import UsageError
from lm.ngram import BEGIN, END, LOG_OF_10, NgramLevel, NgramModel

_ROWS_PER_CHUNK = 1 << 21
_SMALLEST_MASS = 1e-9
"""Below this the mass left for back-off is rounding: histories that explain (nearly) all words."""


def history_probs(model: NgramModel) -> tuple[NDArray[np.float64], ...]:
    """Probability of each n-gram as a history, by the chain rule in the model itself.

    This is what Stolcke (1998) uses. The lower orders of Kneser-Ney are not the text's marginals,
    and pruning with them loses much (Chelba et al., 2010): `relative_frequencies` avoids that.
    `<s>` is given the probability of `</s>`.

    Returns:
        float64 `[M]` by order, for all orders but the highest.
    """
    unigrams = np.exp(model.levels[0].log10_probs.astype(np.float64) * LOG_OF_10)
    unigrams[model.word_ids[BEGIN]] = unigrams[model.word_ids[END]]
    result = [unigrams]
    for level in model.levels[1:-1]:
        probs = np.exp(level.log10_probs.astype(np.float64) * LOG_OF_10)
        result.append(result[-1][level.parents] * probs)
    return tuple(result[: model.order - 1])


def relative_frequencies(
    model: NgramModel, occurrences: Sequence[NDArray[np.integer]]
) -> tuple[NDArray[np.float64], ...]:
    """Probability of each n-gram as a history: its occurrences over the length of the text.

    Args:
        model: the model.
        occurrences: `[M]` by order, as `lm.estimate.estimate` returns them.

    Returns:
        float64 `[M]` by order, for all orders but the highest.
    """
    length = int(occurrences[0].sum(dtype=np.int64)) - int(occurrences[0][model.word_ids[BEGIN]])
    return tuple(counts / length for counts in occurrences[: model.order - 1])


def pruning_losses(
    model: NgramModel, histories: Sequence[NDArray[np.floating]] | None = None
) -> tuple[NDArray[np.float32], ...]:
    """By how much the model's perplexity grows, relatively, without each n-gram.

    Stolcke (1998), equations 3 to 6: exp(D) - 1, where D is the relative entropy between the model
    and the model that backs off for this n-gram (with the history's back-off weight recomputed),
    weighed by the history's probability. An n-gram that is the history of longer ones goes only
    with all of them: its loss is the greatest of its own and its extensions', so that "keep what
    loses at least a threshold" keeps every prefix.

    Args:
        model: the model.
        histories: probability of each n-gram as a history, by order from unigrams to the
            highest order but one; None: `history_probs(model)`.

    Returns:
        float32 `[M]` by order; infinite for unigrams, which are never pruned.
    """
    histories = history_probs(model) if histories is None else histories
    expected = model.counts[:-1]
    if tuple(len(probs) for probs in histories) != expected:
        found = [len(probs) for probs in histories]
        raise UsageError(
            f"history probabilities: expected {list(expected)} by order, found {found}"
        )
    result: list[NDArray[np.float32]] = []
    backoffs = [level.log10_backoffs for level in model.levels]
    for order in range(model.order, 1, -1):
        losses = np.empty(len(model.levels[order - 1]), dtype=np.float32)
        for chunk in _chunks(model, order):
            losses[chunk.rows] = chunk.losses(histories[order - 2], backoffs)
        if result:
            offsets = model.child_offsets(order)
            parents = np.flatnonzero(offsets[1:] > offsets[:-1])
            if len(parents):
                greatest = np.maximum.reduceat(result[-1], offsets[parents])
                losses[parents] = np.maximum(losses[parents], greatest)
        result.append(losses)
    result.append(np.full(len(model.vocabulary), np.inf, dtype=np.float32))
    return tuple(reversed(result))


def prune(
    model: NgramModel,
    *,
    threshold: float | None = None,
    ngrams: int | None = None,
    losses: Sequence[NDArray[np.float32]] | None = None,
) -> NgramModel:
    """Leave out the n-grams that matter least, and recompute the back-off weights.

    Args:
        model: the model; it stays as it is.
        threshold: n-grams that lose less (relative growth of perplexity) go; as SRILM's `-prune`.
        ngrams: instead of a threshold, how many n-grams above unigrams to keep at most.
        losses: `pruning_losses(model, ...)`, if it is there already.

    Returns:
        The smaller model, with float64 log10 values; highest orders that lost all their n-grams
        are gone.

    Raises:
        UsageError: not exactly one of threshold and ngrams is given, or it is negative.
    """
    if (threshold is None) == (ngrams is None):
        raise UsageError("pruning: expected either a threshold or a number of n-grams")
    if (threshold or 0) < 0 or (ngrams or 0) < 0:
        raise UsageError(f"pruning: expected no negative number, found {threshold or ngrams}")
    losses = pruning_losses(model) if losses is None else losses
    least = _threshold_for(losses, ngrams) if ngrams is not None else float(threshold or 0)
    keep = [loss >= least for loss in losses]
    levels: list[NgramLevel] = []
    new_rows = np.zeros(0, dtype=np.int64)
    for order, level in enumerate(model.levels, start=1):
        kept = keep[order - 1]
        parents = level.parents[kept]
        levels.append(
            NgramLevel(
                level.words[kept],
                new_rows[parents] if order > 1 else parents,
                level.log10_probs[kept].astype(np.float64),
                np.zeros(int(kept.sum())),
            )
        )
        new_rows = np.cumsum(kept, dtype=np.int64) - 1
    while len(levels) > 1 and not len(levels[-1]):
        levels.pop()
    return _with_backoffs(NgramModel(model.vocabulary, tuple(levels)))


def _threshold_for(losses: Sequence[NDArray[np.float32]], ngrams: int) -> float:
    """The least threshold that keeps no more than this many n-grams above unigrams."""
    every = np.concatenate(losses[1:]) if len(losses) > 1 else np.zeros(0, dtype=np.float32)
    if ngrams >= len(every):
        return 0.0
    first_out = np.partition(every, len(every) - ngrams - 1)[len(every) - ngrams - 1]
    return float(np.nextafter(first_out, np.float32(np.inf)))


def _with_backoffs(model: NgramModel) -> NgramModel:
    """The model with back-off weights that make each history's distribution sum to 1."""
    backoffs: list[NDArray[np.floating]] = [np.zeros(count) for count in model.counts]
    for order in range(2, model.order + 1):
        for chunk in _chunks(model, order):
            explicit, below = chunk.masses(backoffs)
            backoffs[order - 2][chunk.parents] = (np.log(explicit) - np.log(below)) / LOG_OF_10
        offsets = model.child_offsets(order - 1)
        backoffs[order - 2][offsets[1:] == offsets[:-1]] = 0.0
    levels = zip(model.levels, backoffs, strict=True)
    return replace(
        model,
        levels=tuple(replace(level, log10_backoffs=backoff) for level, backoff in levels),
        known_suffixes=model.suffixes,
    )


class _Chunk:
    """All n-grams of an order for a run of histories."""

    def __init__(self, model: NgramModel, order: int, parents: slice, rows: slice) -> None:
        self.model = model
        self.order = order
        self.parents = parents
        self.rows = rows
        level = model.levels[order - 1]
        self.local = level.parents[rows] - parents.start
        self.log_probs = level.log10_probs[rows].astype(np.float64) * LOG_OF_10

    def masses(
        self, backoffs: Sequence[NDArray[np.floating]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What each history leaves to other words, and what the lower order gives to those."""
        return self._masses(self.backed_off(backoffs))

    def _masses(
        self, backed_off: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        size = self.parents.stop - self.parents.start
        explicit = 1 - np.bincount(self.local, np.exp(self.log_probs), minlength=size)
        below = 1 - np.bincount(self.local, np.exp(backed_off), minlength=size)
        return np.maximum(explicit, _SMALLEST_MASS), np.maximum(below, _SMALLEST_MASS)

    def backed_off(self, backoffs: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
        """Natural log of p(word | history without its first word)."""
        model, order = self.model, self.order
        suffixes = model.suffixes[order - 1][self.rows].astype(np.int64)
        result = np.empty(len(suffixes))
        level_of = np.searchsorted(model.offsets, suffixes, side="right") - 1
        for level in range(order - 1):
            here = np.flatnonzero(level_of == level)
            if not len(here):
                continue
            rows = suffixes[here] - model.offsets[level]
            result[here] = model.levels[level].log10_probs[rows] * LOG_OF_10
            if level < order - 2:
                result[here] += self._backoff_to(level, here, backoffs)
        return result

    def _backoff_to(
        self, level: int, here: NDArray[np.int64], backoffs: Sequence[NDArray[np.floating]]
    ) -> NDArray[np.float64]:
        """Natural log of the back-off from the shortened history down to n-grams of a level."""
        model = self.model
        parents = model.levels[self.order - 1].parents[self.rows][here]
        contexts = model.suffixes[self.order - 2][parents].astype(np.int64)
        total = np.zeros(len(here))
        for longer in range(self.order - 3, level - 1, -1):
            now = np.flatnonzero(contexts >= model.offsets[longer])
            rows = contexts[now] - model.offsets[longer]
            total[now] += backoffs[longer][rows] * LOG_OF_10
            contexts[now] = model.suffixes[longer][rows]
        return total

    def losses(
        self, histories: NDArray[np.floating], backoffs: Sequence[NDArray[np.floating]]
    ) -> NDArray[np.float64]:
        backed_off = self.backed_off(backoffs)
        explicit, below = self._masses(backed_off)
        log_backoff = (np.log(explicit) - np.log(below))[self.local]
        explicit, below = explicit[self.local], below[self.local]
        probs = np.exp(self.log_probs)
        without = np.log(explicit + probs) - np.log(below + np.exp(backed_off))
        change = probs * (backed_off + without - self.log_probs)
        change += explicit * (without - log_backoff)
        result: NDArray[np.float64] = np.expm1(-histories[self.parents][self.local] * change)
        return result


def _chunks(model: NgramModel, order: int) -> Iterator[_Chunk]:
    """Runs of histories with about `_ROWS_PER_CHUNK` n-grams of the order each."""
    offsets = model.child_offsets(order - 1)
    first = 0
    while first < len(offsets) - 1:
        wanted = offsets[first] + _ROWS_PER_CHUNK
        last = max(first + 1, int(np.searchsorted(offsets, wanted, side="right")) - 1)
        yield _Chunk(
            model, order, slice(first, last), slice(int(offsets[first]), int(offsets[last]))
        )
        first = last
