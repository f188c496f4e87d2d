"""Lexicons: CMU's and Kaldi's formats, English, and writing what can be read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError
from recognizer.data.lexicon.lexicon import (
    Lexicon,
    Pronunciation,
    english_lexicon,
    read_lexicon,
    without_stress,
)

READ_D = Pronunciation("read", ("R", "EH", "D"))
READ_I = Pronunciation("read", ("R", "IY", "D"))
A = Pronunciation("a", ("AH",))


def lexicon(tmp_path: Path, content: str) -> Lexicon:
    path = tmp_path / "lexicon.txt"
    path.write_text(content, encoding="utf-8")
    return read_lexicon(path)


def message(tmp_path: Path, content: str) -> str:
    with pytest.raises(SpeechError) as caught:
        lexicon(tmp_path, content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_cmu_format(tmp_path: Path) -> None:
    found = lexicon(
        tmp_path,
        ";;; # CMUdict\nA  AH0\nA(1)  EY1\nREAD  R EH1 D # past\nREAD(2)  R IY1 D\n"
        "\nD'ARTAGNAN  D AA0 R T AE1 NY AH0 N # foreign, name\n",
    )
    assert found["read"] == (READ_D, READ_I)
    assert [entry.phones for entry in found["a"]] == [("AH",), ("EY",)]
    assert "d'artagnan" in found
    assert "READ" not in found
    assert found.words == ("a", "d'artagnan", "read")
    assert len(found) == 3


def test_kaldi_formats(tmp_path: Path) -> None:
    plain = lexicon(tmp_path, "a AH\nread R EH D\nread R IY D\n<UNK> SPN\n")
    assert plain["read"] == (READ_D, READ_I)
    assert plain["<unk>"] == (Pronunciation("<unk>", ("SPN",)),)
    weighted = lexicon(tmp_path, "a 1.0 AH\nread 1.0 R EH D\nread 0.25\tR IY D\n")
    assert [entry.probability for entry in weighted["read"]] == [1.0, 0.25]
    assert weighted.phones == ("AH", "D", "EH", "IY", "R")


def test_variants_that_differ_only_in_stress_are_one(tmp_path: Path) -> None:
    found = lexicon(tmp_path, "record R EH1 K ER0 D\nrecord R EH0 K ER0 D\n")
    assert found["record"] == (Pronunciation("record", ("R", "EH", "K", "ER", "D")),)
    weighted = lexicon(tmp_path, "a 0.5 AH0\na 0.75 AH1\na 0.6 AH\n")
    assert weighted["a"] == (Pronunciation("a", ("AH",), 0.75),)


def test_stress_goes_from_arpabet_vowels_only() -> None:
    assert [without_stress(phone) for phone in ("AH0", "ER1", "IY2", "AH", "ZH", "SIL")] == [
        "AH",
        "ER",
        "IY",
        "AH",
        "ZH",
        "SIL",
    ]
    # Tones and numbered phones of other inventories are no stress.
    assert [without_stress(phone) for phone in ("a1", "SH1", "AH3", "AH12")] == [
        "a1",
        "SH1",
        "AH3",
        "AH12",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a AH\nb\n", "lexicon.txt:2: expected a word and its phones, found 'b'"),
        ("a 1.0 AH\nb B IY\n", "lexicon.txt:2: expected a word, a probability and phones"),
        ("a 1.0 AH\nb\n", "lexicon.txt:2: expected a word, a probability and phones"),
        ("a 1.0 AH\nb 0.5\n", "lexicon.txt:2: expected a word and its phones"),
        ("a 1.5 AH\n", "lexicon.txt:1: word 'a': expected a probability in (0, 1], found 1.5"),
        ("a 0.0 AH\n", "lexicon.txt:1: word 'a': expected a probability in (0, 1]"),
        ("a nan AH\n", "lexicon.txt:1: word 'a': expected a probability in (0, 1]"),
        (";;; nothing\n", "expected a lexicon, found no entries"),
        ("", "expected a lexicon, found no entries"),
    ],
)
def test_faulty_lexicons(tmp_path: Path, content: str, expected: str) -> None:
    assert expected in message(tmp_path, content)


def test_faulty_entries() -> None:
    for word, phones in [("", ("A",)), ("two words", ("A",)), ("a", ()), ("a", ("A B",))]:
        with pytest.raises(SpeechError):
            Pronunciation(word, phones)


def test_parts_of_a_lexicon() -> None:
    whole = Lexicon([READ_D, A, READ_I])
    assert list(whole) == [A, READ_D, READ_I]
    assert list(whole.restricted_to(["read", "unknown", "read"])) == [READ_D, READ_I]
    assert whole.merged_with(Lexicon([Pronunciation("b", ("B",))])).words == ("a", "b", "read")
    assert whole == Lexicon([A, READ_D, READ_I])
    assert whole != Lexicon([A])
    with pytest.raises(KeyError):
        whole["unknown"]


def test_english() -> None:
    english = english_lexicon()
    assert len(english) > 120_000
    assert len(english.phones) == 39
    assert READ_D in english["read"]
    assert READ_I in english["read"]
    assert "o'clock" in english
    assert "em" in english
    assert not any(set(word) - set("abcdefghijklmnopqrstuvwxyz'") for word in english.words)
    assert not any(word[0] == "'" or word[-1] == "'" for word in english.words)


LABELS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_characters="#;() \x7f\x85\xa0"),
    min_size=1,
    max_size=8,
)
ENTRIES = st.builds(
    Pronunciation,
    LABELS.map(str.lower).filter(lambda word: word == word.lower()),
    st.lists(LABELS.map(without_stress), min_size=1, max_size=5).map(tuple),
    st.floats(0.0, 1.0, exclude_min=True),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(entries=st.lists(ENTRIES, min_size=1, max_size=10))
def test_what_is_written_is_read_again(tmp_path: Path, entries: list[Pronunciation]) -> None:
    written = Lexicon(entries)
    written.write(tmp_path / "lexiconp.txt")
    assert read_lexicon(tmp_path / "lexiconp.txt") == written
