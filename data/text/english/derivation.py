"""Pronunciations of derived English words out of those of their parts.

A dictionary lists `labour` under its American spelling, `watch` and `maker`, `reproach`, but not
`laboured`, `watchmaker` or `reproached`. Where English only puts sounds together (possessives,
inflection, suffixes and prefixes that leave the stem alone, British spelling, compounds), so do
the rules here. Words without a vowel (`kgb`) are spelled. Words whose stem would change its sound
(`electric`, `electricity`) and names are left to the dictionary.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation
from recognizer.data.text.english.letters import Phones, is_abbreviation, spelled

MAX_PARTS = 3
"""Rules applied one on top of the other: un + seam + ed is three parts."""

_SIBILANTS = frozenset(("S", "Z", "SH", "ZH", "CH", "JH"))
_VOICELESS = frozenset(("P", "T", "K", "F", "TH"))
_VOWEL_LETTERS = frozenset("aeiou")

# Suffixes that only add their sound.
_SUFFIXES: dict[str, Phones] = {
    "ing": ("IH", "NG"),
    "ings": ("IH", "NG", "Z"),
    "er": ("ER",),
    "ers": ("ER", "Z"),
    "est": ("AH", "S", "T"),
    "eth": ("IH", "TH"),
    "ly": ("L", "IY"),
    "y": ("IY",),
    "ish": ("IH", "SH"),
    "ness": ("N", "AH", "S"),
    "less": ("L", "AH", "S"),
    "ful": ("F", "AH", "L"),
    "fully": ("F", "AH", "L", "IY"),
    "fulness": ("F", "AH", "L", "N", "AH", "S"),
    "ment": ("M", "AH", "N", "T"),
    "able": ("AH", "B", "AH", "L"),
    "ably": ("AH", "B", "L", "IY"),
    "ship": ("SH", "IH", "P"),
    "hood": ("HH", "UH", "D"),
    "like": ("L", "AY", "K"),
    "some": ("S", "AH", "M"),
    "ward": ("W", "ER", "D"),
    "wards": ("W", "ER", "D", "Z"),
    "man": ("M", "AH", "N"),
    "men": ("M", "EH", "N"),
    "ism": ("IH", "Z", "AH", "M"),
    "ist": ("IH", "S", "T"),
    "ists": ("IH", "S", "T", "S"),
}

_PREFIXES: dict[str, Phones] = {
    "un": ("AH", "N"),
    "in": ("IH", "N"),
    "im": ("IH", "M"),
    "ir": ("IH",),
    "dis": ("D", "IH", "S"),
    "mis": ("M", "IH", "S"),
    "re": ("R", "IY"),
    "non": ("N", "AA", "N"),
    "over": ("OW", "V", "ER"),
    "under": ("AH", "N", "D", "ER"),
    "out": ("AW", "T"),
    "fore": ("F", "AO", "R"),
    "inter": ("IH", "N", "T", "ER"),
    "super": ("S", "UW", "P", "ER"),
    "be": ("B", "IH"),
    "en": ("EH", "N"),
}

# Listed (as names or abbreviations), but at a word's end they are endings with other sounds.
_NEVER_SECOND = frozenset(
    re.findall(
        r"\w+",
        "ity ion ous ial ian ate ive ine ure age ance ence ary ory ant ent tion sion ette ious "
        "ation able ally ics",
    )
)
_ADVERB = re.compile(r"(where|there|here)(of|in|on|to|at|by|unto|upon|with)")

# British and older spellings to the dictionary's; each is tried at every place it occurs.
_RESPELLINGS = (
    ("our", "or"),
    ("ise", "ize"),
    ("isi", "izi"),
    ("isa", "iza"),
    ("yse", "yze"),
    ("tre", "ter"),
    ("ence", "ense"),
    ("ogue", "og"),
    ("ae", "e"),
    ("oe", "e"),
    ("gg", "g"),
    ("ll", "l"),
    ("l", "ll"),
    ("pp", "p"),
    ("tt", "t"),
    ("ss", "s"),
    ("xion", "ction"),
    ("mould", "mold"),
    ("plough", "plow"),
    ("grey", "gray"),
    ("enq", "inq"),
    ("'d", "ed"),
    ("e'e", "eve"),
    ("v'n", "ven"),
)


def derived_lexicon(words: Iterable[str], lexicon: Lexicon) -> Lexicon:
    """Pronunciations for those of the words that the lexicon lacks and the rules reach.

    Args:
        words: lower-case words; those in the lexicon are left out.
        lexicon: ARPAbet without stress, such as
            `recognizer.data.text.english.dictionary.english_lexicon`.

    Returns:
        A lexicon of new words only: merge it with the one it came from.
    """
    derivation = _Derivation(lexicon)
    return Lexicon(
        Pronunciation(word, phones)
        for word in words
        if word not in lexicon
        for phones in derivation.pronounce(word, MAX_PARTS - 1)
    )


class _Derivation:
    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._known: dict[tuple[str, int], tuple[Phones, ...]] = {}

    def pronounce(self, word: str, depth: int) -> tuple[Phones, ...]:
        """Pronunciations by the first rule that gives any; empty where none does."""
        if word in self._lexicon:
            return tuple(entry.phones for entry in self._lexicon[word])
        if depth > 0 and is_abbreviation(word):
            return (spelled(word),)
        if depth <= 0 or len(word) < 4:
            return ()
        key = (word, depth)
        if key not in self._known:
            self._known[key] = ()
            found = next((phones for phones in self._rules(word, depth - 1) if phones), ())
            self._known[key] = tuple(dict.fromkeys(found))
        return self._known[key]

    def _rules(self, word: str, depth: int) -> Iterator[tuple[Phones, ...]]:
        yield from self._respelled(word, depth)
        if word.endswith("'s"):
            yield tuple(_with_s(stem) for stem in self.pronounce(word[:-2], depth))
            return
        yield from self._inflected(word, depth)
        for suffix, sound in _SUFFIXES.items():
            if word.endswith(suffix) and len(word) - len(suffix) >= 3:
                stems = self._first(_stems(word[: -len(suffix)], suffix), depth)
                yield tuple(_joined(phones, sound) for phones in stems)
        yield self._compound(word)
        for prefix, sound in _PREFIXES.items():
            if word.startswith(prefix) and len(word) - len(prefix) >= 4:
                stem = word[len(prefix) :]
                yield tuple(_joined(sound, phones) for phones in self.pronounce(stem, depth))

    def _respelled(self, word: str, depth: int) -> Iterator[tuple[Phones, ...]]:
        for old, new in _RESPELLINGS:
            start = word.find(old, 1)
            while start > 0:
                yield self._listed(word[:start] + new + word[start + len(old) :])
                start = word.find(old, start + 1)

    def _listed(self, word: str) -> tuple[Phones, ...]:
        return self.pronounce(word, 0)

    def _inflected(self, word: str, depth: int) -> Iterator[tuple[Phones, ...]]:
        if word.endswith("s") and not word.endswith("ss"):
            stems = [word[:-1]]
            if word.endswith("ies"):
                stems = [word[:-3] + "y"]
            elif word.endswith("ves"):
                stems += [word[:-3] + "f"]
            elif word.endswith("es"):
                stems += [word[:-2]]
            yield tuple(_with_s(phones) for phones in self._first(stems, depth))
        if word.endswith("ed") and len(word) >= 5:
            stems = _stems(word[:-2], "ed")
            yield tuple(_with_ed(phones) for phones in self._first(stems, depth))

    def _first(self, stems: list[str], depth: int) -> tuple[Phones, ...]:
        """Of the first stem that is listed, or else can be derived."""
        found = [self._listed(stem) for stem in stems]
        found += [self.pronounce(stem, depth) for stem in stems if not any(found)]
        return next((phones for phones in found if phones), ())

    def _compound(self, word: str) -> tuple[Phones, ...]:
        """Two listed words of at least three letters, split where the shorter is longest.

        A first word in s comes last: nutshell is nut and shell.
        """
        if "'" in word:
            return ()
        adverb = _ADVERB.fullmatch(word)
        if adverb:
            return self._pairs(adverb[1], adverb[2])
        cuts = sorted(
            range(3, len(word) - 2),
            key=lambda cut: (word[cut - 1] == "s", -min(cut, len(word) - cut)),
        )
        for cut in cuts:
            if word[cut:] not in _NEVER_SECOND and (found := self._pairs(word[:cut], word[cut:])):
                return found
        return ()

    def _pairs(self, first: str, second: str) -> tuple[Phones, ...]:
        return tuple(
            _joined(one, two) for one in self._listed(first)[:2] for two in self._listed(second)[:2]
        )


def _stems(rest: str, suffix: str) -> list[str]:
    """What the stem may be called before its suffix was added."""
    if rest.endswith("i"):
        return [rest[:-1] + "y", rest]
    if suffix[0] not in "aeiouy":
        return [rest, rest + "le"] if suffix == "ly" else [rest]
    if rest[-1] in _VOWEL_LETTERS or rest[-1] in "wxy":
        return [rest, rest + "e"]
    if rest[-1] == rest[-2]:
        # hopp-ing is hop, but call-ing is call.
        return [rest, rest[:-1]] if rest[-1] in "lsfz" else [rest[:-1], rest]
    if rest[-2] in _VOWEL_LETTERS and rest[-3] not in _VOWEL_LETTERS:
        return [rest + "e", rest]  # scrap-ed is scrape, since scrap would double its p
    return [rest, rest + "e"] + ([rest + "le"] if suffix == "y" else [])


def _joined(first: Phones, second: Phones) -> Phones:
    """The two in a row; a consonant that meets itself is spoken once, as is one ER."""
    return first + second[1:] if first[-1] == second[0] and len(second) > 1 else first + second


def _with_s(stem: Phones) -> Phones:
    if stem[-1] in _SIBILANTS:
        return (*stem, "IH", "Z")
    return (*stem, "S" if stem[-1] in _VOICELESS else "Z")


def _with_ed(stem: Phones) -> Phones:
    if stem[-1] in ("T", "D"):
        return (*stem, "IH", "D")
    return (*stem, "T" if stem[-1] in _VOICELESS | {"S", "SH", "CH"} else "D")
