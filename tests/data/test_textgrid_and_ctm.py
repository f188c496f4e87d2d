"""Alignments to TextGrid and CTM and back."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.alignment import (
    Alignment,
    Segment,
    TextGridForm,
    ctm_line,
    read_ctm,
    read_textgrid,
    write_ctm,
    write_textgrid,
)
from data.errors import SpeechError

HELLO = Alignment(
    "u",
    (Segment("hello", 0.31, 0.8), Segment('say"so', 0.8, 1.25)),
    (
        Segment("SIL", 0.0, 0.31),
        Segment("HH", 0.31, 0.4),
        Segment("AH", 0.4, 0.8),
        Segment("S", 0.8, 1.25),
    ),
)
FORMS: tuple[TextGridForm, ...] = ("long", "short")

MFA = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 1.5
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "jane - words"
        xmin = 0
        xmax = 1.5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 1.1
            text = "hello"
        intervals [3]:
            xmin = 1.1
            xmax = 1.5
            text = ""
    item [2]:
        class = "TextTier"
        name = "events"
        xmin = 0
        xmax = 1.5
        points: size = 1
        points [1]:
            number = 0.7
            mark = "click"
"""


def segments(scale: int) -> st.SearchStrategy[tuple[Segment, ...]]:
    """Segments in order of time, with gaps, at multiples of 1/scale seconds."""
    labels = st.text(
        st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_characters="\x7f\x85\xa0"),
        min_size=1,
        max_size=6,
    ).filter(lambda label: label.split() == [label])

    def build(times: set[int], names: list[str]) -> tuple[Segment, ...]:
        ends = sorted(times)
        pairs = list(pairwise(ends))[::2]
        return tuple(
            Segment(name, start / scale, end / scale)
            for name, (start, end) in zip(names, pairs, strict=False)
        )

    return st.builds(
        build,
        st.sets(st.integers(0, 60 * scale), min_size=2, max_size=16),
        st.lists(labels, min_size=8, max_size=8),
    )


def message(path: Path) -> str:
    with pytest.raises(SpeechError) as caught:
        read_textgrid(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("form", FORMS)
def test_textgrid(tmp_path: Path, form: TextGridForm) -> None:
    path = tmp_path / "u.TextGrid"
    write_textgrid(HELLO, path, form=form)
    assert read_textgrid(path) == HELLO
    write_textgrid(HELLO, path, form=form, duration=2.0)
    assert read_textgrid(path) == HELLO
    assert "xmax = 2" in path.read_text() or "\n2\n" in path.read_text()
    write_textgrid(Alignment("u", HELLO.words), path, form=form)
    assert read_textgrid(path) == Alignment("u", HELLO.words)
    write_textgrid(Alignment("u"), path, form=form, duration=1.0)
    assert read_textgrid(path) == Alignment("u")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_textgrid_encodings(tmp_path: Path, form: TextGridForm, encoding: str) -> None:
    path = tmp_path / "u.TextGrid"
    alignment = Alignment("u", (Segment("café", 0.0, 1.0),))
    write_textgrid(alignment, path, form=form)
    path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    assert read_textgrid(path) == alignment


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(words=segments(10000), phones=segments(100), form=st.sampled_from(FORMS))
def test_textgrid_round_trip(
    tmp_path: Path,
    words: tuple[Segment, ...],
    phones: tuple[Segment, ...],
    form: TextGridForm,
) -> None:
    path = tmp_path / "u.TextGrid"
    alignment = Alignment("u", words, phones)
    write_textgrid(alignment, path, duration=60.0, form=form)
    assert read_textgrid(path) == alignment


def test_tiers_of_other_programs(tmp_path: Path) -> None:
    path = tmp_path / "m.TextGrid"
    path.write_text(MFA)
    assert read_textgrid(path) == Alignment("m", (Segment("hello", 0.5, 1.1),))
    path.write_text(MFA.replace("jane - words", "sentences"))
    assert "expected interval tiers words and phones, found 'sentences', 'events'" in message(path)
    path.write_text(MFA.replace('"hello"', '"hello there"'))
    assert "expected a label without white space, found 'hello there'" in message(path)
    path.write_text(MFA.replace("xmax = 1.1", "xmax = 0.4"))
    assert message(path).startswith(f"{path}: expected a whole TextGrid, found a damaged one")


@pytest.mark.parametrize("form", FORMS)
def test_a_textgrid_cut_short_is_never_half_read(tmp_path: Path, form: TextGridForm) -> None:
    path = tmp_path / "u.TextGrid"
    write_textgrid(HELLO, path, form=form, duration=2.0)
    text = path.read_text()
    refused = 0
    for length in range(0, len(text), 7):
        path.write_text(text[:length])
        try:
            assert read_textgrid(path) == HELLO
        except SpeechError as error:
            refused += 1
            assert str(path) in str(error)
    assert refused > 0.9 * len(text) / 7


def test_what_is_no_textgrid(tmp_path: Path) -> None:
    path = tmp_path / "x.TextGrid"
    for content in (b"", b"hello", b"[1, 2]", bytes(range(256)), b"\xff\xfe\x00"):
        path.write_bytes(content)
        assert "expected a Praat TextGrid, found something else" in message(path)
    assert "no such file" in message(tmp_path / "no.TextGrid")
    assert "found a directory" in message(tmp_path)


def test_what_no_textgrid_can_hold(tmp_path: Path) -> None:
    path = tmp_path / "u.TextGrid"
    with pytest.raises(SpeechError, match=r"expected a duration of at least 1\.25 s"):
        write_textgrid(HELLO, path, duration=1.0)
    with pytest.raises(SpeechError, match="above 0"):
        write_textgrid(Alignment("u"), path)
    with pytest.raises(SpeechError, match=r"segments of at least 0\.1 ms, found 'a'"):
        write_textgrid(Alignment("u", (Segment("a", 1.0, 1.00001),)), path)
    assert list(tmp_path.iterdir()) == []


def test_impossible_segments() -> None:
    for start, end in [(-0.1, 1.0), (1.0, 0.5), (0.0, float("inf")), (float("nan"), 1.0)]:
        with pytest.raises(SpeechError, match="expected 0 <= start <= end"):
            Segment("a", start, end)
    for label in ("", "two words", " a", "a\n"):
        with pytest.raises(SpeechError, match="label without white space"):
            Segment(label, 0.0, 1.0)
    with pytest.raises(SpeechError, match=r"found 'b' at 0\.5 s before the end"):
        Alignment("u", (Segment("a", 0.0, 0.6), Segment("b", 0.5, 1.0)))
    assert Segment("a", 0.25, 1.0).duration == 0.75
    assert HELLO.end == 1.25
    assert Alignment("u").end == 0.0


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
    assert ctm_line("u", HELLO.words[0], channel="B") == "u B 0.310 0.490 hello"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(words=segments(1000), phones=segments(100))
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
