"""Word classes in text: what is one, and words replaced by theirs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError
from recognizer.lm.text.classes import is_class, split_at_classes, with_classes


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("<city>", True),
        ("<first-name>", True),
        ("city", False),
        ("<>", False),
        ("<a><b>", False),
        ("<city", False),
        ("<unk>", False),
        ("<s>", False),
        ("</s>", False),
        ("<eps>", False),
        ("", False),
    ],
)
def test_names_of_classes(word: str, expected: bool) -> None:
    assert is_class(word) == expected


@given(st.text(st.sampled_from("<a>s /"), max_size=20))
def test_a_line_is_cut_at_classes_and_nowhere_else(line: str) -> None:
    parts = split_at_classes(line)
    assert "".join(parts) == line
    assert len(parts) % 2 == 1
    assert all(is_class(part) for part in parts[1::2])


def test_punctuation_may_follow_a_class() -> None:
    assert split_at_classes("to <city>, not <unk>.") == ["to ", "<city>", ", not <unk>."]


def test_words_are_replaced_by_their_classes() -> None:
    class_of = {"london": "<city>", "ann": "<name>", "bob": "<name>"}
    lines = ["ann goes to  london", "<name> stays", ""]
    found = list(with_classes(lines, class_of, "text"))
    assert found == ["<name> goes to <city>", "<name> stays", ""]


def test_a_class_without_words_is_named_with_its_line() -> None:
    lines = ["ann stays", "to <town>"]
    message = r"^text\.txt:2: expected a class that has words \(<name>\), found <town>$"
    with pytest.raises(SpeechError, match=message):
        list(with_classes(lines, {"ann": "<name>"}, "text.txt"))
