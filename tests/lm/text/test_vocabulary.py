from __future__ import annotations

import pytest

from recognizer.data.errors import UsageError
from recognizer.lm.text.vocabulary import choose, count_words

LINES = ["the old fox", "the fox", "", "the dog", "a dog"]


def test_counts() -> None:
    counts = count_words(LINES)
    assert counts == {"the": 3, "fox": 2, "dog": 2, "old": 1, "a": 1}


def test_most_frequent_first_and_ties_in_alphabetical_order() -> None:
    assert choose(count_words(LINES)) == ("the", "dog", "fox", "a", "old")


def test_limits() -> None:
    counts = count_words(LINES)
    assert choose(counts, size=2) == ("the", "dog")
    assert choose(counts, min_count=2) == ("the", "dog", "fox")
    assert choose(counts, {"fox", "old", "cat"}) == ("fox", "old")
    with pytest.raises(UsageError, match="expected at least 1, found 0"):
        choose(counts, size=0)
