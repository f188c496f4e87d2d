"""Words that are said letter by letter."""

from __future__ import annotations

import re

Phones = tuple[str, ...]

_NAMES: dict[str, Phones] = {
    letter: tuple(phones.split())
    for letter, phones in (
        ("a", "EY"),
        ("b", "B IY"),
        ("c", "S IY"),
        ("d", "D IY"),
        ("e", "IY"),
        ("f", "EH F"),
        ("g", "JH IY"),
        ("h", "EY CH"),
        ("i", "AY"),
        ("j", "JH EY"),
        ("k", "K EY"),
        ("l", "EH L"),
        ("m", "EH M"),
        ("n", "EH N"),
        ("o", "OW"),
        ("p", "P IY"),
        ("q", "K Y UW"),
        ("r", "AA R"),
        ("s", "EH S"),
        ("t", "T IY"),
        ("u", "Y UW"),
        ("v", "V IY"),
        ("w", "D AH B AH L Y UW"),
        ("x", "EH K S"),
        ("y", "W AY"),
        ("z", "Z IY"),
    )
}
# No vowel, and no letter twice in a row: "shh" and "brr" are sounds, "kgb" is an abbreviation.
_SPELLED = re.compile(r"(?!.*(.)\1)[b-df-hj-np-tv-xz]{2,5}")


def spelled(word: str) -> Phones:
    """The names of a word's letters in ARPAbet without stress; none if one is not of a to z."""
    if any(letter not in _NAMES for letter in word):
        return ()
    return tuple(phone for letter in word for phone in _NAMES[letter])


def is_abbreviation(word: str) -> bool:
    """Whether a lower-case word can only be said letter by letter: `kgb`, `mpls`."""
    return _SPELLED.fullmatch(word) is not None
