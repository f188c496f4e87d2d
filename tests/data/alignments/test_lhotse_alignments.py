"""Alignments in Lhotse's manifests, also in those that Lhotse itself writes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.alignments.exclusions import Exclusions
from recognizer.data.alignments.lhotse import read_lhotse
from recognizer.data.errors import SpeechError

ONE = {
    "id": "r-1",
    "recording_id": "r",
    "start": 10.25,
    "duration": 2.0,
    "channel": 0,
    "text": "hello",
    "alignment": {
        "word": [["hello", 10.5, 0.6, 0.875]],
        "phone": [["HH", 10.5, 0.1], ["OW", 10.6, 0.5, None]],
    },
}
EXPECTED = Alignment(
    "r-1",
    (Segment("hello", 0.25, 0.85, 0.875),),
    (Segment("HH", 0.25, 0.35), Segment("OW", 0.35, 0.85)),
)


def write(path: Path, *lines: object) -> Path:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["supervisions.jsonl", "supervisions.jsonl.gz"])
def test_manifest(tmp_path: Path, name: str) -> None:
    old = dict(ONE, id="old", start=10.5, alignment={
        "words": [{"symbol": "hello", "start": 10.5, "duration": 0.5}], "subword": [],
    })  # fmt: skip
    found = list(read_lhotse(write(tmp_path / name, ONE, old)))
    assert found == [EXPECTED, Alignment("old", (Segment("hello", 0.0, 0.5),))]


def test_what_lhotse_writes(tmp_path: Path) -> None:
    lhotse = pytest.importorskip("lhotse", reason="lhotse is the peer")
    from lhotse.supervision import AlignmentItem

    supervision = lhotse.SupervisionSegment(
        id="r-1", recording_id="r", start=10.25, duration=2.0, channel=0, text="hello",
        alignment={
            "word": [AlignmentItem("hello", 10.5, 0.6, 0.875)],
            "phone": [AlignmentItem("HH", 10.5, 0.1), AlignmentItem("OW", 10.6, 0.5)],
        },
    )  # fmt: skip
    path = tmp_path / "supervisions.jsonl.gz"
    lhotse.SupervisionSet.from_segments([supervision]).to_file(path)
    assert list(read_lhotse(path)) == [EXPECTED]


def test_what_cannot_be_used_is_counted_or_an_error(tmp_path: Path) -> None:
    bare = {key: value for key, value in ONE.items() if key != "alignment"}
    early = dict(ONE, id="early", alignment={"phone": [["HH", 9.0, 0.1]]})
    negative = dict(ONE, id="negative", alignment={"phone": [["HH", 11.0, -0.1]]})
    path = write(tmp_path / "a.jsonl", bare, early, negative, ONE)
    exclusions = Exclusions()
    assert list(read_lhotse(path, exclusions=exclusions)) == [EXPECTED]
    assert exclusions.counts == {"supervisions without alignment": 1, "impossible segments": 2}
    with pytest.raises(SpeechError, match=r"a\.jsonl:1: r-1: expected an alignment of words or"):
        list(read_lhotse(path))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[1, 2]", ":1: expected a supervision in JSON with id, start and alignment"),
        ('{"id": "u"}', ":1: expected a supervision in JSON"),
        ("{", ":1: expected a supervision in JSON"),
        (
            '{"id": "u", "start": 0, "alignment": {"word": [["a", 0]]}}',
            ":1: word: expected [symbol, start, duration, score], found ['a', 0]",
        ),
    ],
)
def test_faulty_manifests(tmp_path: Path, line: str, expected: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(SpeechError) as caught:
        list(read_lhotse(path, exclusions=Exclusions()))
    assert str(caught.value).startswith(f"{path}{expected}")
