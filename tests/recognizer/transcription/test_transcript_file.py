"""The file of transcripts: whole after any kill, refused where it is damaged or of another kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError
from recognizer.transcription.transcript import Transcript, TranscriptFile

HEADING = {"set": "radio", "teacher": {"kind": "model", "path": "english"}}
MADE = [
    Transcript("a", "Grüße, it's 5 o'clock.", (0.5, 1.0, 0.25), 1.5),
    Transcript("b", "", (), 0.0, "a.wav: no such file"),
    Transcript("c", "line\u2028separator", (0.9,), 3.25),
]


def test_confidence_is_the_mean_of_the_words() -> None:
    assert [one.confidence for one in MADE] == [pytest.approx(1.75 / 3), None, 0.9]


def test_what_was_added_is_read(tmp_path: Path) -> None:
    path = tmp_path / "transcripts.jsonl"
    TranscriptFile(path, HEADING).add(MADE[:2])
    file = TranscriptFile(path, HEADING)
    assert file.transcripts == {one.utterance: one for one in MADE[:2]}
    file.add(MADE[2:])
    assert TranscriptFile(path, HEADING).transcripts == {one.utterance: one for one in MADE}


@given(length=st.integers(0, 2000))
def test_a_file_cut_anywhere_goes_on(length: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("cut") / "transcripts.jsonl"
    TranscriptFile(path, HEADING).add(MADE)
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    file = TranscriptFile(path, HEADING)
    known = list(file.transcripts.values())
    assert known == MADE[: len(known)]
    # Only the line that was cut is lost, with the line end that makes it whole.
    assert len(known) == max(whole[:length].count(b"\n") - 1, 0)
    file.add(MADE[len(known) :])
    assert path.read_bytes() == whole


def test_another_heading_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "transcripts.jsonl"
    TranscriptFile(path, HEADING).add(MADE)
    before = path.read_bytes()
    with pytest.raises(SpeechError, match=r":1: expected transcripts of .*tv.*, found .*radio"):
        TranscriptFile(path, HEADING | {"set": "tv"})
    assert path.read_bytes() == before


GOOD = json.dumps(
    {"utterance": "x", "text": "so", "confidences": [0.5], "seconds": 1.0, "error": None}
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("nonsense", "expected a transcript, found 'nonsense'"),
        ("[]", "expected a transcript"),
        ("{}", "expected a transcript"),
        (GOOD.replace('"x"', "7"), "expected a transcript"),
        (GOOD.replace("[0.5]", "[1.5]"), "expected a transcript"),
        (GOOD.replace("[0.5]", "[NaN]"), "expected a transcript"),
        (GOOD.replace("[0.5]", '"0.5"'), "expected a transcript"),
        (GOOD.replace("1.0", "-1.0"), "expected a transcript"),
        (GOOD.replace("null", "1"), "expected a transcript"),
        (GOOD.replace('"x"', '"a"'), "expected an utterance once"),
        ("[" * 100_000, "expected a transcript"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str, expected: str) -> None:
    path = tmp_path / "transcripts.jsonl"
    TranscriptFile(path, HEADING).add(MADE[:1])
    with path.open("a") as stream:
        stream.write(line + "\n" + GOOD + "\n")
    with pytest.raises(SpeechError) as caught:
        TranscriptFile(path, HEADING)
    assert str(caught.value).startswith(f"{path}:3: {expected}")
    assert "\n" not in str(caught.value)


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="cannot be written: No such file or directory"):
        TranscriptFile(tmp_path / "none" / "transcripts.jsonl", HEADING)
