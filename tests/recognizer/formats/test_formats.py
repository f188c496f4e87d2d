"""Text, TSV, JSON and CTM of results; names of formats and of recordings."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.errors import UsageError
from recognizer.evaluation.time_marked import read_ctm_words
from recognizer.formats.names import FORMATS, SEVERAL, format_names, output_format
from recognizer.formats.recordings import Recording, recordings
from recognizer.formats.writing import formatted
from recognizer.recognition.result import Hypothesis, Result, TranscriptSegment, Word

NOTHING = Hypothesis((), 0.0, 0.0)
HOURS = 9 * 3600.0
FIRST = (Word("go", 0.125, 0.49, 0.98765), Word("left", 0.49, 1.0049, 0.5))
SECOND = (Word("stop", HOURS + 0.07, HOURS + 0.1, 1.0),)
RESULT = Result(
    FIRST + SECOND,
    HOURS + 1.0,
    100,
    NOTHING,
    NOTHING,
    segments=(
        TranscriptSegment(0.0, 1.5, FIRST),
        TranscriptSegment(2.0, 3.0, ()),
        TranscriptSegment(HOURS - 0.0016, HOURS + 0.5, SECOND),
    ),
)
EMPTY = Result((), 1.0, 0, NOTHING, NOTHING, segments=(TranscriptSegment(0.0, 1.0, ()),))
TALK = Recording("my talk.wav", "my_talk", alone=True)


def test_text_has_a_line_for_each_segment():
    assert formatted("text", TALK, RESULT) == "go left stop\n"
    assert formatted("txt", TALK, RESULT) == "go left\nstop\n"
    assert formatted("txt", TALK, EMPTY) == ""


def test_tsv_is_whispers():
    rows = list(csv.reader(io.StringIO(formatted("tsv", TALK, RESULT)), delimiter="\t"))
    assert rows == [
        ["start", "end", "text"],
        ["0", "1500", "go left"],
        ["32399998", "32400500", "stop"],
    ]
    assert formatted("tsv", TALK, EMPTY) == "start\tend\ttext\n"


def test_json_has_words_and_segments():
    text = formatted("json", TALK, RESULT)
    assert text.count("\n") == 1 and text.endswith("\n")
    found = json.loads(text)
    assert found["words"][0] == {"word": "go", "start": 0.125, "end": 0.49, "confidence": 0.9877}
    assert found["words"][2]["start"] == 32400.07
    assert found["segments"] == [
        {"start": 0.0, "end": 1.5, "text": "go left"},
        {"start": 2.0, "end": 3.0, "text": ""},
        {"start": 32399.998, "end": 32400.5, "text": "stop"},
    ]
    assert json.loads(formatted("json", TALK, EMPTY))["words"] == []


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=20), st.integers(0, 10**7))
def test_ctm_is_read_as_sclite_does(tmp_path_factory, lengths, offset):
    """Starts and ends to the hundredth, on recordings of hours too; words that touch still do."""
    words, time = [], offset * 0.01
    for length in lengths:
        words.append(Word("w", time, time + length / 1000, 0.5))
        time += length / 1000
    result = Result(tuple(words), time, 1, NOTHING, NOTHING)
    text = formatted("ctm", TALK, result)
    fields = [line.split() for line in text.splitlines()]
    starts = [round(100 * float(row[2])) for row in fields]
    ends = [round(100 * (float(row[2]) + float(row[3]))) for row in fields]
    assert starts[1:] == ends[:-1]
    last = math.floor(100 * time + 1e-6)  # nothing lies beyond the end of the recording
    assert starts == [min(round(100 * word.start), last) for word in words]
    assert ends[-1] == last
    path = tmp_path_factory.getbasetemp() / "words.ctm"
    path.write_text(text)
    ((key, read),) = read_ctm_words(path).items()
    assert key == ("my_talk", "1")
    assert [one.start for one in read] == [start / 100 for start in starts]
    for one, word in zip(read, words, strict=True):
        assert one.middle == pytest.approx((word.start + word.end) / 2, abs=0.0101)


def test_formats_are_found_by_name():
    assert format_names("srt, json,srt") == ("srt", "json")
    assert format_names(",".join(FORMATS)) == FORMATS
    for name, near in (("str", "srt"), (".vtt", "vtt"), ("JSON", "json"), ("webvtt", "vtt")):
        with pytest.raises(UsageError, match=rf"found '{name}' \(did you mean .*{near}"):
            format_names(f"txt,{name}")
    with pytest.raises(UsageError, match=r"found 'qqqqq'$"):
        format_names("qqqqq")
    with pytest.raises(UsageError, match="found ''"):
        format_names("srt,")


def test_one_format_for_standard_output():
    for name in FORMATS:
        assert output_format(name, 1) == name
        if name in SEVERAL:
            assert output_format(name, 2) == name
        else:
            with pytest.raises(UsageError, match=rf"{name}: expected one recording, found 2"):
                output_format(name, 2)
    with pytest.raises(UsageError, match=r"expected one format .* found srt, json"):
        output_format("srt,json", 1)


@given(st.lists(st.text("ab/. ", min_size=1, max_size=6), max_size=6))
def test_different_files_have_different_names(paths: list[str]):
    """Names have no white space, and those of a single file with a plain name are its own."""
    found = recordings(paths)
    assert [one.path for one in found] == paths
    names = {PurePath(one.path): one.name for one in found}
    assert len(set(names.values())) == len(names)
    assert all(name.split() == [name] for name in names.values())
    assert all(one.alone == (len(paths) == 1) for one in found)


def test_names_of_recordings():
    for paths, names in (
        (["x/a.wav", "y/b.wav"], ["a", "b"]),
        (["x/a.wav", "y/a.wav"], ["x_a", "y_a"]),
        (["1/x/a.wav", "2/x/a.wav"], ["1_x_a", "2_x_a"]),
        (["a.wav", "a.mp3"], ["a.wav", "a.mp3"]),
        (["x y/a.wav", "x_y/a.wav"], ["x_y_a.wav_1", "x_y_a.wav_2"]),
        (["a.wav", "a.wav", "./a.wav"], ["a", "a", "a"]),
        (["-"], ["-"]),
    ):
        assert [one.name for one in recordings(paths)] == names
