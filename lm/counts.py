"""Text to token ids, and the distinct n-grams of the text with their occurrences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from data.errors import SpeechError
from lm.ngram import BEGIN, END, SPECIAL_WORDS, trie_keys

_LINES_PER_CHUNK = 1 << 16


@dataclass(frozen=True, eq=False)
class CountedLevel:
    """The distinct n-grams of one order, sorted by (parent, word).

    Attributes:
        words: int32 `[M]`, id of the last word.
        parents: int32 `[M]`, row of the history (all words but the last) in the level below.
        suffixes: int32 `[M]`, row of all words but the first in the level below.
        occurrences: int32 `[M]`, how often the n-gram occurs.
        begins: bool `[M]`, whether the first word is `<s>`.
    """

    words: NDArray[np.int32]
    parents: NDArray[np.int32]
    suffixes: NDArray[np.int32]
    occurrences: NDArray[np.int32]
    begins: NDArray[np.bool_]


class _WordIds(dict[str, int]):
    """Gives the next id to a word that it does not know."""

    def __missing__(self, word: str) -> int:
        self[word] = len(self)
        return len(self) - 1


def read_tokens(
    lines: Iterable[str], vocabulary: Sequence[str]
) -> tuple[NDArray[np.int32], list[str]]:
    """The text as ids, each sentence between `<s>` and `</s>`; and the words by id.

    Ids begin with the special words, then the vocabulary; other words follow as they occur.

    Raises:
        SpeechError: a line holds a special word, or there are no lines.
    """
    ids = _WordIds((word, index) for index, word in enumerate([*SPECIAL_WORDS, *vocabulary]))
    chunks = [_chunk_ids(chunk, ids, first) for first, chunk in _chunked(lines)]
    if not chunks:
        raise SpeechError("text for a language model: expected sentences, found no line")
    return np.concatenate(chunks), list(ids)


def _chunked(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Lists of lines, with the 1-based number of the first of each."""
    iterator = iter(lines)
    first = 1
    while chunk := list(islice(iterator, _LINES_PER_CHUNK)):
        yield first, chunk
        first += len(chunk)


def _chunk_ids(lines: list[str], ids: _WordIds, first_line: int) -> NDArray[np.int32]:
    for offset, line in enumerate(lines):
        if "<" in line and (special := set(SPECIAL_WORDS).intersection(line.split())):
            place = f"text for a language model, line {first_line + offset}"
            raise SpeechError(f"{place}: expected words, found {special.pop()}")
    between = f" {END} {BEGIN} "
    words = f"{BEGIN} {between.join(lines)} {END}".split()
    return np.fromiter(map(ids.__getitem__, words), dtype=np.int32, count=len(words))


def count_ngrams(tokens: NDArray[np.int32], num_words: int, order: int) -> list[CountedLevel]:
    """Count the n-grams of orders 1 to `order` in a text.

    N-grams do not cross sentences and hold one `<s>` at most, as their first word. Works one order
    at a time with the row, in the order below, of the n-gram that ends at each position.

    Args:
        tokens: `[N]` word ids, sentences between `<s>` and `</s>` (see `read_tokens`).
        num_words: number of words; row i of the unigrams is word i, occurring or not.
        order: the highest order.
    """
    begin = SPECIAL_WORDS.index(BEGIN)
    words = np.arange(num_words, dtype=np.int32)
    none = np.full(num_words, -1, dtype=np.int32)
    occurrences = np.bincount(tokens, minlength=num_words).astype(np.int32)
    levels = [CountedLevel(words, none, none, occurrences, words == begin)]
    rows = tokens
    for n in range(2, order + 1):
        level, rows = _next_level(tokens, rows, levels[-1].begins, begin, last=n == order)
        levels.append(level)
    return levels


def _next_level(
    tokens: NDArray[np.int32],
    rows: NDArray[np.int32],
    begins: NDArray[np.bool_],
    begin: int,
    *,
    last: bool,
) -> tuple[CountedLevel, NDArray[np.int32]]:
    """N-grams one word longer than those whose row ends at each position (-1: none does)."""
    ends = np.flatnonzero((rows[:-1] >= 0) & (tokens[1:] != begin)).astype(np.int32) + 1
    keys = trie_keys(rows[ends - 1], tokens[ends])
    by_key = np.argsort(keys)
    keys = keys[by_key]
    ends = ends[by_key]  # positions, those of one n-gram together
    del by_key
    is_first = np.ones(len(keys), dtype=np.bool_)
    is_first[1:] = keys[1:] != keys[:-1]
    first = np.flatnonzero(is_first)
    occurrences = np.diff(first, append=len(keys)).astype(np.int32)
    keys = keys[first]
    parents = (keys >> 32).astype(np.int32)
    words = (keys & 0xFFFFFFFF).astype(np.int32)
    del keys
    level = CountedLevel(words, parents, rows[ends[first]], occurrences, begins[parents])
    if last:
        return level, rows
    del first
    new_rows = np.full(len(tokens), -1, dtype=np.int32)
    new_rows[ends] = np.cumsum(is_first, dtype=np.int32) - 1
    return level, new_rows
