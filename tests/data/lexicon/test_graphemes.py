"""Words spelled out as pronunciations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError
from recognizer.data.lexicon.graphemes import graphemes, graphemic_lexicon


@pytest.mark.parametrize(
    ("word", "letters"),
    [
        ("Speech", "s p e e c h"),
        ("don't", "d o n t"),
        ("don\u2019t", "d o n t"),
        ("o\u02bcclock", "o c l o c k"),
        ("merry-go-round", "m e r r y g o r o u n d"),
        ("caf\u00e9", "c a f \u00e9"),
        ("cafe\u0301", "c a f \u00e9"),
        ("\u0395\u03bb\u03bb\u03ac\u03b4\u03b1", "\u03b5 \u03bb \u03bb \u03ac \u03b4 \u03b1"),
        ("\u0939\u093f\u0928", "\u0939 \u093f \u0928"),  # a vowel sign is a mark, and is heard
        ("\u2581re", "r e"),
        ("3rd", ""),
        ("\u216b", ""),
        ("'", ""),
        ("\u2581", ""),
        ("\u0301", ""),
        ("", ""),
    ],
)
def test_letters_are_phones(word: str, letters: str) -> None:
    assert " ".join(graphemes(word)) == letters


@given(st.text())
def test_phones_are_lower_case_letters_and_marks(word: str) -> None:
    found = graphemes(word)
    assert graphemes(word.lower()) == found or not word.lower().isascii()
    for phone in found:
        assert len(phone) == 1
        assert not phone.isspace()
        assert phone not in "'_#<>"


def test_a_list_becomes_a_lexicon() -> None:
    made = graphemic_lexicon(["don't", "2nd", "go", "--", "go"])
    assert made.lexicon.words == ("don't", "go")
    assert made.lexicon["don't"][0].phones == ("d", "o", "n", "t")
    assert made.lexicon.phones == ("d", "g", "n", "o", "t")
    assert made.without == ("2nd", "--")


@pytest.mark.parametrize("words", [[], ["1", "'"]])
def test_nothing_to_spell(words: list[str]) -> None:
    with pytest.raises(SpeechError, match="expected words with letters, found"):
        graphemic_lexicon(words)
