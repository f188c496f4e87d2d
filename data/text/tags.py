"""What written text has beside its words: capital letters, and marks of punctuation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

MARKS = ("", ",", ".", "?", "!", ";", ":")
"""What may follow a word; nothing comes first."""

SENTENCE_ENDS = (".", "?", "!")
"""The marks after which a sentence begins."""

CASES = ("lower", "capital", "upper")
"""How a word's letters are written: all small; the first one large (also "I"); all large (NATO)."""


class TaggedWord(NamedTuple):
    """A word as it is spoken, and how it is written.

    Attributes:
        word: in the normal form of the text rules.
        mark: that follows, one of `MARKS`.
        case: of its letters, one of `CASES`.
    """

    word: str
    mark: str
    case: str

    @property
    def ends_sentence(self) -> bool:
        """Whether a sentence ends with the word."""
        return self.mark in SENTENCE_ENDS


def with_sentence_capitals(
    tagged: Iterable[TaggedWord], *, begins_sentence: bool
) -> list[TaggedWord]:
    """Words of which those at the beginning of a sentence are not in small letters alone.

    Args:
        tagged: the words.
        begins_sentence: whether the first one begins a sentence.
    """
    found = []
    for word in tagged:
        begins = begins_sentence and word.case == "lower"
        found.append(word._replace(case="capital") if begins else word)
        begins_sentence = word.ends_sentence
    return found
