"""Relative-entropy pruning of back-off models (Stolcke, 1998)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recognizer.data.errors import UsageError
from recognizer.lm.ngram.backoff_weights import HistoryChunk, history_chunks, with_backoff_weights
from recognizer.lm.ngram.model import BEGIN, END, LOG_OF_10, NgramLevel, NgramModel
from recognizer.lm.ngram.scores import NgramScorer


def history_probs(
    model: NgramModel, history_model: NgramModel | None = None
) -> tuple[NDArray[np.float64], ...]:
    """Probability of each n-gram as a history, by the chain rule in a model.

    In the model itself this is what Stolcke (1998) uses. The lower orders of Kneser-Ney are not the
    text's marginals, and pruning with them loses much (Chelba et al., 2010). What avoids that is
    another model of the same text whose lower orders are (SRILM's `-prune-history-lm`; in
    `recognizer.lm.estimation.estimate` without continuation counts). `<s>` is given the probability
    of `</s>`.

    Args:
        model: the model whose n-grams are meant.
        history_model: the model that scores them; None: the same. An order below the other's does.
            A word that it does not have is its `<unk>`.

    Returns:
        float64 `[M]` by order, for all orders but the highest.
    """
    scorer = None
    if history_model is not None:
        scorer = NgramScorer(history_model, model.vocabulary)
    result: list[NDArray[np.float64]] = []
    for level in model.levels[:-1]:
        log10_probs = level.log10_probs.astype(np.float64)
        if scorer is not None:
            log10_probs = scorer.next_order(level.parents, level.words)
        probs = np.exp(log10_probs * LOG_OF_10)
        if result:
            probs *= result[-1][level.parents]
        else:
            probs[model.word_ids[BEGIN]] = probs[model.word_ids[END]]
        result.append(probs)
    return tuple(result)


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
        for chunk in history_chunks(model, order):
            losses[chunk.rows] = _losses(chunk, histories[order - 2], backoffs)
        if result:
            offsets = model.child_offsets(order)
            parents = np.flatnonzero(offsets[1:] > offsets[:-1])
            if len(parents):
                greatest = np.maximum.reduceat(result[-1], offsets[parents])
                losses[parents] = np.maximum(losses[parents], greatest)
        result.append(losses)
    result.append(np.full(len(model.vocabulary), np.inf, dtype=np.float32))
    return tuple(reversed(result))


def prune_ngrams(
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
        ngrams: instead of a threshold, how many n-grams above unigrams to keep, or all if there
            are fewer. Of n-grams that lose equally, shorter ones stay.
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
    if ngrams is not None:
        keep = _greatest(losses, ngrams)
    else:
        keep = [loss >= float(threshold or 0) for loss in losses]
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
    return with_backoff_weights(NgramModel(model.vocabulary, tuple(levels)))


def _greatest(losses: Sequence[NDArray[np.float32]], ngrams: int) -> list[NDArray[np.bool_]]:
    """Which n-grams stay: all unigrams, and this many of the others, those that lose most.

    A history loses at least as much as its extensions: shorter n-grams first among equals keeps it.
    """
    every = np.concatenate(losses[1:]) if len(losses) > 1 else np.zeros(0, dtype=np.float32)
    if ngrams >= len(every):
        return [np.ones(len(loss), dtype=np.bool_) for loss in losses]
    least = np.partition(every, len(every) - ngrams - 1)[len(every) - ngrams - 1]
    keep = every > least
    equal = np.flatnonzero(every == least)
    keep[equal[: ngrams - int(keep.sum())]] = True
    sizes = [len(loss) for loss in losses[1:]]
    return [np.ones(len(losses[0]), dtype=np.bool_), *np.split(keep, np.cumsum(sizes)[:-1])]


def _losses(
    chunk: HistoryChunk,
    histories: NDArray[np.floating],
    backoffs: Sequence[NDArray[np.floating]],
) -> NDArray[np.float64]:
    """Loss of each n-gram of the chunk, if it alone went."""
    backed_off = chunk.backed_off(backoffs)
    explicit, below = chunk.masses(backed_off)
    log_backoff = (np.log(explicit) - np.log(below))[chunk.local]
    explicit, below = explicit[chunk.local], below[chunk.local]
    probs = np.exp(chunk.log_probs)
    without = np.log(explicit + probs) - np.log(below + np.exp(backed_off))
    change = probs * (backed_off + without - chunk.log_probs)
    change += explicit * (without - log_backoff)
    result: NDArray[np.float64] = np.expm1(-histories[chunk.parents][chunk.local] * change)
    return result
