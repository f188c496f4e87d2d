"""An n-gram back-off model as arrays: one trie level per order, sorted by (history, word)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recognizer.data.errors import SpeechError

BEGIN = "<s>"
END = "</s>"
UNKNOWN = "<unk>"
SPECIAL_WORDS = (UNKNOWN, BEGIN, END)

LOG_OF_10 = math.log(10.0)
"""ARPA holds log10; multiply by this for the natural log that the rest of the system uses."""

MAX_NGRAMS = 2**31 - 1
"""Of a model in memory: nodes are int32. Larger ones are built into automata from files."""

NO_NODE = -1
"""The node of the empty history, and the row of an n-gram that is not in the model."""


def trie_keys(parents: NDArray[np.integer], words: NDArray[np.integer]) -> NDArray[np.int64]:
    """One int64 per n-gram that orders a level by (history row, word id)."""
    keys: NDArray[np.int64] = parents.astype(np.int64)
    keys <<= 32
    keys |= words
    return keys


@dataclass(frozen=True, eq=False)
class NgramLevel:
    """The n-grams of one order; rows are sorted by (parent, word) and are distinct.

    Attributes:
        words: int32 `[M]`, id of the last word.
        parents: int64 `[M]`, row of the history (all words but the last) in the level below;
            -1 for unigrams.
        log10_probs: float `[M]`, log10 p(word | history).
        log10_backoffs: float `[M]`, log10 of the back-off weight; 0 where the n-gram is no history.
    """

    words: NDArray[np.int32]
    parents: NDArray[np.int64]
    log10_probs: NDArray[np.floating]
    log10_backoffs: NDArray[np.floating]

    def __post_init__(self) -> None:
        """Check that the arrays go together."""
        size = self.words.shape
        if len(size) != 1 or any(
            array.shape != size for array in (self.parents, self.log10_probs, self.log10_backoffs)
        ):
            raise ValueError("the arrays of an n-gram level must be one-dimensional, of one length")
        if self.words.dtype != np.int32 or self.parents.dtype != np.int64:
            raise ValueError("an n-gram level holds words as int32 and parents as int64")

    def __len__(self) -> int:
        return len(self.words)


@dataclass(frozen=True, eq=False)
class NgramModel:
    """A back-off n-gram model: p(w|h) if (h, w) is explicit, else backoff(h) * p(w|h').

    h' is h without its first word; a history that is not in the model has back-off weight 1.
    Every n-gram's history (prefix) is in the model; its suffix may be missing, as in ARPA files.

    A *node* numbers an n-gram over all orders: row + offsets[order - 1]; -1 is the empty history.

    Attributes:
        vocabulary: words by id; row i of the unigrams is word i. Holds `<s>`, `</s>`, `<unk>`.
        levels: unigrams first.
        known_suffixes: what `suffixes` would compute, where the maker of the model knows it.
    """

    vocabulary: tuple[str, ...]
    levels: tuple[NgramLevel, ...]
    known_suffixes: tuple[NDArray[np.int32], ...] | None = None

    def __post_init__(self) -> None:
        """Check the unigrams against the vocabulary, and the size."""
        if sum(self.counts) > MAX_NGRAMS:
            found = (
                f"{sum(self.counts)} (`recognizer lm convert` makes a .ngram file of any number)"
            )
            raise SpeechError(
                f"n-gram model in memory: expected at most {MAX_NGRAMS} n-grams, found {found}"
            )
        if not self.levels or len(self.levels[0]) != len(self.vocabulary):
            raise ValueError("an n-gram model needs one unigram for each word of its vocabulary")
        if any(word not in self.word_ids for word in SPECIAL_WORDS):
            raise ValueError(f"an n-gram model's vocabulary must hold {', '.join(SPECIAL_WORDS)}")

    @property
    def order(self) -> int:
        """The longest n-gram's number of words."""
        return len(self.levels)

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of n-grams by order, unigrams first."""
        return tuple(len(level) for level in self.levels)

    @cached_property
    def word_ids(self) -> dict[str, int]:
        """Id of each word."""
        return {word: index for index, word in enumerate(self.vocabulary)}

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """First node of each order, then the number of nodes: `[order + 1]`."""
        return np.concatenate(([0], np.cumsum(self.counts))).astype(np.int64)

    @cached_property
    def _keys(self) -> tuple[NDArray[np.int64], ...]:
        return tuple(trie_keys(level.parents, level.words) for level in self.levels)

    def find(
        self, order: int, parents: NDArray[np.integer], words: NDArray[np.integer]
    ) -> NDArray[np.int64]:
        """Rows of the n-grams of an order with these histories and last words; -1 if absent.

        Args:
            order: number of words of the n-grams, 1-based.
            parents: `[N]` rows of the histories in the level of order - 1 (ignored for unigrams).
            words: `[N]` word ids.
        """
        if order == 1:
            return np.asarray(words, dtype=np.int64)
        if order > self.order:
            return np.full(len(words), NO_NODE, dtype=np.int64)
        keys = self._keys[order - 1]
        wanted = trie_keys(np.asarray(parents), np.asarray(words))
        rows = np.searchsorted(keys, wanted)
        found = rows < len(keys)
        found[found] = keys[rows[found]] == wanted[found]
        rows[~found] = NO_NODE
        return rows.astype(np.int64)

    def child_offsets(self, order: int) -> NDArray[np.int64]:
        """Where each n-gram's children begin in the next level: `[M + 1]`, M n-grams of `order`."""
        rows = np.arange(len(self.levels[order - 1]) + 1, dtype=np.int64)
        if order == self.order:
            return np.zeros_like(rows)
        return np.searchsorted(self.levels[order].parents, rows).astype(np.int64)

    @cached_property
    def suffixes(self) -> tuple[NDArray[np.int32], ...]:
        """Per level, the node of each n-gram's longest proper suffix in the model (-1: empty).

        This is where a history backs off to, and where an n-gram of the highest order leads.
        """
        if self.known_suffixes is not None:
            return self.known_suffixes
        result = [np.full(len(self.vocabulary), NO_NODE, dtype=np.int32)]
        for order in range(2, self.order + 1):
            level = self.levels[order - 1]
            contexts = result[order - 2][level.parents].astype(np.int64)
            suffix = self._extend(contexts, level.words, np.concatenate(result))
            result.append(suffix.astype(np.int32))
        return tuple(result)

    def _extend(
        self,
        contexts: NDArray[np.int64],
        words: NDArray[np.int32],
        suffix_of: NDArray[np.int32],
    ) -> NDArray[np.int64]:
        """Node of the longest n-gram that ends a context and a word (contexts as nodes)."""
        nodes = words.astype(np.int64)
        open_ = np.flatnonzero(contexts != NO_NODE)
        contexts = contexts[open_]
        while len(open_):
            levels = np.searchsorted(self.offsets, contexts, side="right") - 1
            rows = np.empty(len(open_), dtype=np.int64)
            for level in np.unique(levels):
                here = np.flatnonzero(levels == level)
                found = self.find(
                    int(level) + 2, contexts[here] - self.offsets[level], words[open_[here]]
                )
                rows[here] = np.where(found >= 0, found + self.offsets[level + 1], NO_NODE)
            hit = rows != NO_NODE
            nodes[open_[hit]] = rows[hit]
            open_, contexts = open_[~hit], suffix_of[contexts[~hit]].astype(np.int64)
            more = contexts != NO_NODE
            open_, contexts = open_[more], contexts[more]
        return nodes

    def ngrams(self, order: int, start: int = 0, stop: int | None = None) -> NDArray[np.int32]:
        """Word ids of the n-grams of an order, rows [start, stop): `[M, order]`."""
        level = self.levels[order - 1]
        stop = len(level) if stop is None else stop
        result = np.empty((stop - start, order), dtype=np.int32)
        result[:, -1] = level.words[start:stop]
        rows = level.parents[start:stop]
        for column in range(order - 2, -1, -1):
            below = self.levels[column]
            result[:, column] = below.words[rows]
            rows = below.parents[rows]
        return result
