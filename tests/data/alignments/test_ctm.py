"""Alignments to CTM and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from alignments import HELLO, segments
from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.alignments.ctm import ctm_line, read_ctm, write_ctm
from recognizer.data.alignments.exclusions import Exclusions
from recognizer.data.errors import SpeechError


def test_ctm(tmp_path: Path) -> None:
    words, phones = tmp_path / "words.ctm", tmp_path / "phones.ctm"
    sure = Alignment("v", (Segment("yes", 0.1, 0.35, 0.875),))
    write_ctm([HELLO, sure], words)
    assert words.read_text() == (
        'u 1 0.310 0.490 hello\nu 1 0.800 0.450 say"so\nv 1 0.100 0.250 yes 0.8750\n'
    )
    write_ctm([HELLO, sure], phones, tier="phones", channel="A")
    assert phones.read_text().startswith("u A 0.000 0.310 SIL\n")
    assert read_ctm(words, phones) == {"u": HELLO, "v": sure}
    assert read_ctm(words)["u"] == Alignment("u", HELLO.words)
    assert read_ctm(phones=phones)["u"] == Alignment("u", (), HELLO.phones)
    assert ctm_line("u", HELLO.words[0], channel="B") == "u B 0.310 0.490 hello"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(words=segments(10**6), phones=segments(100))
def test_ctm_round_trip(
    tmp_path: Path, words: tuple[Segment, ...], phones: tuple[Segment, ...]
) -> None:
    alignment = Alignment("u", words, phones)
    write_ctm([alignment], tmp_path / "words.ctm")
    write_ctm([alignment], tmp_path / "phones.ctm", tier="phones")
    found = read_ctm(tmp_path / "words.ctm", tmp_path / "phones.ctm")
    assert found == {"u": alignment}


def test_ctm_of_kaldi_and_sclite(tmp_path: Path) -> None:
    path = tmp_path / "a.ctm"
    path.write_text(
        ";; a comment\n\nsw1 A 1.00 0.20 two 0.9\nsw1 A 0.50 0.30 one\nsw1 B 0.60 0.00 hm\n"
        "sw2 1 0.10 0.20 three 1.00\n"
    )
    assert read_ctm(path) == {
        "sw1-A": Alignment("sw1-A", (Segment("one", 0.5, 0.8), Segment("two", 1.0, 1.2, 0.9))),
        "sw1-B": Alignment("sw1-B", (Segment("hm", 0.6, 0.6),)),
        "sw2": Alignment("sw2", (Segment("three", 0.1, 0.3, 1.0),)),
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("u 1 0.5 word", "a.ctm:2: expected utterance, channel, start, duration, label"),
        ("u 1 x 0.5 word", "a.ctm:2: expected utterance, channel, start, duration, label"),
        ("u 1 0.5 0.5 word high", "a.ctm:2: expected utterance, channel, start"),
        ("u 1 0.5 -0.5 word", "a.ctm:2: segment 'word': expected 0 <= start <= end"),
        ("u 1 0.05 0.5 word", "a.ctm: utterance u: expected segments that do not overlap"),
    ],
)
def test_faulty_ctm(tmp_path: Path, line: str, expected: str) -> None:
    path = tmp_path / "a.ctm"
    path.write_text(f"u 1 0.0 0.1 first\n{line}\n")
    with pytest.raises(SpeechError) as caught:
        read_ctm(path)
    assert expected in str(caught.value)


def test_overlaps_are_counted_when_a_corpus_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.ctm"
    path.write_text("u 1 0.0 0.3 one\nu 1 0.1 0.3 two\nv 1 0.0 0.1 three\n")
    exclusions = Exclusions()
    assert list(read_ctm(path, exclusions=exclusions)) == ["v"]
    assert exclusions.counts == {"segments overlap": 1}
    assert "utterance u: expected segments that do not overlap" in exclusions.lines()[1]


@pytest.mark.parametrize(
    ("line", "name", "segment"),
    [
        ("my file 1 0.00 0.50 hello 0.9", "my file", Segment("hello", 0.0, 0.5, 0.9)),
        ("take 2 1 0.00 0.50 hello", "take 2", Segment("hello", 0.0, 0.5)),
        ("take 2 1 0.00 0.50 1", "take 2", Segment("1", 0.0, 0.5)),
        ("a 1 b 2 A 1.5 0.25 7 0.5", "a 1 b 2", Segment("7", 1.5, 1.75, 0.5)),
        ("u 1 0 1 7 1", "u", Segment("7", 0.0, 1.0, 1.0)),
        ("u 1 0.0 0.5 hello 0.9 lex spk", "u", Segment("hello", 0.0, 0.5, 0.9)),
        ("u 1 0,25 0,50 hello 0,9", "u", Segment("hello", 0.25, 0.75, 0.9)),
        ("my file 1 0,25 0,50 1,5", "my file", Segment("1,5", 0.25, 0.75)),
    ],
)
def test_names_with_spaces_and_decimal_commas(
    tmp_path: Path, line: str, name: str, segment: Segment
) -> None:
    path = tmp_path / "a.ctm"
    path.write_text(line + "\n")
    assert read_ctm(path) == {name: Alignment(name, (segment,))}


@pytest.mark.parametrize("time", ["1,234.5", "1,2,3", "inf", "nan", "x"])
def test_what_is_no_time(tmp_path: Path, time: str) -> None:
    path = tmp_path / "a.ctm"
    path.write_text(f"u 1 {time} 0.5 hello\n")
    with pytest.raises(SpeechError, match=r"a.ctm:1: expected utterance, channel, start"):
        read_ctm(path)


def test_two_recordings_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "a.ctm"
    first, second = "u 1 0.0 0.5 a\nu 1 0.6 0.5 b\n", "u 1 0.0 0.1 c\n"
    path.write_text(f"{first}v 1 0.0 0.5 x\n{second}")
    with pytest.raises(SpeechError, match=r"a.ctm:4: expected one recording of the name 'u'"):
        read_ctm(path)
    # One recording in two parts, and two channels line by line, are no such thing.
    path.write_text(f"{first}v 1 0.0 0.5 x\nu 1 2.0 0.1 c\n")
    assert [one.label for one in read_ctm(path)["u"].words] == ["a", "b", "c"]
    path.write_text("u A 0.0 0.5 a\nu B 0.0 0.5 b\nu A 0.6 0.5 c\nu B 0.6 0.5 d\n")
    assert {key: len(one.words) for key, one in read_ctm(path).items()} == {"u-A": 2, "u-B": 2}
    path.write_text("u A 0.0 0.5 a\nu B 0.0 0.5 b\nu-A 1 0.6 0.5 c\n")
    with pytest.raises(SpeechError, match="expected distinct names of recordings, found 'u-A'"):
        read_ctm(path)
