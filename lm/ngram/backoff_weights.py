"""Back-off weights that make a model sum to 1, and the masses that they are made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from recognizer.lm.ngram.model import LOG_OF_10, NgramModel

_ROWS_PER_CHUNK = 1 << 21
_SMALLEST_MASS = 1e-9
"""Below this the mass left for back-off is rounding: histories that explain (nearly) all words."""


def with_backoff_weights(model: NgramModel) -> NgramModel:
    """The model with back-off weights that make each history's distribution sum to 1.

    Histories that nothing follows get weight 1. What all n-grams of a history leave is computed as
    a difference from 1: where that is less than 1e-9, it is taken as 1e-9.
    """
    backoffs: list[NDArray[np.floating]] = [np.zeros(count) for count in model.counts]
    for order in range(2, model.order + 1):
        for chunk in history_chunks(model, order):
            explicit, below = chunk.masses(chunk.backed_off(backoffs))
            backoffs[order - 2][chunk.parents] = (np.log(explicit) - np.log(below)) / LOG_OF_10
        offsets = model.child_offsets(order - 1)
        backoffs[order - 2][offsets[1:] == offsets[:-1]] = 0.0
    levels = zip(model.levels, backoffs, strict=True)
    return replace(
        model,
        levels=tuple(replace(level, log10_backoffs=backoff) for level, backoff in levels),
        known_suffixes=model.suffixes,
    )


class HistoryChunk:
    """All n-grams of an order for a run of histories.

    Attributes:
        model: the model.
        order: words in the n-grams.
        parents: the histories' rows in the level below.
        rows: the n-grams' rows.
        local: `[M]`, each n-gram's history, counted from the chunk's first.
        log_probs: `[M]`, natural log of p(word | history).
    """

    def __init__(self, model: NgramModel, order: int, parents: slice, rows: slice) -> None:
        self.model = model
        self.order = order
        self.parents = parents
        self.rows = rows
        level = model.levels[order - 1]
        self.local = level.parents[rows] - parents.start
        self.log_probs = level.log10_probs[rows].astype(np.float64) * LOG_OF_10

    def masses(
        self, backed_off: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What each history leaves to other words, and what the lower order gives to those.

        Args:
            backed_off: what `backed_off` gives.
        """
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


def history_chunks(model: NgramModel, order: int) -> Iterator[HistoryChunk]:
    """Runs of histories with about `_ROWS_PER_CHUNK` n-grams of the order each."""
    offsets = model.child_offsets(order - 1)
    first = 0
    while first < len(offsets) - 1:
        wanted = offsets[first] + _ROWS_PER_CHUNK
        last = max(first + 1, int(np.searchsorted(offsets, wanted, side="right")) - 1)
        yield HistoryChunk(
            model, order, slice(first, last), slice(int(offsets[first]), int(offsets[last]))
        )
        first = last
