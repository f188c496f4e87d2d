"""Written English as words with tags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.text.english.normalize import normalize
from recognizer.data.text.english.tagged import tagged_sentences
from recognizer.data.text.tags import CASES, MARKS


def shown(paragraph: str) -> list[str]:
    """Sentences with their tags: a capital letter for each large one."""
    change = {"lower": str.lower, "capital": str.capitalize, "upper": str.upper}
    return [
        " ".join(change[one.case](one.word) + one.mark for one in sentence)
        for sentence in tagged_sentences(paragraph)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Go, then; I know: she's here.", ["Go, then; I know: she's here."]),
        ('"Stop!" he said. "Why?"', ["Stop! he said.", "Why?"]),
        ("Mr. J. Smith's NATO well-known dog--a cur--ate.", [
            "Mister J Smith's NATO well known dog, a cur, ate."
        ]),
        ("In 1843, 25 men came (so it is said).", [
            "In eighteen forty three, twenty five men came so it is said."
        ]),
        ("It is _mine_, I say...", ["It is mine, I say."]),
        ("CHAPTER THE FIRST.", []),
        ("No mark at the end", []),
        ("On May 3 it rained. All left.", ["All left."]),
        ("", []),
    ],
)  # fmt: skip
def test_words_have_their_tags(text, expected):
    assert shown(text) == expected


@given(st.text(st.sampled_from("aBI '.,?!;:-(\"\n_1$&"), max_size=60))
def test_the_words_are_those_of_the_text_rules(text):
    for sentence in tagged_sentences(text):
        words = [one.word for one in sentence]
        assert normalize(" ".join(words)).split() == words
        assert all(one.mark in MARKS and one.case in CASES for one in sentence)
