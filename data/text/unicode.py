"""Rules for any language whose words stand apart, by the properties of Unicode characters.

- Text is in Unicode's composed form (NFC) and in lower case. Lower case is by Unicode's own
  mapping, not by case folding, which would change letters that readers tell apart: "ß" stays "ß",
  and a final sigma stays "ς". "İ" becomes "i" without the combining point that the mapping leaves.
- Words are made of letters (category L), their marks (M) and numerals (N) of every script.
- Within a word stand apostrophes ("l'été"), hyphens ("peut-être", "кто-то"), the middle dot of
  Catalan ("col·lecció"), the gershayim of Hebrew, and the joiners of Indic scripts and of Persian.
  Each sign has one form, whichever of its several characters was typed. At the edges of a word
  such signs are dropped. Everything else separates words.
- Nothing is spelled out: numbers and abbreviations stay as they are written. A point or a comma
  between two digits is part of the number ("1,234.5").

Scripts that are written without spaces between words need rules of their own: Chinese has them
(`recognizer.data.text.mandarin`), Japanese and Thai do not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from recognizer.data.errors import SpeechError
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation
from recognizer.data.text.rules import TextRules
from recognizer.data.text.transcripts import is_tag

APOSTROPHES = "\u2018\u2019\u201b\u02bc\u02b9\u2032\u00b4`\u05f3\uff07"
"""Characters that are written for an apostrophe."""

HYPHENS = "\u2010\u2011\u2212\u058a\u05be\ufe63\uff0d"
"""Characters that are written for a hyphen; dashes are not among them, they separate words."""

# Soft hyphens, marks of direction, the byte order mark, variation selectors and the Arabic letter
# that only lengthens a line are no part of a word, and do not separate words either.
_DROPPED = (
    "\u00ad\u034f\u061c\u0640\u200e\u200f\u2060\ufeff"
    + "".join(map(chr, range(0x202A, 0x202F)))
    + "".join(map(chr, range(0x2066, 0x206A)))
    + "".join(map(chr, range(0xFE00, 0xFE10)))
)
_UNIFIED = str.maketrans(
    {**dict.fromkeys(APOSTROPHES, "'"), **dict.fromkeys(HYPHENS, "-"), **dict.fromkeys(_DROPPED)}
)
_POINT_OF_NUMBER = re.compile(r"((?<=\d)[.,](?=\d))")
_WITHIN = "'-\u00b7\u05f4\u200c\u200d"


class _Kept(dict[int, int]):
    """A table for `str.translate`: what is no part of a word becomes a space."""

    def __missing__(self, code: int) -> int:
        char = chr(code)
        kept = char in _WITHIN or unicodedata.category(char)[0] in "LMN"
        self[code] = code if kept else 0x20
        return self[code]


_KEPT = _Kept()


@dataclass(frozen=True)
class UnicodeRules:
    """Rules by the properties of Unicode characters; see the module.

    Attributes:
        name: of the rule set.
        digits: "keep" numerals as parts of words, or "refuse" a text that has any: where numbers
            have to be written out, a forgotten one is then an error and not an unknown word.
        dotless_i: whether "I" is the capital of the letter i without a point, as in Turkish and
            Azerbaijani.
    """

    name: str
    digits: Literal["keep", "refuse"] = "keep"
    dotless_i: bool = False

    def normalize(self, text: str) -> str:
        """The words of a text, see the module; the result is its own normal form.

        Raises:
            SpeechError: a word has a numeral and these rules refuse numerals.
        """
        # Every other piece is a point or comma within a number.
        pieces = _POINT_OF_NUMBER.split(self._written(text))
        pieces[::2] = [piece.translate(_KEPT) for piece in pieces[::2]]
        words = "".join(pieces).replace("--", " ").split()
        trimmed = " ".join(filter(None, map(_trimmed, words)))
        if self.digits == "refuse":
            for word in trimmed.split():
                if any(unicodedata.category(char)[0] == "N" for char in word):
                    raise SpeechError(f"expected numbers written out in words, found {word!r}")
        return trimmed

    def is_word(self, token: str) -> bool:
        """Whether a token without white space is one word in its normal form."""
        try:
            return bool(token) and self.normalize(token) == token
        except SpeechError:
            return False

    def entry_word(self, word: str) -> str:
        """The word of a lexicon's entry as transcripts have it, see `TextRules.entry_word`."""
        if is_tag(word):
            return word.lower()
        written = self._written(word)
        return _trimmed(written) or written or word

    def entry_phone(self, phone: str) -> str:
        """The phone as it is: tones and stress tell phones apart in many languages."""
        return phone

    def dictionary(self) -> Lexicon | None:
        """None: no dictionary comes with this package."""
        return None

    def with_stress(self, entries: Iterable[Pronunciation]) -> Iterable[Pronunciation]:
        """The entries as they are: no dictionary says how they are stressed."""
        return entries

    def derive(self, words: Iterable[str], lexicon: Lexicon) -> Lexicon:
        """No words: how a language derives words is not a property of characters."""
        return Lexicon(())

    def spell(self, word: str) -> tuple[str, ...]:
        """None: what letters are called is not a property of characters."""
        return ()

    def _written(self, text: str) -> str:
        """The text with one form of each sign, in lower case and composed."""
        text = unicodedata.normalize("NFC", text.translate(_UNIFIED))
        if self.dotless_i:
            text = text.replace("I", "\u0131").replace("\u0130", "i")
        return unicodedata.normalize("NFC", text.lower().replace("i\u0307", "i"))


def _trimmed(word: str) -> str:
    """A word without signs and lone marks at its edges; empty if it has no letter or numeral."""
    word = word.rstrip(_WITHIN)
    start = next((i for i, c in enumerate(word) if unicodedata.category(c)[0] in "LN"), len(word))
    return word[start:]


UNICODE: TextRules = UnicodeRules("unicode")
UNICODE_NO_DIGITS: TextRules = UnicodeRules("unicode-no-digits", digits="refuse")
TURKISH: TextRules = UnicodeRules("turkish", dotless_i=True)
