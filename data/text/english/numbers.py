"""Numbers written in digits, spelled out as English is read aloud."""

from __future__ import annotations

import re
from functools import lru_cache

MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"

MAX_DIGITS = 15
"""Longer strings of digits are read digit by digit."""

_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
}
_DENOMINATORS = {2: "half", 3: "third", 4: "quarter"}

_THOUSANDS = re.compile(
    r"(?<![0-9,.])([0-9]{1,3}(?:,[0-9]{3})+)(?:\.([0-9]+)(?!\.?[0-9]))?(?![0-9])"
)
_MONEY = re.compile(
    r"([$£€])\s?([0-9]+)(?:\.([0-9]+))?(\s+(?:hundred|thousand|million|billion))?\b"
)
_DAY = re.compile(rf"\b({MONTHS})\s+([0-9]{{1,2}})(?![0-9:/.-]*[0-9])(?![a-z])")
_CLOCK = re.compile(
    r"(?<![0-9:])([0-9]{1,2}):([0-5][0-9])(?![0-9:])"
    r"|(?<![0-9.])([0-9]{1,2})\.([0-5][0-9])(?=\s?[AaPp]\.?\s?[Mm]\b)"
)
_ORDINAL = re.compile(r"(?<![0-9.])([0-9]+)(?:st|nd|rd|th|(?<=[23])d)(?![A-Za-z])", re.IGNORECASE)
_DECADE = re.compile(r"(?<![0-9.])([0-9]{1,2}0|[0-9]{2}[0-9]0)'?s(?![A-Za-z])")
_MIXED = re.compile(r"(?<![0-9/])([0-9]+)\s+([1-9])/([1-9])(?![0-9/])")
_FRACTION = re.compile(r"(?<![0-9/])([0-9]{1,3})/([0-9]{1,3})(?![0-9/])")
_DECIMAL = re.compile(r"(?<![0-9.])([0-9]+)\.([0-9]+)(?!\.?[0-9])")
_RANGE = re.compile(r"(?<=[0-9])-(?=[0-9])")
_MINUS = re.compile(r"(?<![\w.-])-(?=[0-9])")
_INTEGER = re.compile(r"[0-9]+")


def spell_numbers(text: str) -> str:
    """Replace every number written with ASCII digits by its words.

    Cardinals with `and` (one hundred and five), ordinals (1st, 22d), years from 1010 to 2099
    (sixteen sixty five), decades (1860s), decimals, simple fractions, money ($, £, €), times of
    day (10:30), days after a month's name (May 3), ranges (5-10) and minus signs. Numbers with
    leading zeros or more than 15 digits are read digit by digit. The words may hold hyphens and
    commas as num2words sets them.
    """
    text = _THOUSANDS.sub(_without_commas, text)
    text = _MIXED.sub(_mixed, text)
    text = _MONEY.sub(_money, text)
    text = _CLOCK.sub(_clock, text)
    text = _DAY.sub(lambda match: _apart(match, f"{match[1]} {ordinal(match[2])}"), text)
    text = _ORDINAL.sub(lambda match: _apart(match, ordinal(match[1])), text)
    text = _DECADE.sub(lambda match: _apart(match, _plural(year(match[1]))), text)
    text = _FRACTION.sub(_fraction, text)
    text = _DECIMAL.sub(lambda match: _apart(match, _decimal(match[1], match[2])), text)
    text = _MINUS.sub(" minus ", text)
    text = _RANGE.sub(" to ", text)
    return _INTEGER.sub(lambda match: _apart(match, year(match[0])), text)


def _apart(match: re.Match[str], words: str) -> str:
    """Words in place of digits, kept apart from letters and digits but not from an apostrophe."""
    before = match.string[max(0, match.start() - 1) : match.start()]
    after = match.string[match.end() : match.end() + 1]
    return f"{' ' if before.isalnum() else ''}{words}{' ' if after.isalnum() else ''}"


@lru_cache(maxsize=4096)
def cardinal(digits: str) -> str:
    """105 as `one hundred and five`; 007 digit by digit."""
    if len(digits) > MAX_DIGITS or (len(digits) > 1 and digits[0] == "0"):
        return " ".join(_words(int(digit)) for digit in digits)
    return _words(int(digits))


@lru_cache(maxsize=4096)
def ordinal(digits: str) -> str:
    """22 as `twenty-second`."""
    if len(digits) > MAX_DIGITS:
        return cardinal(digits)
    return _words(int(digits), to="ordinal")


@lru_cache(maxsize=4096)
def year(digits: str) -> str:
    """1665 as `sixteen sixty-five`; what cannot be a year as a cardinal."""
    value = int(digits) if len(digits) == 4 else 0
    century, rest = divmod(value, 100)
    if not (1010 <= value <= 1999 or 2010 <= value <= 2099):
        return cardinal(digits)
    if rest == 0:
        return f"{cardinal(str(century))} hundred"
    if rest < 10:
        return f"{cardinal(str(century))} oh {cardinal(str(rest))}"
    return f"{cardinal(str(century))} {cardinal(str(rest))}"


def _decimal(whole: str, part: str) -> str:
    return f"{cardinal(whole)} point {' '.join(cardinal(digit) for digit in part)}"


def _plural(words: str) -> str:
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def _without_commas(match: re.Match[str]) -> str:
    """1,665 is a quantity, never a year: spell it here, but leave money to the currency's rule."""
    digits, part = match[1].replace(",", ""), match[2]
    before = match.string[: match.start()].rstrip()
    if before.endswith(tuple(_CURRENCIES)):
        return f"{digits}.{part}" if part else digits
    return _apart(match, _decimal(digits, part) if part else cardinal(digits))


def _money(match: re.Match[str]) -> str:
    one, many, one_small, many_small = _CURRENCIES[match[1]]
    whole, part, scale = match[2], match[3], match[4]
    if scale or (part and len(part) != 2):
        amount = _decimal(whole, part) if part else cardinal(whole)
        return _apart(match, f"{amount}{scale or ''} {many}")
    words = f"{cardinal(whole)} {one if int(whole) == 1 else many}"
    if part and int(part):
        small = one_small if int(part) == 1 else many_small
        words += f" and {cardinal(str(int(part)))} {small}"
    return _apart(match, words)


def _clock(match: re.Match[str]) -> str:
    hour, minute = cardinal(match[1] or match[3]), match[2] or match[4]
    if minute == "00":
        return _apart(match, hour)
    if minute[0] == "0":
        return _apart(match, f"{hour} oh {cardinal(minute[1])}")
    return _apart(match, f"{hour} {cardinal(minute)}")


def _mixed(match: re.Match[str]) -> str:
    """3 1/2 as three and a half; the whole number is left to the rules for whole numbers."""
    top, bottom = int(match[2]), int(match[3])
    if top >= bottom:
        return match[0]
    return f"{match[1]} and {_apart(match, _fraction_words(top, bottom, 'a'))}"


def _fraction(match: re.Match[str]) -> str:
    top, bottom = int(match[1]), int(match[2])
    if 1 <= top < bottom <= 20:
        return _apart(match, _fraction_words(top, bottom, "one"))
    return _apart(match, f"{cardinal(match[1])} {cardinal(match[2])}")


def _fraction_words(top: int, bottom: int, one: str) -> str:
    name = _DENOMINATORS.get(bottom) or ordinal(str(bottom))
    if top == 1:
        return f"{one} {name}"
    return f"{cardinal(str(top))} {name}s"


def _words(number: int, to: str = "cardinal") -> str:
    from num2words import num2words  # only where there are numbers: recognition knows of none

    return str(num2words(number, to=to))
