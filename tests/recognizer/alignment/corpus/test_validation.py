"""`recognizer validate`: everything that aligning would meet, by name, and what to do about it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import toy
from recognizer import read_corpus, validate_corpus
from recognizer.alignment.corpus.validation import ValidationOptions
from recognizer.data.errors import UsageError

Command = Callable[..., object]

SENTENCES = {
    "anna/a1": "go right now",
    "anna/a2": "left now",
    "bert/b1": "stop left write",
    "bert/b2": "now go stop",
}


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    root = tmp_path / "field"
    for name, text in SENTENCES.items():
        write(root / name, text)
    return root


def write(path: Path, text: str, said: str | None = None) -> None:
    """A recording and its transcript, which may be of something else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path.with_suffix(".wav"), toy.whistle(said or text), 16000)
    path.with_suffix(".lab").write_text(f"{text}\n")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_good_corpus(folders: Path, toy_model: Path, tmp_path: Path, command: Command) -> None:
    out = tmp_path / "checked"
    ran = command(
        "recognizer", "validate", folders, "--model", toy_model, "--output-dir", out, "--jobs", 1
    )
    assert ran.code == 0, ran.err
    assert ran.err == (
        "recognizer validate: 4 utterances of 2 speakers can be aligned, 0.00 hours; "
        "0 recordings or utterances cannot\n"
    )
    assert rows(out / "unusable.csv") == rows(out / "unknown_words.csv") == []
    table = rows(out / "transcripts.csv")
    assert {row["utterance"]: row["heard"] for row in table} == {
        name.partition("/")[2]: text for name, text in SENTENCES.items()
    }
    assert {row["word_error_rate"] for row in table} == {"0.0"}


def test_all_faults_are_named(
    folders: Path, toy_model: Path, tmp_path: Path, command: Command
) -> None:
    write(folders / "bert" / "b3", "stop left right", said="go now go")
    write(folders / "anna" / "a3", "Go, kangaroo! The kangaroo", said="go right now go")
    write(folders / "anna" / "a4", "12", said="go")
    write(folders / "anna" / "a5", "[noise]", said="go")
    (folders / "bert" / "b4.wav").write_bytes(b"no audio")
    (folders / "bert" / "b4.lab").write_text("go")
    soundfile.write(folders / "bert" / "b5.wav", np.zeros(8000), 16000)
    (folders / "bert" / "b5.lab").write_text("go")
    soundfile.write(folders / "bert" / "b6.wav", np.full(8000, 1e-4), 16000)
    (folders / "bert" / "b6.lab").write_text("go")
    soundfile.write(folders / "bert" / "b7.wav", toy.whistle("go"), 16000)
    (folders / "bert" / "b8.lab").write_text("go")
    (folders / "anna" / "a6.lab").write_text("")
    soundfile.write(folders / "anna" / "a6.wav", toy.whistle("go"), 16000)
    out = tmp_path / "checked"
    ran = command(
        "recognizer", "validate", folders, "--model", toy_model, "--output-dir", out, "--jobs", 1
    )
    assert ran.code == 1
    reasons = {row["name"]: row["reason"] for row in rows(out / "unusable.csv")}
    expected = {
        "a6": "no words in its transcript",
        "b4": "expected a recording",
        "b5": "expected speech, found nothing above -60 dB: zeros alone",
        "b6": "expected speech, found nothing above -60 dB: -81 dB",
        "bert/b7": "expected a transcript beside it",
        "bert/b8": "expected a recording beside it",
    }
    assert {name: expected[name] in reasons[name] for name in reasons} == dict.fromkeys(
        expected, True
    )
    assert all(f"{name}: {reason}" in ran.err for name, reason in reasons.items())
    unknown = {row["word"]: row for row in rows(out / "unknown_words.csv")}
    assert list(unknown) == ["kangaroo", "the", "twelve"]
    assert (unknown["kangaroo"]["count"], unknown["kangaroo"]["places"]) == ("2", "a3:2 a3:4")
    assert "3 different words, 4 in all, are outside the dictionary" in ran.err
    assert "kangaroo (2), the (1), twelve (1)" in ran.err
    assert "expected pronunciations for at least 95 % of the words" in ran.err
    table = rows(out / "transcripts.csv")
    assert {row["utterance"] for row in table if row["fits"] == "no"} == {"a3", "b3"}
    rates = [float(row["word_error_rate"]) for row in table]
    assert rates == sorted(rates, reverse=True)
    assert "2 transcripts do not fit their audio: " in ran.err


def test_words_that_were_said_instead_are_heard(toy_model: Path, folders: Path) -> None:
    write(folders / "bert" / "b3", "stop left left", said="stop now left")
    found = validate_corpus(read_corpus(folders), toy_model, jobs=1)
    one = found.heard["b3"]
    assert (one.words, one.heard) == (("stop", "left", "left"), ("stop", "now", "left"))
    assert one.word_error_rate == pytest.approx(100 / 3)
    assert found.good  # within the 40 %
    strict = ValidationOptions(word_error_rate=30.0)
    assert validate_corpus(read_corpus(folders), toy_model, options=strict, jobs=1).unfitting == (
        "b3",
    )


def test_guessed_pronunciations_can_be_added_to_the_dictionary(
    folders: Path, toy_model: Path, tmp_path: Path, command: Command
) -> None:
    write(folders / "anna" / "a1", "go rights now", said="go right now")
    out = tmp_path / "checked"
    arguments = "recognizer", "validate", folders, "--model", toy_model, "--output-dir", out
    command(*arguments, "--jobs", 1)
    (row,) = rows(out / "unknown_words.csv")
    assert (row["word"], row["pronunciations"]) == ("rights", "R AY T S")
    assert (out / "unknown_words.dict").read_text() == "rights\tR AY T S\n"
    (out / "corrected.dict").write_text("rights\tR AY T\n")
    ran = command(*arguments, "--jobs", 1, "--add-lexicon", out / "corrected.dict")
    assert ran.code == 0, ran.err
    assert rows(out / "unknown_words.csv") == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("silence", 0.0), ("word_error_rate", 0.0), ("max_noise", 1.5), ("others", -1)],
)
def test_impossible_options(field: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"{field}: expected"):
        ValidationOptions(**{field: value})


def test_wrong_use(folders: Path, tmp_path: Path, command: Command) -> None:
    ran = command("recognizer", "validate", folders, "--output-dir", tmp_path, "--max-wer", 0)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    ran = command("recognizer", "validate", tmp_path / "none", "--output-dir", tmp_path)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "no such file or directory" in ran.err
