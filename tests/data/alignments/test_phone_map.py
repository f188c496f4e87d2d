"""Mapping phones by a table, and reports of what was left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.alignments.exclusions import Exclusions, exclude
from recognizer.data.alignments.phone_map import PhoneMap, UnknownPhoneError, read_phone_map
from recognizer.data.errors import SpeechError


def phones(text: str) -> tuple[Segment, ...]:
    """Phones of a tenth of a second each; `.` is a gap."""
    return tuple(
        Segment(label, round(i / 10, 1), round((i + 1) / 10, 1))
        for i, label in enumerate(text.split())
        if label != "."
    )


def spans(alignment: Alignment) -> list[tuple[str, float, float]]:
    return [(p.label, p.start, p.end) for p in alignment.phones]


TABLE = PhoneMap({"a": "A", "b": "B", "q": None, "h#": "SIL"}, "t.map")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a b", [("A", 0.0, 0.1), ("B", 0.1, 0.2)]),
        ("a q b", [("A", 0.0, 0.2), ("B", 0.2, 0.3)]),
        ("a q q b", [("A", 0.0, 0.3), ("B", 0.3, 0.4)]),
        ("q q a", [("A", 0.0, 0.3)]),
        (". q a", [("A", 0.1, 0.3)]),
        ("a . q . b", [("A", 0.0, 0.1), ("B", 0.4, 0.5)]),
        ("a . q q", [("A", 0.0, 0.1)]),
        ("h# q", [("SIL", 0.0, 0.2)]),
        ("q . a", [("A", 0.2, 0.3)]),
        ("a_B q_I b_E", [("A_B", 0.0, 0.2), ("B_E", 0.2, 0.3)]),
    ],
)
def test_time_of_dropped_phones_goes_to_a_neighbour(
    before: str, after: list[tuple[str, float, float]]
) -> None:
    words = (Segment("w", 0.0, 0.1),)
    found = TABLE.apply(Alignment("u", words, phones(before)))
    assert spans(found) == after
    assert found.words == words


def test_an_unknown_phone_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        UnknownPhoneError, match=r"^u: at 0\.1 s: expected a phone of t\.map, found 'x'$"
    ):
        TABLE.apply(Alignment("u", (), phones("a x")))
    with pytest.raises(UnknownPhoneError, match=r"^f\.phn: at 0 s"):
        TABLE.apply(Alignment("u", (), phones("x")), "f.phn")


def test_tables(tmp_path: Path) -> None:
    path = tmp_path / "a.map"
    path.write_text("; from the paper\n\na A\nq\nh# SIL\n")
    assert read_phone_map(path) == PhoneMap({"a": "A", "q": None, "h#": "SIL"}, str(path))
    for text, expected in [
        ("a A A\n", ":1: expected an old phone and perhaps a new one"),
        ("a A\na B\n", ":2: expected every phone once, found 'a' again"),
        ("\n", ": expected a table of phones, found none"),
    ]:
        path.write_text(text)
        with pytest.raises(SpeechError) as caught:
            read_phone_map(path)
        assert str(caught.value).startswith(f"{path}{expected}")


def test_the_report_counts_all_and_names_the_first() -> None:
    exclusions = Exclusions()
    assert exclusions.lines() == [] and exclusions.total == 0
    for i in range(5):
        exclude(exclusions, "unknown phones", f"u{i}: expected a phone, found 'x'")
    exclude(exclusions, "no audio", "v: expected audio, found none")
    assert exclusions.counts == {"unknown phones": 5, "no audio": 1} and exclusions.total == 6
    assert exclusions.lines() == [
        "5 left out: unknown phones",
        "  u0: expected a phone, found 'x'",
        "  u1: expected a phone, found 'x'",
        "  u2: expected a phone, found 'x'",
        "  and 2 more",
        "1 left out: no audio",
        "  v: expected audio, found none",
    ]
    with pytest.raises(SpeechError, match="v: expected audio, found none"):
        exclude(None, "no audio", "v: expected audio, found none")
