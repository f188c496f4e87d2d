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
