"""What written text has beside its words: capital letters, and marks of punctuation."""

from __future__ import annotations

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
