"""What one model gives the n-grams of another: exact back-off, all of an order at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recognizer.lm.ngram.model import NO_NODE, UNKNOWN, NgramModel

_ROWS_PER_CHUNK = 1 << 20


class NgramScorer:
    """Scores n-grams of growing order with a model, each order from what the last one left.

    A word that the model does not have is `<unk>` to it, predicted or in a history.

    Attributes:
        known: bool, by word of the other vocabulary: whether the model has it.
    """

    def __init__(self, model: NgramModel, vocabulary: Sequence[str]) -> None:
        """Prepare to score.

        Args:
            model: the model that scores.
            vocabulary: words by the ids that `next_order` is given.
        """
        ids = model.word_ids
        unknown = ids[UNKNOWN]
        self.known = np.array([word in ids for word in vocabulary], dtype=np.bool_)
        self._ids = np.array([ids.get(word, unknown) for word in vocabulary], dtype=np.int32)
        self._model = model
        self._nodes = np.empty(0, dtype=np.int32)

    def next_order(
        self, parents: NDArray[np.int64], words: NDArray[np.int32]
    ) -> NDArray[np.float64]:
        """Log10 p(word | history) of n-grams one word longer than those of the last call.

        Args:
            parents: `[M]`, row of each n-gram's history in the last call's arrays; ignored in the
                first call, which is of unigrams.
            words: `[M]`, id of each n-gram's last word in the other vocabulary.
        """
        scores = np.empty(len(words))
        nodes = np.empty(len(words), dtype=np.int32)
        for start in range(0, len(words), _ROWS_PER_CHUNK):
            rows = slice(start, min(start + _ROWS_PER_CHUNK, len(words)))
            if len(self._nodes):
                contexts = self._nodes[parents[rows]].astype(np.int64)
            else:
                contexts = np.full(len(words[rows]), NO_NODE, dtype=np.int64)
            scores[rows], nodes[rows] = self._back_off(contexts, self._ids[words[rows]])
        self._nodes = nodes
        return scores

    def _back_off(
        self, contexts: NDArray[np.int64], words: NDArray[np.int32]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Log10 probability of words after contexts, and the node of the longest n-gram found.

        Contexts are nodes of the longest suffixes of the histories that the model has.
        """
        model = self._model
        scores = np.zeros(len(words))
        reached = np.full(len(words), NO_NODE, dtype=np.int64)
        open_ = np.flatnonzero(contexts != NO_NODE)
        contexts = contexts[open_]
        while len(open_):
            level_of = np.searchsorted(model.offsets, contexts, side="right") - 1
            shorter = np.empty_like(contexts)
            for level in range(model.order):
                here = np.flatnonzero(level_of == level)
                rows = contexts[here] - model.offsets[level]
                found = model.find(level + 2, rows, words[open_[here]])
                hit = found != NO_NODE
                if hit.any():
                    targets = open_[here[hit]]
                    scores[targets] += model.levels[level + 1].log10_probs[found[hit]]
                    reached[targets] = found[hit] + model.offsets[level + 1]
                missed, rows = here[~hit], rows[~hit]
                scores[open_[missed]] += model.levels[level].log10_backoffs[rows]
                shorter[here] = NO_NODE
                shorter[missed] = model.suffixes[level][rows]
            more = shorter != NO_NODE
            open_, contexts = open_[more], shorter[more]
        last = np.flatnonzero(reached == NO_NODE)
        scores[last] += model.levels[0].log10_probs[words[last]]
        reached[last] = words[last]
        return scores, reached
