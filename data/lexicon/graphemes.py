"""Graphemic pronunciations: words spelled out, each letter a phone.

The rules, for any script:

- A word is put into Unicode's composed form (NFC) and lower case; "é" is one letter, whether it was
  written as one character or as two.
- Each letter (Unicode category L) is a phone, and so is each mark (M) that composition leaves, such
  as the vowel signs of Indic scripts.
- Anything else, such as apostrophes in their several forms, hyphens and points, has no sound of its
  own and is dropped.
- A word with a digit or another numeral (N) is not spoken as it is written. It has no graphemic
  pronunciation, and neither has a word without a letter.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from recognizer.data.errors import SpeechError
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation

_APOSTROPHES = "\u02bb\u02bc\u02bd\u02be\u02bf\u02c8\u02b9"
"""Modifier letters (category Lm) that are written for apostrophes and accents."""


@dataclass(frozen=True)
class GraphemicLexicon:
    """What came of a list of words.

    Attributes:
        lexicon: the words that can be spelled.
        without: the others, in their order.
    """

    lexicon: Lexicon
    without: tuple[str, ...]


def graphemes(word: str) -> tuple[str, ...]:
    """The letters of a word as phones; none if it cannot be spelled (see the module)."""
    found = []
    for char in unicodedata.normalize("NFC", unicodedata.normalize("NFC", word).lower()):
        category = unicodedata.category(char)[0]
        if category == "N":
            return ()
        if category in "LM" and char not in _APOSTROPHES:
            found.append(char)
    # A mark changes the sound of a letter: without one there is nothing to say.
    return tuple(found) if any(map(str.isalpha, found)) else ()


def graphemic_lexicon(words: Iterable[str]) -> GraphemicLexicon:
    """Graphemic pronunciations of words (or of pieces of words), one each.

    Raises:
        SpeechError: no word can be spelled.
    """
    spelled, without = [], []
    for word in dict.fromkeys(words):
        letters = graphemes(word)
        if letters:
            spelled.append(Pronunciation(word, letters))
        else:
            without.append(word)
    if not spelled:
        found = f"none, such as {without[0]!r}" if without else "no word at all"
        raise SpeechError(f"graphemic lexicon: expected words with letters, found {found}")
    return GraphemicLexicon(Lexicon(spelled), tuple(without))
