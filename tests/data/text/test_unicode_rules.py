"""Words of any script."""
# ruff: noqa: RUF001

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.lexicon.graphemes import graphemes
from recognizer.data.text.rules import RULE_SETS, text_rules

UNICODE = text_rules("unicode")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Für Elise, 3. Satz!", "für elise 3 satz"),
        ("L\u2019été, c\u02bcest \u00abbon\u00bb", "l'été c'est bon"),
        ("ETE\u0301", "et\u00e9"),
        ("'twas -- rock'n'roll'", "twas rock'n'roll"),
        ("Война и мир. Кто\u2011то\u2014там", "война и мир кто-то там"),
        ("peut\u2010être -moi a--b", "peut-être moi a b"),
        ("Straße STRAẞE", "straße straße"),
        ("ΟΔΌΣ", "οδός"),
        ("İstanbul'da I\u0307", "istanbul'da i"),
        ("col\u00b7lecció \u00b7 fi", "col\u00b7lecció fi"),
        ("नमस्ते दुनिया", "नमस्ते दुनिया"),
        ("ශ්\u200dරී \u200dලංකා", "ශ්\u200dරී ලංකා"),
        ("می\u200cخواهم کتـــاب", "می\u200cخواهم کتاب"),
        ("צה\u05f4ל בית\u05beספר", "צה\u05f4ל בית-ספר"),
        ("Schiff\u00adfahrt \ufeffok", "schifffahrt ok"),
        ("I \u2764\ufe0f you \u0301", "i you"),
        ("१२ ٣", "१२ ٣"),
        ("1,234.5 m. 3,14, 0.05% .5 5. १.२", "1,234.5 m 3,14 0.05 5 5 १.२"),
        ("ba\ufe00r\u200e", "bar"),
        (" ' -- ", ""),
    ],
)
def test_letters_stay_and_signs_have_one_form(text: str, words: str) -> None:
    assert UNICODE.normalize(text) == words
    assert all(map(UNICODE.is_word, words.split()))


@pytest.mark.parametrize("name", RULE_SETS)
@given(st.text())
def test_the_result_is_its_own_normal_form(name: str, text: str) -> None:
    rules = text_rules(name)
    assert rules.name == name
    try:
        found = rules.normalize(text)
    except SpeechError:
        assert any(unicodedata.category(char)[0] == "N" for char in text)
        return
    assert rules.normalize(found) == found
    assert found == " ".join(found.split())
    assert all(map(rules.is_word, found.split()))


@given(st.text(st.characters(categories=("L",)), min_size=1))
def test_no_letter_is_lost(text: str) -> None:
    lowered = unicodedata.normalize("NFC", text.lower())
    letters = [c for c in lowered if unicodedata.category(c)[0] == "L" and c not in "\u02bc\u02b9"]
    found = [c for c in UNICODE.normalize(text) if unicodedata.category(c)[0] == "L"]
    # The dropped letter of Arabic only lengthens a line.
    assert found == [c for c in letters if c != "\u0640"]


@given(st.text(st.characters(categories=("L", "Mn", "Pd", "Po")), min_size=1, max_size=8))
def test_a_word_of_a_lexicon_is_written_as_in_a_transcript(word: str) -> None:
    words = UNICODE.normalize(word).split()
    if len(words) == 1:
        # Signs that separate words stay in an entry: no transcript has such a word.
        entry = UNICODE.entry_word(word)
        assert entry == words[0] or not UNICODE.is_word(entry)


def test_the_capital_of_the_i_without_a_point() -> None:
    assert text_rules("turkish").normalize("ISPARTA İzmir ırmak") == "ısparta izmir ırmak"
    assert UNICODE.normalize("ISPARTA") == "isparta"


@pytest.mark.parametrize("number", ["5", "²", "٣", "Ⅳ", "x5"])
def test_digits_are_kept_or_refused(number: str) -> None:
    assert UNICODE.normalize(f"мир {number}") == f"мир {number.lower()}"
    refusing = text_rules("unicode-no-digits")
    with pytest.raises(SpeechError, match="expected numbers written out"):
        refusing.normalize(f"мир {number}")
    assert not refusing.is_word(number)
    assert refusing.normalize("Мир!") == "мир"
    utterance = Utterance("a", Path("a.wav"), "s", number, text_rules="unicode-no-digits")
    with pytest.raises(SpeechError, match="utterance a: transcript: expected numbers written out"):
        _ = utterance.words


def test_a_corpus_can_be_read_so() -> None:
    corpus = Corpus("x", (Utterance("a", Path("a.wav"), "s", "Größe 5 мир"),))
    assert corpus.utterances[0].words == ("grosse", "five")
    (utterance,) = corpus.normalized("unicode")
    assert utterance.words == ("größe", "5", "мир")
    assert [graphemes(word) for word in utterance.words] == [tuple("größe"), (), tuple("мир")]
    with pytest.raises(
        UsageError, match=r"text_rules: expected one of english, unicode, .*'latin'"
    ):
        corpus.normalized("latin")


def test_tones_and_stress_of_phones_stay() -> None:
    assert [UNICODE.entry_phone(phone) for phone in ("ER2", "a1", "AH0")] == ["ER2", "a1", "AH0"]
    assert UNICODE.dictionary() is None
