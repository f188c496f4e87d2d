"""Pronunciations of words that a dictionary lacks, from the words that it has.

CMU's dictionary has `rumor`, `watch`, `maker` and `of`, but not `rumoured`, `watchmaker` or
`whereof`. Such a word is taken apart (an ending and its stem, a beginning and the rest, a word in
another spelling, and these on top of each other) and its parts are joined as the dictionary joins
them: how `ed` sounds after T, or whether `ton` is an ending at all, is counted there, not written
down here. Every way to take a word apart has a reliability, the share of like words of the
dictionary that it gets right. The most reliable way is taken, and a word without a good one is
left alone.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from data.errors import UsageError
from data.lexicon import Lexicon, Pronunciation

Phones = tuple[str, ...]

MIN_RELIABILITY = 0.5
"""Words whose best derivation is less reliable get none (`extended_lexicon`)."""

MAX_STEPS = 3
"""Ways applied one on top of the other: un + (colour > color) + ed are three."""

MAX_VARIANTS = 3
"""Pronunciations kept of one word, those of its stem's first variants."""

_MIN_WORD = 4  # letters
_MIN_STEM = 3
_MIN_KEPT = 2  # phones of the stem that are heard in the word, or it is not its stem
_MAX_LOST = 2  # phones of the stem that are not heard: IY of `easy` in `easily`
_PRIOR_COUNT = 2.0  # what a coarser share weighs beside the counts of a finer one
_SPELLING_PRIOR = 0.75  # share of respellings that keep the sound, before any is counted
# Stems that are derived themselves: only behind ways that hold widely, only good ones, and not at
# all where a listed stem leaves no doubt.
_PRODUCTIVE_COUNT = 100
_PRODUCTIVE_SHARE = 0.85
_STEM_RELIABILITY = 0.5
_BEYOND_DOUBT = 0.9

# British and older spellings and how the dictionary may have them: patterns and replacements.
_RESPELLINGS = tuple(
    (re.compile(old), new)
    for old, new in (
        (r"([aeiouy][^aeiou]+)our", r"\1or"),
        (r"is(e|ing|ation|able)", r"iz\1"),
        (r"ys(e|ing)", r"yz\1"),
        (r"([bcdght])re(s?|d)$", r"\1er\2"),
        (r"([aeiou])([lgptsn])\2", r"\1\2"),
        (r"([aeiou])l(ful|ment|)$", r"\1ll\2"),
        (r"ence$", "ense"),
        (r"ogue", "og"),
        (r"ae|oe", "e"),
        (r"xion", "ction"),
        (r"mould", "mold"),
        (r"plough", "plow"),
        (r"grey", "gray"),
        (r"enq", "inq"),
        (r"'d$", "ed"),
        (r"e'e", "eve"),
    )
)
# Monosyllables that would double their last letter: the stem of `hoping` is not `hop`.
_SHORT = re.compile(r"[^aeiouy]*(?:qu)?[aeiouy][^aeiouywx]")


class _Way(NamedTuple):
    """A way to take a word apart.

    Attributes:
        rule: its name.
        stem: what has to have a pronunciation.
        part: the ending or beginning; none where the stem is the word in another spelling.
        at_front: the part is a beginning. Then phones are handled in reverse, so that it is an
            ending to everything below.
        is_plain: stem and part in a row are the word.
    """

    rule: str
    stem: str
    part: str
    at_front: bool = False
    is_plain: bool = False


class _Change(NamedTuple):
    """What happens at the end of a stem's phones."""

    lost: Phones
    added: Phones

    def apply(self, stem: Phones) -> Phones:
        """Phones of the word, or none where the stem does not end in what is lost."""
        kept = len(stem) - len(self.lost)
        return stem[:kept] + self.added if stem[kept:] == self.lost and kept > 0 else ()


@dataclass(frozen=True)
class Derived:
    """How a word is said, on what ground.

    Attributes:
        rule: the outermost way, such as `-ing`, `e-ing` (after a stem in e), `un-`, `ogue>og`.
        reliability: share of like cases in the dictionary that come out right, in (0, 1).
        pronunciations: at least one.
    """

    rule: str
    reliability: float
    pronunciations: tuple[Phones, ...]


def extended_lexicon(
    lexicon: Lexicon, words: Iterable[str], min_reliability: float = MIN_RELIABILITY
) -> Lexicon:
    """The lexicon and derived pronunciations of those of the words that it lacks.

    Args:
        lexicon: ARPAbet without stress, such as `data.lexicon.english_lexicon`.
        words: lower-case words; those without a good derivation are left out.
        min_reliability: see `Derived.reliability`.

    Raises:
        UsageError: min_reliability is not in [0, 1].
    """
    if not 0.0 <= min_reliability <= 1.0:
        raise UsageError(f"min_reliability: expected 0 to 1, found {min_reliability}")
    derivation = Derivation(lexicon)
    entries = list(lexicon)
    for word in words:
        if word not in lexicon:
            derived = derivation.derive(word)
            if derived and derived.reliability >= min_reliability:
                entries += (Pronunciation(word, phones) for phones in derived.pronunciations)
    return Lexicon(entries)


class Derivation:
    """Ways to derive words, each as reliable as the words of a lexicon make it.

    Accuracy of the likeliest pronunciation of words that were taken out of CMU's dictionary
    (`benchmarks/pronunciations.py`; those that occur in books, but not often):

    | reliability at least | words derived | exactly right | phone errors |
    |---|---|---|---|
    | 0.9 | 36 % | 93 % | 1.2 % |
    | 0.7 | 62 % | 87 % | 2.8 % |
    | 0.5 | 78 % | 82 % | 4.2 % |
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self._listed: dict[str, tuple[Phones, ...]] = {
            word: tuple(entry.phones for entry in lexicon[word]) for word in lexicon.words
        }
        # How often each change goes with a rule, and with a rule beside a phone; None counts the
        # words that are no small change of the stem.
        self._outcomes: dict[Hashable, Counter[_Change | None]] = defaultdict(Counter)
        # By the lengths of two listed words in a row: how often both keep their sound, and cases.
        self._compounds: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
        for word, pronunciations in self._listed.items():
            self._learn(word, pronunciations[0])
        self._productive = frozenset(
            rule
            for rule, outcomes in self._outcomes.items()
            if isinstance(rule, str) and _is_productive(outcomes)
        )
        self._cached: dict[Hashable, tuple[_Change, float] | None] = {}
        self._known: dict[tuple[str, int], Derived | None] = {}

    def derive(self, word: str, steps: int = MAX_STEPS) -> Derived | None:
        """The most reliable derivation from other words, none if there is no way at all.

        Args:
            word: lower case, in the lexicon or not.
            steps: ways that may be applied on top of each other.
        """
        if len(word) < _MIN_WORD or steps < 1:
            return None
        key = word, steps
        if key not in self._known:
            found = max(self._candidates(word, steps), key=lambda d: d.reliability, default=None)
            self._known[key] = found
        return self._known[key]

    def _candidates(self, word: str, steps: int) -> list[Derived]:
        ways = tuple(_ways(word))
        found = [
            derived
            for way in ways
            if way.stem in self._listed and (derived := self._joined(way, self._listed[way.stem]))
        ]
        if steps == 1 or any(derived.reliability >= _BEYOND_DOUBT for derived in found):
            return found
        for way in ways:
            if way.rule in self._productive and way.stem not in self._listed:
                stem = self.derive(way.stem, steps - 1)
                if stem and stem.reliability >= _STEM_RELIABILITY:
                    derived = self._joined(way, stem.pronunciations, stem.reliability)
                    found += [derived] if derived else []
        return found

    def _joined(
        self, way: _Way, stems: tuple[Phones, ...], reliability: float = 1.0
    ) -> Derived | None:
        """Pronunciations of the word from those of the stem, which are as reliable as that."""
        if way.at_front:
            stems = tuple(stem[::-1] for stem in stems)
        likeliest = self._likeliest(way, stems[0])
        if likeliest is None:
            return None
        change, share = likeliest
        found = tuple(dict.fromkeys(filter(None, map(change.apply, stems))))[:MAX_VARIANTS]
        if way.at_front:
            found = tuple(phones[::-1] for phones in found)
        return Derived(way.rule, reliability * share, found) if found else None

    def _likeliest(self, way: _Way, stem: Phones) -> tuple[_Change, float] | None:
        """The likeliest change and its share."""
        key = _keys(way, stem)[1], _lengths(way)
        if key not in self._cached:
            shares = self._shares(way, stem)
            best = max(shares, key=lambda change: (shares[change], change), default=None)
            self._cached[key] = None if best is None else (best, shares[best])
        return self._cached[key]

    def _shares(self, way: _Way, stem: Phones) -> dict[_Change, float]:
        """Shares of the changes that go with a way: finer counts smoothed with coarser ones."""
        shares: dict[_Change, float] = {}
        if not way.part:
            shares[_Change((), ())] = _SPELLING_PRIOR
        elif self._is_compound(way):
            right, cases = self._compounds.get(_lengths(way), (0, 0))
            part = self._listed[way.part][0]
            added = part[::-1] if way.at_front else part
            shares[_Change((), added)] = right / (cases + _PRIOR_COUNT)
        for key in _keys(way, stem):
            outcomes = self._outcomes.get(key)
            if outcomes is None:
                break
            total = outcomes.total() + _PRIOR_COUNT
            shares = {change: _PRIOR_COUNT * share / total for change, share in shares.items()}
            for change, count in outcomes.items():
                if change is not None:
                    shares[change] = shares.get(change, 0.0) + count / total
        return shares

    def _learn(self, word: str, phones: Phones) -> None:
        for way in _ways(word):
            stems = self._listed.get(way.stem)
            if stems is None:
                continue
            whole = phones
            if way.at_front:
                whole, stems = phones[::-1], tuple(stem[::-1] for stem in stems)
            kept, stem = max((_common(stem, whole), stem) for stem in stems)
            change = None
            if kept >= _MIN_KEPT and len(stem) - kept <= _MAX_LOST:
                change = _Change(stem[kept:], whole[kept:])
            for key in _keys(way, stem):
                self._outcomes[key][change] += 1
            if self._is_compound(way) and not way.at_front:
                parts = self._listed[way.part]
                cell = self._compounds[_lengths(way)]
                cell[0] += any(change == _Change((), part) for part in parts)
                cell[1] += 1

    def _is_compound(self, way: _Way) -> bool:
        return way.is_plain and len(way.part) >= _MIN_STEM and way.part in self._listed


def _ways(word: str) -> Iterator[_Way]:
    """All ways, without regard to whether the stem is a word."""
    for cut in range(len(word) - 1, _MIN_STEM - 2, -1):
        rest, part = word[:cut], word[cut:]
        if part == "'d":
            continue  # after a verb it is `ed` and not the ending of `he'd`: see the respellings
        if cut >= _MIN_STEM:
            yield _Way("-" + part, rest, part, is_plain=True)
            if rest[-1] == "i":
                yield _Way("y-" + part, rest[:-1] + "y", part)
            elif rest[-1] == "v":
                yield _Way("f-" + part, rest[:-1] + "f", part)
                yield _Way("fe-" + part, rest[:-1] + "fe", part)
            elif rest[-1] == rest[-2] and cut > _MIN_STEM:
                yield _Way("double-" + part, rest[:-1], part)
        if part[0] in "aeiouy":
            yield _Way("e-" + part, rest + "e", part)
            if rest[-1] == "l":
                yield _Way("le-" + part, rest[:-1] + "le", part)
    for cut in range(1, len(word) - _MIN_STEM + 1):
        yield _Way(word[:cut] + "-", word[cut:], word[:cut], at_front=True, is_plain=True)
    for old, new in _RESPELLINGS:
        for match in old.finditer(word):
            other = word[: match.start()] + match.expand(new) + word[match.end() :]
            yield _Way(f"{old.pattern}>{new}", other, "")


def _keys(way: _Way, stem: Phones) -> tuple[Hashable, Hashable]:
    """What outcomes are counted by, coarse and fine."""
    short = way.is_plain and not way.at_front and _SHORT.fullmatch(way.stem) is not None
    return way.rule, (way.rule, stem[-1], short)


def _lengths(way: _Way) -> tuple[int, int]:
    """Letters of the first and of the second part, as far as they matter."""
    lengths = min(len(way.stem), 6), min(len(way.part), 6)
    return lengths[::-1] if way.at_front else lengths


def _is_productive(outcomes: Counter[_Change | None]) -> bool:
    total = outcomes.total()
    return total >= _PRODUCTIVE_COUNT and outcomes[None] <= (1 - _PRODUCTIVE_SHARE) * total


def _common(one: Phones, two: Phones) -> int:
    """Length of the longest common prefix."""
    for index, (a, b) in enumerate(zip(one, two, strict=False)):
        if a != b:
            return index
    return min(len(one), len(two))
