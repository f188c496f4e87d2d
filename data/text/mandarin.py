"""Rules for Mandarin: characters are words, so word error rates are character error rates.

- Forms of one character that differ in width only are one: text is in Unicode's compatibility form
  (NFKC), which writes full-width letters and digits as ordinary ones.
- Every ideograph is a word of its own. Words of Latin letters among them, and numerals, are words
  by the rules of `recognizer.data.text.unicode`, which say what is punctuation, too.
- Nothing is spelled out, and traditional characters stay apart from simplified ones.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from recognizer.data.text.characters import IDEOGRAPH
from recognizer.data.text.rules import TextRules
from recognizer.data.text.unicode import UnicodeRules

_APART = re.compile(f"([{IDEOGRAPH}])")


@dataclass(frozen=True)
class MandarinRules(UnicodeRules):
    """See the module."""

    def normalize(self, text: str) -> str:
        """Characters and words, with single spaces between them; its own normal form."""
        return super().normalize(_APART.sub(r" \1 ", unicodedata.normalize("NFKC", text)))

    def entry_word(self, word: str) -> str:
        """See `TextRules.entry_word`; entries of several characters stay whole."""
        return super().entry_word(unicodedata.normalize("NFKC", word))


MANDARIN: TextRules = MandarinRules("mandarin")
