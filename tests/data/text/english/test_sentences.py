"""Sentences survive abbreviations, initials and dialogue."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.data.text.english.sentences import sentences


@pytest.mark.parametrize(
    "parts",
    [
        ["One.", "Two!", "Three?", "Four"],
        ["Mr. Smith met Mrs. Jones.", "They left."],
        ["He lives in St. Ives, No. 5, with Dr. J. R. Smith.", "Alone."],
        ["See vol. 3, chap. IV.", "It is dull."],
        ['"Stop!" he cried.', '"Why?" asked she.', '"Because."', "He ran."],
        ["“Stop!” he cried.", "“Why?”", "Élan."],
        ["(It was late.)", "[He slept.]", "_He snored._", "He woke."],
        ["It was I.", "He knew it."],
        ["They had pears, plums, etc.", "Then they left."],
        ["The U.S. Navy came at 3 p.m. on Oct. 5.", "It left."],
        ["Well... perhaps.", "No.", "Never."],
        ["Is it 3.14?", "Yes...", "Yes!", "1665 was bad."],
        ["He said no.", "She said yes."],
    ],
)
def test_sentences(parts: list[str]) -> None:
    assert list(sentences(" ".join(parts))) == parts


def test_paragraphs_always_end_a_sentence() -> None:
    text = "CHAPTER I\n\nA line\nthat goes  on\r\n \t\r\nMr.\n\nSmith"
    assert list(sentences(text)) == ["CHAPTER I", "A line that goes on", "Mr.", "Smith"]
    assert list(sentences(" \n\n ")) == []


@settings(deadline=None)
@given(st.text("abAB.!?'\" \n1I", max_size=80))
def test_nothing_is_lost(text: str) -> None:
    found = list(sentences(text))
    assert " ".join(found).split() == text.split()
    assert all(sentence and sentence == " ".join(sentence.split()) for sentence in found)
