"""English text to the words that a reader speaks.

Words are in lower case, of a-z with apostrophes inside; numbers and abbreviations are spelled out;
everything else is dropped.
"""

from __future__ import annotations

import re
import unicodedata

from recognizer.data.text.english.abbreviations import BARE, NEEDS_CARE, expand_abbreviations
from recognizer.data.text.english.numbers import spell_numbers

_LIKE_APOSTROPHES = "\u2018\u2019\u201b\u02bc\u02b9\u2032\u00b4`"
_FOLDED = str.maketrans(
    {
        **dict.fromkeys(_LIKE_APOSTROPHES, "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2013\u2212", "-"),
        **dict.fromkeys("\u2012\u2014\u2015", "--"),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad"),
        "\u2026": "...",
        "æ": "ae",
        "Æ": "AE",
        "œ": "oe",
        "Œ": "OE",
        "ø": "o",
        "Ø": "O",
        "ł": "l",
        "Ł": "L",
        "đ": "d",
        "ð": "th",
        "Ð": "Th",
        "þ": "th",
        "Þ": "Th",
        "ß": "ss",
        "\u0131": "i",
        "½": " 1/2 ",
        "¼": " 1/4 ",
        "¾": " 3/4 ",
        "⅓": " 1/3 ",
        "⅔": " 2/3 ",
        "⅛": " 1/8 ",
    }
)
_SYMBOLS = str.maketrans({"%": " per cent ", "°": " degrees ", "@": " at ", "&": " and "})
_NUMBER_SIGN = re.compile(r"#(?=\s?[0-9])")

_POINT_BEFORE_ENDING = re.compile(r"(?<=[A-Za-z])\.(?='(?:s|d|ll|re|ve)\b)")

# Every ASCII character to itself in lower case, a space or (within words) the apostrophe.
_ONLY_WORDS = "".join(
    chr(code).lower() if chr(code).isalpha() or chr(code) == "'" else " " for code in range(128)
)
_EDGE_APOSTROPHES = re.compile(r"(?<![a-z])'+|'+(?![a-z])")
_WORDS_ALREADY = re.compile(r"[a-z' ]*")
_CARE_FOR_SYMBOLS = re.compile(r"[%@#$\u00b0\u00a3\u20ac]")


def normalize(text: str) -> str:
    """The words of an English text as they are spoken, in lower case with single spaces.

    Numbers become words, abbreviations (Mr., St., &c., Louis XIV) are written out, accents are
    folded, hyphens part words, apostrophes stay inside words and go from their edges, characters
    of other scripts are dropped. The result holds only a-z, apostrophes and single spaces; it is
    its own normal form.
    """
    if not text.isascii():
        text = fold(text)
    if "_" in text:
        text = text.replace("_", "")
    if ".'" in text:
        text = _POINT_BEFORE_ENDING.sub("", text)
    if not _WORDS_ALREADY.fullmatch(text) and (
        NEEDS_CARE.search(text) or _CARE_FOR_SYMBOLS.search(text)
    ):
        text = expand_abbreviations(text)
        text = _NUMBER_SIGN.sub(" number ", text)
        text = spell_numbers(text)
        text = text.translate(_SYMBOLS)
    if not text.isascii():
        text = text.encode("ascii", "replace").decode("ascii")
    text = text.translate(_ONLY_WORDS)
    if "'" in text:
        text = _EDGE_APOSTROPHES.sub(" ", text)
    words = text.split()
    if not BARE.keys().isdisjoint(words):
        words = [BARE.get(word, word) for word in words]
    return " ".join(words)


def fold(text: str) -> str:
    """Typographic quotes, dashes and accented letters to plain ASCII ones where there are such.

    Underscores and layout stay. Characters without a plain form stay as they are.
    """
    text = text.translate(_FOLDED)
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char))
