"""Numbers in words read back, and spoken English written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.text.english.normalize import normalize
from recognizer.data.text.english.number_words import read_number, read_year
from recognizer.data.text.english.numbers import MONTHS, cardinal, ordinal
from recognizer.data.text.english.written import written_words
from recognizer.data.text.tags import CASES, MARKS, TaggedWord, with_sentence_capitals


def spoken(text: str) -> list[str]:
    return normalize(text).split()


def tagged(text: str) -> list[TaggedWord]:
    """Words with the marks and capital letters that they have here."""
    found = []
    for token in text.split():
        word = token.rstrip("".join(MARKS))
        case = "upper" if word.isupper() and len(word) > 1 else "lower"
        case = "capital" if word[0].isupper() and case == "lower" else case
        found.append(TaggedWord(word.lower(), token[len(word) :], case))
    return found


def written(text: str) -> str:
    words = with_sentence_capitals(tagged(text), begins_sentence=False)
    return " ".join(one.text for one in written_words(words))


@given(st.integers(0, 10**15 - 1))
def test_every_cardinal_is_read_back(number):
    words = spoken(cardinal(str(number)))
    assert read_number(words) == (number, len(words), False)


@given(st.integers(1, 10**12))
def test_every_ordinal_is_read_back(number):
    words = spoken(ordinal(str(number)))
    assert read_number(words) == (number, len(words), True)


def test_every_year_is_read_back():
    for year in range(1010, 2100):
        words = spoken(str(year))
        phrase = read_year(words) or read_number(words)
        assert phrase is not None and (phrase.value, phrase.length) == (year, len(words)), year


@given(st.integers(10, 10**15 - 1))
def test_what_was_spelled_out_is_written_as_before(number):
    found = "".join(
        one.text
        for one in written_words([TaggedWord(word, "", "lower") for word in spoken(str(number))])
    )
    scales = {" trillion": 10**12, " billion": 10**9, " million": 10**6}
    for name, scale in scales.items():
        if found.endswith(name):
            assert int(found.removesuffix(name)) * scale == number
            return
    assert int(found.replace(",", "")) == number


@given(st.sampled_from(MONTHS.split("|")), st.integers(1, 31), st.integers(1010, 2099))
def test_dates_are_written_as_before(month, day, year):
    date = f"{month} {day}, {year}"
    words = [TaggedWord(word, "", "lower") for word in spoken(date)]
    words[0] = words[0]._replace(case="capital")
    assert " ".join(one.text for one in written_words(words)) == date


@given(st.integers(1, 12), st.integers(1, 59), st.sampled_from(["a.m.", "p.m."]))
def test_times_of_day_are_written_as_before(hour, minutes, half):
    time = f"{hour}:{minutes:02} {half}"
    words = [TaggedWord(word, "", "lower") for word in spoken(time)]
    assert [one.text for one in written_words(words)] == [time]


@given(st.sampled_from("$€"), st.integers(0, 9999), st.integers(1, 99))
def test_money_is_written_as_before(sign, whole, cents):
    amount = f"{sign}{whole}.{cents:02}"
    words = [TaggedWord(word, "", "lower") for word in spoken(amount)]
    assert [one.text for one in written_words(words)] == [amount]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("one of them has two", "one of them has two"),
        ("a hundred men and thousands more", "a hundred men and thousands more"),
        ("a hundred and twenty five men", "125 men"),
        ("between one hundred and two hundred", "between 100 and 200"),
        ("thirty two, forty.", "32, 40."),
        ("two point five million people", "2.5 million people"),
        ("three point one four", "3.14"),
        ("three million five hundred thousand", "3,500,000"),
        ("five percent, ten per cent.", "5%, 10%."),
        ("two million dollars", "$2 million"),
        ("one dollar", "$1"),
        ("twenty five cents", "25 cents"),
        ("the third of May", "the 3rd of May"),
        ("the third of them", "the third of them"),
        ("the twenty first of them", "the 21st of them"),
        ("she may first go", "she may first go"),
        ("on May first", "on May 1"),
        ("in March nineteen forty", "in March 1940"),
        ("in the nineteen eighties and the eighteen hundreds", "in the 1980s and the 1800s"),
        ("at ten thirty", "at 10:30"),
        ("at six o'clock", "at 6 o'clock"),
        ("call five five five oh one two", "call 555012"),
        ("seven forty seven", "747"),
        ("Mister Smith and the Doctor", "Mr. Smith and the Doctor"),
        ("so i said i'm going. she left. then", "so I said I'm going. She left. Then"),
        ("Mcdonald met O'brien", "McDonald met O'Brien"),
        ("the U S. he said NATO", "the U.S. He said NATO"),
        ("at five p m. then", "at 5 p.m. Then"),
    ],
)
def test_what_is_said_is_written(said, expected):
    assert written(said) == expected


VOCABULARY = [
    "one",
    "two",
    "ten",
    "oh",
    "zero",
    "twenty",
    "fifty",
    "third",
    "hundred",
    "hundreds",
    "thousand",
    "million",
    "and",
    "a",
    "m",
    "p",
    "point",
    "cents",
    "dollars",
    "per",
    "cent",
    "percent",
    "may",
    "march",
    "of",
    "at",
    "o'clock",
    "i",
    "mister",
    "u",
    "s",
]


@given(
    st.lists(
        st.builds(
            TaggedWord,
            st.sampled_from(VOCABULARY),
            st.sampled_from(("", "", "", *MARKS)),
            st.sampled_from(CASES),
        )
    )
)
def test_every_word_is_written_once_and_no_mark_is_lost(words):
    found = written_words(words)
    assert sum(one.length for one in found) == len(words)
    at = 0
    for text, length in found:
        assert length >= 1 and text
        assert not any(one.mark for one in words[at : at + length - 1])
        assert text.endswith(words[at + length - 1].mark)
        at += length
