"""Spoken English as it is written: numbers in digits, marks, and large letters.

The inverse of `recognizer.data.text.english.normalize`, as far as words alone can tell. Numbers
below ten stay words, except in dates, times of day, sums of money and percentages; so do round
ones without a number before them ("a hundred", "millions").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from recognizer.data.text.english.number_words import (
    DIGITS,
    SCALES,
    NumberPhrase,
    read_decade,
    read_number,
    read_year,
)
from recognizer.data.text.english.numbers import MONTHS
from recognizer.data.text.tags import TaggedWord

_MONTHS = frozenset(month.lower() for month in MONTHS.split("|"))
_ALSO_WORDS = {"may", "march"}
_TITLES = {"mister": "Mr.", "missus": "Mrs.", "doctor": "Dr."}
_BEFORE_TIMES = {"at", "by", "until", "till", "before", "after", "around", "about", "from"}
_SIGNS = {"dollar": "$", "dollars": "$", "euro": "€", "euros": "€"}
_LARGE_SCALES = tuple(name for name, value in SCALES.items() if value > 1000)
_SMALLEST = 10
"""Numbers below it stay words where nothing else speaks for digits."""

_GROUPED_FROM = 10_000
"""Commas group the digits of numbers from here on, so that years have none."""


class WrittenWord(NamedTuple):
    """What is written without a space.

    Attributes:
        text: with the mark that follows.
        length: how many spoken words it stands for, at least 1.
    """

    text: str
    length: int


class _Here(NamedTuple):
    """Where a rule is applied.

    Attributes:
        words: from here to the next mark.
        previous: the word before, unless a mark parts them; else nothing.
        month: whether that is the name of a month.
    """

    words: Sequence[str]
    previous: str
    month: bool


def written_words(tagged: Sequence[TaggedWord]) -> list[WrittenWord]:
    """Write tagged words; together the result stands for every one of them, in order."""
    found: list[WrittenWord] = []
    words = [one.word for one in tagged]
    ends = _stretch_ends(tagged)
    at = 0
    while at < len(tagged):
        previous = tagged[at - 1] if at and not tagged[at - 1].mark else None
        here = _Here(
            words[at : ends[at]],
            previous.word if previous else "",
            previous is not None and _is_month(previous),
        )
        text, count = _number(here) or _letters(tagged[at : ends[at]]) or _word(tagged, at)
        mark = tagged[at + count - 1].mark
        found.append(WrittenWord(text if mark == "." and text[-1] == "." else text + mark, count))
        at += count
    return found


def _stretch_ends(tagged: Sequence[TaggedWord]) -> list[int]:
    """For each word, the one after the next word with a mark: no number goes on after that."""
    ends, end = [0] * len(tagged), len(tagged)
    for at in range(len(tagged) - 1, -1, -1):
        if tagged[at].mark:
            end = at + 1
        ends[at] = end
    return ends


def _is_month(tagged: TaggedWord) -> bool:
    word = tagged.word
    return word in _MONTHS and (word not in _ALSO_WORDS or tagged.case != "lower")


def _word(tagged: Sequence[TaggedWord], at: int) -> tuple[str, int]:
    """A word in its case."""
    word, _, case = tagged[at]
    following = tagged[at + 1] if at + 1 < len(tagged) else None
    if word in _TITLES and following is not None and following.case != "lower":
        return _TITLES[word], 1
    if word == "i" or word.startswith("i'"):
        return word.capitalize(), 1
    if case == "upper":
        return word.upper(), 1
    return (_capital(word) if case == "capital" else word), 1


def _capital(word: str) -> str:
    """With a large first letter, and a second one in Scottish and Irish names."""
    if word.startswith("mc") and len(word) > 4:
        return "Mc" + word[2:].capitalize()
    if word.startswith("o'") and len(word) > 4:
        return "O'" + word[2:].capitalize()
    return word.capitalize()


def _letters(tagged: Sequence[TaggedWord]) -> tuple[str, int] | None:
    """Two or more large letters that are said one by one: U.S."""
    count = 0
    while count < len(tagged) and len(tagged[count].word) == 1 and tagged[count].case != "lower":
        count += 1
    return ("".join(f"{one.word.upper()}." for one in tagged[:count]), count) if count > 1 else None


def _number(here: _Here) -> tuple[str, int] | None:
    for rule in _RULES:
        found = rule(here)
        if found is not None:
            return found
    return None


def _date(here: _Here) -> tuple[str, int] | None:
    """The day after a month's name ("march third"), or before it ("third of march")."""
    phrase = read_number(here.words)
    if phrase is None or not 1 <= phrase.value <= 31:
        return None
    after = here.words[phrase.length :]
    if here.month and read_year(here.words) is None and _full_year(here.words) is None:
        year = read_year(after) or _full_year(after)
        return f"{phrase.value}{',' if year else ''}", phrase.length
    if phrase.ordinal and after[:1] == ["of"] and after[1:2] and after[1] in _MONTHS:
        return _ordinal(phrase.value), phrase.length
    return None


def _full_year(words: Sequence[str]) -> NumberPhrase | None:
    """A year that is said as one number ("two thousand and five")."""
    phrase = read_number(words)
    return phrase if phrase is not None and 1000 <= phrase.value < 2100 else None


def _time(here: _Here) -> tuple[str, int] | None:
    """A time of day, which "a m", "p m" or "o'clock" follows, or "at" and the like precede."""
    words = here.words
    hour = read_number(words[:1])
    if hour is None or hour.ordinal or not 1 <= hour.value <= 12:
        return None
    if words[1:2] == ["o'clock"]:
        return f"{hour.value} o'clock", 2
    count, text = 1, str(hour.value)
    minutes = read_number(words[1:])
    if words[1:2] == ["oh"] and len(words) > 2 and words[2] in DIGITS:
        count, text = 3, f"{hour.value}:0{DIGITS[words[2]]}"
    elif minutes is not None and not minutes.ordinal and 10 <= minutes.value <= 59:
        count, text = 1 + minutes.length, f"{hour.value}:{minutes.value}"
    half, length = _half_of_day(words[count:])
    if half:
        return f"{text} {half}", count + length
    return (text, count) if count > 1 and here.previous in _BEFORE_TIMES else None


def _half_of_day(words: Sequence[str]) -> tuple[str, int]:
    """The written form of "a m" or "p m" with its number of words; "am" alone is a word."""
    if len(words) > 1 and words[0] in ("a", "p") and words[1] == "m":
        return f"{words[0]}.m.", 2
    return ("p.m.", 1) if words[:1] == ["pm"] else ("", 0)


def _digits(here: _Here) -> tuple[str, int] | None:
    """Three digits or more that are read one by one."""
    count = 0
    while count < len(here.words) and here.words[count] in DIGITS:
        count += 1
    if count < 3 or here.words[0] == "oh":
        return None
    return "".join(DIGITS[word] for word in here.words[:count]), count


def _year(here: _Here) -> tuple[str, int] | None:
    decade = read_decade(here.words)
    if decade is not None:
        return f"{decade.value}s", decade.length
    year = read_year(here.words)
    return None if year is None else (str(year.value), year.length)


def _without_hundred(here: _Here) -> tuple[str, int] | None:
    """Three digits whose "hundred" is left out: "seven forty seven"."""
    if here.words[0] not in DIGITS or here.words[0] in ("oh", "zero"):
        return None
    rest = read_number(here.words[1:])
    if rest is None or rest.ordinal or not 10 <= rest.value <= 99:
        return None
    return f"{DIGITS[here.words[0]]}{rest.value}", 1 + rest.length


def _amount(here: _Here) -> tuple[str, int] | None:
    """A cardinal or decimal with what it counts, if that is money or per cent; or an ordinal."""
    words = list(here.words)
    said_a = words[:2] in (["a", "hundred"], ["a", "thousand"])
    if said_a:
        words[0] = "one"
    phrase = read_number(words)
    if phrase is None or (said_a and phrase.length <= 2):
        return None
    if phrase.ordinal:
        return (_ordinal(phrase.value), phrase.length) if phrase.value >= _SMALLEST else None
    text, count = _decimal(phrase, words)
    after = words[count : count + 2]
    if after[:1] == ["percent"]:
        return f"{text}%", count + 1
    if after == ["per", "cent"]:
        return f"{text}%", count + 2
    if after and after[0] in _SIGNS:
        cents, length = _cents(words[count + 1 :]) if text.isdigit() else ("", 0)
        return f"{_SIGNS[after[0]]}{text}{cents}", count + 1 + length
    if phrase.value < _SMALLEST and count == phrase.length:
        return None
    return text, count


def _decimal(phrase: NumberPhrase, words: Sequence[str]) -> tuple[str, int]:
    """A cardinal's digits with those behind the point, and "million" as a word."""
    count = phrase.length
    if words[count - 1] in _LARGE_SCALES and count > 1:
        scale = SCALES[words[count - 1]]
        if phrase.value % scale == 0:
            return f"{phrase.value // scale} {words[count - 1]}", count
    text = f"{phrase.value:,}" if phrase.value >= _GROUPED_FROM else str(phrase.value)
    if words[count : count + 1] == ["point"]:
        end = count + 1
        while end < len(words) and words[end] in DIGITS:
            end += 1
        if end > count + 1:
            text += "." + "".join(DIGITS[word] for word in words[count + 1 : end])
            if end < len(words) and words[end] in _LARGE_SCALES:
                return f"{text} {words[end]}", end + 1
            return text, end
    return text, count


def _cents(words: Sequence[str]) -> tuple[str, int]:
    """Cents after whole dollars or euros, with how many words they are."""
    joined = int(list(words[:1]) == ["and"])
    phrase = read_number(words[joined:])
    if phrase is None or phrase.ordinal or phrase.value > 99:
        return "", 0
    end = joined + phrase.length
    if words[end : end + 1] not in (["cent"], ["cents"]):
        return "", 0
    return f".{phrase.value:02}", end + 1


def _ordinal(value: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    grouped = f"{value:,}" if value >= _GROUPED_FROM else str(value)
    return grouped + ("th" if 10 <= value % 100 <= 19 else ending)


_RULES: tuple[Callable[[_Here], tuple[str, int] | None], ...] = (
    _date,
    _time,
    _digits,
    _year,
    _without_hundred,
    _amount,
)
"""In the order in which they are tried."""
