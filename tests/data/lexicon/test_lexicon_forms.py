"""Lexicons of CMU, Kaldi and MFA: the whole file says which form its entries have."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError
from recognizer.data.lexicon.lexicon import Pronunciation
from recognizer.data.lexicon.reading import LexiconFile, LexiconForm, read_lexicon
from recognizer.data.text.rules import TextRules, text_rules

READ_D = Pronunciation("read", ("R", "EH", "D"))
READ_I = Pronunciation("read", ("R", "IY", "D"))
ENGLISH, UNICODE = text_rules("english"), text_rules("unicode")


def read(tmp_path: Path, content: str, rules: TextRules = ENGLISH) -> LexiconFile:
    path = tmp_path / "lexicon.txt"
    path.write_text(content, encoding="utf-8")
    return read_lexicon(path, rules)


def test_cmu_format(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        ";;; # CMUdict\nA  AH0\nA(1)  EY1\nREAD  R EH1 D # past\nREAD(2)  R IY1 D\n"
        "\nD'ARTAGNAN  D AA0 R T AE1 NY AH0 N # foreign, name\n",
    )
    found = file.lexicon
    assert file.form is LexiconForm.PLAIN
    assert found["read"] == (READ_D, READ_I)
    assert [entry.phones for entry in found["a"]] == [("AH",), ("EY",)]
    assert found.words == ("a", "d'artagnan", "read")


def test_kaldi_lexicon_and_lexiconp(tmp_path: Path) -> None:
    plain = read(tmp_path, "a AH\nread R EH D\nread R IY D\n<UNK> SPN\n[noise] NSN\n")
    assert plain.form is LexiconForm.PLAIN
    assert plain.lexicon["read"] == (READ_D, READ_I)
    assert plain.lexicon["<unk>"] == (Pronunciation("<unk>", ("SPN",)),)
    weighted = read(tmp_path, "a 1.0 AH\nread 1 R EH D\nread 0.25\tR IY D\n")
    assert weighted.form is LexiconForm.PROBABILITIES
    assert [entry.probability for entry in weighted.lexicon["read"]] == [1.0, 0.25]
    assert weighted.lexicon.phones == ("AH", "D", "EH", "IY", "R")
    ones = read(tmp_path, "a 1 AH\nread 1 R EH D\n")
    assert ones.form is LexiconForm.PROBABILITIES
    assert ones.lexicon.phones == ("AH", "D", "EH", "R")


def test_silence_probabilities_of_kaldi_and_mfa(tmp_path: Path) -> None:
    kaldi = read(
        tmp_path,
        "<eps> 1 0.5 1.0 1.0 SIL\na 1.0 0.34 0.99 1.02 AH\nread 0.25 0.2 1.5 0.9 R IY D\n",
    )
    mfa = read(
        tmp_path,
        "été\t0.99\t0.14\t2.36\t0.98\te t e\ndeux\t1.0\t0.02\t1.0\t1.0\td ø\nl'eau\t0.5\t0.1\t1.0\t"
        "0.9\tl o\n",
        UNICODE,
    )
    for file in (kaldi, mfa):
        assert file.form is LexiconForm.SILENCE_PROBABILITIES
        assert "a word, a probability, three numbers of silence and phones" in str(file)
        assert str(file).endswith("the numbers of silence are not used")
    assert kaldi.lexicon["read"] == (Pronunciation("read", ("R", "IY", "D"), 0.25),)
    assert mfa.lexicon["été"] == (Pronunciation("été", ("e", "t", "e"), 0.99),)
    assert mfa.lexicon.phones == ("d", "e", "l", "o", "t", "ø")


@pytest.mark.parametrize(
    "content",
    [
        "er2 2 r\nai4 a i\n",  # the first entry's first phone is a number
        "deux d 2\nneuf n 9 f\noeufs 2\n9 9\n",  # X-SAMPA
        "a 1 a\nb 2 b\n",  # tones
        "nan n a n\ninf i n f\n1e5 e\n",
    ],
)
def test_phones_that_are_numbers_are_no_probabilities(tmp_path: Path, content: str) -> None:
    file = read(tmp_path, content, UNICODE)
    assert file.form is LexiconForm.PLAIN
    for line in content.splitlines():
        word, *phones = line.split()
        assert file.lexicon[word] == (Pronunciation(word, tuple(phones)),)


def test_phones_that_are_numbers_beside_probabilities(tmp_path: Path) -> None:
    file = read(tmp_path, "er2 0.5 2 r\nb 1.0 2 9 2 r\nc 0.2 2 9 2 2\nd 1 9\n", UNICODE)
    assert file.form is LexiconForm.PROBABILITIES
    assert file.lexicon["b"] == (Pronunciation("b", ("2", "9", "2", "r")),)
    assert file.lexicon["d"] == (Pronunciation("d", ("9",)),)


def test_the_rules_write_words_and_phones(tmp_path: Path) -> None:
    content = "Été E1 ER2\nQU\u2019IL k i l\nAH AH0\n"
    unicode = read(tmp_path, content, UNICODE).lexicon
    assert unicode.words == ("ah", "qu'il", "été")
    assert unicode.phones == ("AH0", "E1", "ER2", "i", "k", "l")
    english = read(tmp_path, content, ENGLISH).lexicon
    assert english.words == ("ah", "ete", "qu'il")
    assert english.phones == ("AH", "E1", "ER", "i", "k", "l")


def test_variants_that_differ_only_in_stress_are_one(tmp_path: Path) -> None:
    found = read(tmp_path, "record R EH1 K ER0 D\nrecord R EH0 K ER0 D\n").lexicon
    assert found["record"] == (Pronunciation("record", ("R", "EH", "K", "ER", "D")),)
    weighted = read(tmp_path, "a 0.5 AH0\na 0.75 AH1\na 0.6 AH\n").lexicon
    assert weighted["a"] == (Pronunciation("a", ("AH",), 0.75),)


FOUR = "a word, a probability, three numbers of silence and phones as in most entries, found"
ONE = "a word, a probability and phones as in most entries, found"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "a AH\nb\n",
            "lexicon.txt:2: expected a word and its phones as in most entries, found",
        ),
        ("a AH\nb B IY\nc 0.5 K\n", "lexicon.txt:3: expected a word and its phones as in most"),
        ("a 1.0 AH\nb B IY\n", f"lexicon.txt:2: expected {ONE} 'b B IY'"),
        ("b B IY\na 1.0 AH\nc 0.5 K\n", f"lexicon.txt:1: expected {ONE} 'b B IY'"),
        ("a 1.0 AH\nb\n", f"lexicon.txt:2: expected {ONE} 'b'"),
        ("a 1.0 AH\nb 0.5\n", f"lexicon.txt:2: expected {ONE} 'b 0.5'"),
        ("a 1.0 AH\nb 0.5 0.7 B\n", f"lexicon.txt:2: expected {ONE} 'b 0.5 0.7 B'"),
        ("a 1.5 AH\n", "lexicon.txt:1: word 'a': expected a probability in (0, 1], found 1.5"),
        ("a 0.0 AH\n", "lexicon.txt:1: word 'a': expected a probability in (0, 1]"),
        ("a 1.0 .1 1.0 1.0 AH\nb 0.5 B\n", f"lexicon.txt:2: expected {FOUR} 'b 0.5 B'"),
        ("a 1.0 .1 1.0 1.0 AH\nb 0.5 .1 1.0 B\n", f"lexicon.txt:2: expected {FOUR} 'b 0.5 .1"),
        ("a 1.0 .1 1.0 1.0 AH\nb B\n", f"lexicon.txt:2: expected {FOUR} 'b B'"),
        (";;; nothing\n", "expected a lexicon, found no entries"),
        ("", "expected a lexicon, found no entries"),
    ],
)
def test_faulty_lexicons(tmp_path: Path, content: str, expected: str) -> None:
    with pytest.raises(SpeechError) as caught:
        read(tmp_path, content)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_decimal_commas(tmp_path: Path) -> None:
    file = read(tmp_path, "a 1,0 AH\nread 0,25 R IY D\n")
    assert file.form is LexiconForm.PROBABILITIES
    assert [entry.probability for entry in file.lexicon] == [1.0, 0.25]
    mfa = read(tmp_path, "a\t0,99\t0,3\t1,1\t0,9\tAH\nread\t0,5\t0,3\t1,1\t0,9\tR EH D\n")
    assert mfa.form is LexiconForm.SILENCE_PROBABILITIES
    assert mfa.lexicon.phones == ("AH", "D", "EH", "R")


PHONES = st.lists(st.sampled_from(["a", "r", "2", "9", "t_h", "1"]), min_size=1, max_size=5)
WORDS = st.lists(st.text("abcé", min_size=1, max_size=5), min_size=1, max_size=8, unique=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data(), st.sampled_from(LexiconForm))
def test_any_file_of_one_form_is_read_as_that(
    tmp_path: Path, data: st.DataObject, form: LexiconForm
) -> None:
    words = data.draw(WORDS)
    entries = [Pronunciation(word, tuple(data.draw(PHONES))) for word in words]
    numbers = {
        LexiconForm.PLAIN: "",
        LexiconForm.PROBABILITIES: " 1.0",
        LexiconForm.SILENCE_PROBABILITIES: "\t1.0\t0.02\t1.0\t0.98",
    }
    content = "".join(f"{e.word}{numbers[form]} {' '.join(e.phones)}\n" for e in entries)
    if form is LexiconForm.PLAIN and all(
        len(entry.phones) > 1 and entry.phones[0] == "1" for entry in entries
    ):
        form = LexiconForm.PROBABILITIES  # what nobody could tell
        entries = [Pronunciation(entry.word, entry.phones[1:]) for entry in entries]
    file = read(tmp_path, content, UNICODE)
    assert file.form is form
    assert list(file.lexicon) == sorted(entries, key=lambda entry: entry.word)
