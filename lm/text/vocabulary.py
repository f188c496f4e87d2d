"""Which words a language model knows: by count, among those that can be pronounced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from itertools import islice

from recognizer.data.errors import UsageError
from recognizer.lm.text.text_files import split_words

_LINES_PER_CHUNK = 1 << 14


def count_words(lines: Iterable[str]) -> Counter[str]:
    """How often each word occurs."""
    counts: Counter[str] = Counter()
    iterator = iter(lines)
    while chunk := list(islice(iterator, _LINES_PER_CHUNK)):
        counts.update(split_words(" ".join(chunk)))
    return counts


def choose(
    counts: Mapping[str, int],
    allowed: Container[str] | None = None,
    *,
    size: int | None = None,
    min_count: int = 1,
) -> tuple[str, ...]:
    """The most frequent words, the most frequent first, ties in alphabetical order.

    Args:
        counts: occurrences by word.
        allowed: words that may be chosen (a lexicon); None: all.
        size: how many at most; None: all.
        min_count: words that occur less often are left out.

    Raises:
        UsageError: size is not positive.
    """
    if size is not None and size < 1:
        raise UsageError(f"size of a vocabulary: expected at least 1, found {size}")
    words = [
        word
        for word, count in counts.items()
        if count >= min_count and (allowed is None or word in allowed)
    ]
    words.sort(key=lambda word: (-counts[word], word))
    return tuple(words[:size])
