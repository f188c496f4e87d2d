"""TIMIT's .phn and .wrd files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from alignments import segments
from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.alignments.timit import read_timit, write_timit
from recognizer.data.errors import SpeechError, UsageError


def test_samples_become_seconds_and_shared_phones_go_to_the_second_word(tmp_path: Path) -> None:
    phn, wrd = tmp_path / "SA1.PHN", tmp_path / "SA1.WRD"
    phn.write_text("0 3050 h#\n3050 4559 hv\n4559 9190 ae\n9190 10337 jh\n10337 11517 axr\n")
    wrd.write_text("3050 10337 had\n9190 11517 your\n")
    found = read_timit(phn, wrd)
    assert found.utterance == "SA1"
    assert found.words == (Segment("had", 0.190625, 0.574375), Segment("your", 0.574375, 0.7198125))
    assert [phone.label for phone in found.phones] == ["h#", "hv", "ae", "jh", "axr"]
    assert found.phones[3] == Segment("jh", 0.574375, 0.6460625)
    assert read_timit(None, wrd).phones == () and read_timit(phn).words == ()
    assert read_timit(phn, sample_rate=8000).end == 2 * read_timit(phn).end
    with pytest.raises(UsageError, match="found neither"):
        read_timit(None)
    with pytest.raises(UsageError, match="at least 1 Hz, found 0"):
        read_timit(phn, sample_rate=0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(phones=segments(16_000))
def test_round_trip(tmp_path: Path, phones: tuple[Segment, ...]) -> None:
    path = tmp_path / "u.phn"
    write_timit(phones, path)
    if phones:
        assert read_timit(path) == Alignment("u", (), phones)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "u.phn: expected labelled times, found none"),
        ("0 10 a\n10 x b\n", "u.phn:2: expected first sample, end and label, found '10 x b'"),
        ("0 10\n", "u.phn:1: expected first sample, end and label"),
        ("10 5 a\n", "u.phn:1: expected an end of at least 10, found 5"),
        ("0 3200 a\n1600 4800 b\n", "u.phn: utterance u: expected segments that do not overlap"),
    ],
)
def test_faulty_files(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "u.phn"
    path.write_text(text)
    with pytest.raises(SpeechError) as caught:
        read_timit(path)
    assert expected in str(caught.value)
