"""Words of any script."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.data.lexicon.graphemes import graphemes
from recognizer.data.text.english.normalize import keep_letters


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Für Elise, 3. Satz!", "für elise 3 satz"),
        ("L\u2019été, c'est \u00abbon\u00bb", "l'été c'est bon"),
        ("ETE\u0301", "et\u00e9"),
        ("'twas -- rock'n'roll'", "twas rock'n'roll"),
        ("Война и мир.", "война и мир"),
        ("ΟΔΌΣ", "οδός"),
        ("नमस्ते दुनिया", "नमस्ते दुनिया"),
        (" ' -- ", ""),
    ],
)
def test_letters_stay_and_signs_part_words(text: str, words: str) -> None:
    assert keep_letters(text) == words


@given(st.text())
def test_the_result_is_its_own_normal_form(text: str) -> None:
    found = keep_letters(text)
    assert keep_letters(found) == found
    assert found == " ".join(found.split())


def test_a_corpus_can_be_read_so() -> None:
    corpus = Corpus("x", (Utterance("a", Path("a.wav"), "s", "Größe 5 мир"),))
    assert corpus.utterances[0].words == ("grosse", "five")
    (utterance,) = corpus.normalized("letters")
    assert utterance.words == ("größe", "5", "мир")
    assert [graphemes(word) for word in utterance.words] == [tuple("größe"), (), tuple("мир")]
