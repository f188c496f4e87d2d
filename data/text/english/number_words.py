"""English numbers in words, read back: what `recognizer.data.text.english.numbers` spells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_UNIT_NAMES = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEEN_NAMES = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS_NAMES = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_UNITS = {name: number for number, name in enumerate(_UNIT_NAMES, start=1)}
_TEENS = {name: number for number, name in enumerate(_TEEN_NAMES, start=10)}
_TENS = {name: 10 * number for number, name in enumerate(_TENS_NAMES, start=2)}

_ORDINAL_NAMES = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
]
_ORDINAL_UNITS = {name: number for number, name in enumerate(_ORDINAL_NAMES, start=1)}
_ORDINAL_TEENS = {
    {"twelve": "twelfth"}.get(name, f"{name}th"): number for name, number in _TEENS.items()
}
_ORDINAL_TENS = {f"{name[:-1]}ieth": number for name, number in _TENS.items()}

SCALES = {
    "thousand": 1_000,
    "million": 1_000_000,
    "billion": 1_000_000_000,
    "trillion": 1_000_000_000_000,
}
"""What multiplies the number of up to three digits before it."""

DIGITS = {"zero": "0", "oh": "0", **{name: str(number) for name, number in _UNITS.items()}}
"""Digits that are read one by one."""

_PLURAL_DECADES = {f"{name[:-1]}ies": number for name, number in _TENS.items()}


class NumberPhrase(NamedTuple):
    """A number at the beginning of some words.

    Attributes:
        value: of it.
        length: how many words say it.
        ordinal: whether it says which one, not how many.
    """

    value: int
    length: int
    ordinal: bool = False


def read_number(words: Sequence[str]) -> NumberPhrase | None:
    """The longest cardinal or ordinal number that the words begin with; None if they do not.

    Hundreds may be above nine ("fifteen hundred"), and "and" may stand before the last two digits.
    "hundred" or "thousand" alone is no number.
    """
    if words[:1] == ["zero"]:
        return NumberPhrase(0, 1)
    value, count, largest = 0, 0, max(SCALES.values()) * 1000
    while True:
        joined = count > 0 and words[count : count + 1] == ["and"]
        begin = count + joined
        group = _below_100(words, begin) if joined else _below_1000(words, begin)
        if group is None:
            break
        following = words[begin + group.length] if begin + group.length < len(words) else ""
        scale = SCALES.get(following.removesuffix("th"), 0)
        if scale and not group.ordinal:
            if scale >= largest or joined:
                break
            value, count, largest = value + group.value * scale, begin + group.length + 1, scale
            if following not in SCALES:
                return NumberPhrase(value, count, True)
            continue
        if following == "hundred" or group.value >= largest:
            break
        return NumberPhrase(value + group.value, begin + group.length, group.ordinal)
    return NumberPhrase(value, count) if count else None


def read_year(words: Sequence[str]) -> NumberPhrase | None:
    """A year in two parts ("eighteen forty three", "nineteen oh five"), if the words begin so."""
    century = _below_100(words, 0)
    if century is None or century.ordinal or not 10 <= century.value <= 20 or century.length != 1:
        return None
    if words[1:2] == ["oh"] and len(words) > 2 and words[2] in _UNITS:
        return NumberPhrase(100 * century.value + _UNITS[words[2]], 3)
    rest = _below_100(words, 1)
    if rest is None or rest.ordinal or rest.value < 10:
        return None
    after = words[1 + rest.length : 2 + rest.length]
    if after and (after[0] == "hundred" or after[0] in SCALES):
        return None
    return NumberPhrase(100 * century.value + rest.value, 1 + rest.length)


def read_decade(words: Sequence[str]) -> NumberPhrase | None:
    """The first year of a decade or century ("nineteen eighties", "eighteen hundreds")."""
    century = _below_100(words, 0)
    if century is None or century.ordinal or not 10 <= century.value <= 20 or century.length != 1:
        return None
    second = words[1] if len(words) > 1 else ""
    if second == "hundreds":
        return NumberPhrase(100 * century.value, 2)
    if second in _PLURAL_DECADES:
        return NumberPhrase(100 * century.value + _PLURAL_DECADES[second], 2)
    return None


def _below_1000(words: Sequence[str], begin: int) -> NumberPhrase | None:
    first = _below_100(words, begin)
    if first is None or first.ordinal:
        return first
    at = begin + first.length
    if words[at : at + 1] == ["hundredth"] and first.value < 10:
        return NumberPhrase(100 * first.value, first.length + 1, True)
    many = first.value >= 10 and first.value % 10 == 0
    if words[at : at + 1] != ["hundred"] or many:
        return first
    value, count = 100 * first.value, first.length + 1
    joined = words[begin + count : begin + count + 1] == ["and"]
    rest = _below_100(words, begin + count + joined)
    if rest is not None:
        after = begin + count + joined + rest.length
        if words[after : after + 1] not in (["hundred"], ["hundreds"]):
            return NumberPhrase(value + rest.value, after - begin, rest.ordinal)
    return NumberPhrase(value, count)


def _below_100(words: Sequence[str], begin: int) -> NumberPhrase | None:
    """From 1 to 99."""
    word = words[begin] if begin < len(words) else ""
    if word in _TENS:
        following = words[begin + 1] if begin + 1 < len(words) else ""
        if following in _UNITS:
            return NumberPhrase(_TENS[word] + _UNITS[following], 2)
        if following in _ORDINAL_UNITS:
            return NumberPhrase(_TENS[word] + _ORDINAL_UNITS[following], 2, True)
        return NumberPhrase(_TENS[word], 1)
    for numbers in (_UNITS, _TEENS):
        if word in numbers:
            return NumberPhrase(numbers[word], 1)
    for numbers in (_ORDINAL_UNITS, _ORDINAL_TEENS, _ORDINAL_TENS):
        if word in numbers:
            return NumberPhrase(numbers[word], 1, True)
    return None
