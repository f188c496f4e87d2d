"""Mandarin: characters as words, one form of each width, no punctuation."""

from __future__ import annotations

# ruff: noqa: RUF001 (characters of full width are what is tested)
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.text.characters import CharacterSet, spelled
from recognizer.data.text.rules import text_rules
from recognizer.evaluation.word_alignment import word_error_rate

RULES = text_rules("mandarin")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("你好，世界！", "你 好 世 界"),
        ("「宋朝末年」、年间——定居粉岭围。", "宋 朝 末 年 年 间 定 居 粉 岭 围"),
        ("ＣＤ２张", "cd2 张"),
        ("他说 Hello World 吗?", "他 说 hello world 吗"),
        ("人们〇々", "人 们 〇 々"),
        ("…… ，。", ""),
        ("𠮷野家", "𠮷 野 家"),
    ],
)
def test_characters_are_words(text: str, expected: str) -> None:
    assert RULES.normalize(text) == expected
    assert CharacterSet.of_text([text + "字"], RULES).missing(expected) == ""


@given(text=st.text(alphabet="你好世界，。！Ａａz ２2·'- \u3000々𠮷é́ﬁ"))
def test_normal_forms_stay(text: str) -> None:
    found = RULES.normalize(text)
    assert RULES.normalize(found) == found
    assert RULES.normalize(spelled(found)) == found
    assert all(RULES.is_word(word) for word in found.split())


def test_word_errors_are_errors_of_characters() -> None:
    """One character of five is wrong, whatever the punctuation and the width."""
    expected, found = "你好，ＡＢ世界。", "你 好 ab 世 介"
    counts = word_error_rate([RULES.normalize(expected)], [RULES.normalize(found)])
    assert (counts.words, counts.errors) == (5, 1)


def test_entries_of_a_lexicon() -> None:
    assert RULES.entry_word("世界") == "世界"
    assert RULES.entry_word("ＡＢ") == "ab"
    assert not RULES.is_word("世界") and RULES.is_word("世")
    assert RULES.dictionary() is None
