"""Where recordings are cut: by hand, and what holds for any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.errors import UsageError
from recognizer.long.segmentation import SegmentationOptions, Segmenter, Span

SHIFT = 0.1
OPTIONS = SegmentationOptions(
    min_length=3.0,
    max_length=10.0,
    long_silence=1.0,
    max_silence=2.0,
    min_silence=0.3,
    padding=0.4,
    overlap=1.0,
    smoothing=0.0,
    threshold=0.0,
)


def spans(odds: np.ndarray, sizes: list[int] | None = None, **changed: float) -> list[Span]:
    """The spans of log odds that come in pieces of some sizes, which are used over and over."""
    segmenter = Segmenter(SegmentationOptions(**{**OPTIONS.__dict__, **changed}), SHIFT)
    found = []
    position, sizes = 0, list(sizes or [1000])
    while position < len(odds):
        size = sizes[0]
        found += segmenter.accept(odds[position : position + size])
        position += size
        sizes = [*sizes[1:], size]
    return found + segmenter.finish()


def frames(*runs: int) -> np.ndarray:
    """Log odds of speech and silence in turn, so many frames of each, speech first."""
    signs = [-1.0 if index % 2 == 0 else 1.0 for index in range(len(runs))]
    return np.repeat(np.array(signs, np.float32), runs)


def test_a_long_silence_ends_a_segment():
    """Each keeps the padding; silence before the minimum length must be longer."""
    assert spans(frames(40, 10, 40)) == [Span(0, 44), Span(46, 90)]
    assert spans(frames(40, 9, 40)) == [Span(0, 89)]
    assert spans(frames(29, 19, 40)) == [Span(0, 88)]
    assert spans(frames(29, 20, 40)) == [Span(0, 33), Span(45, 89)]


def test_silence_at_the_ends_is_left_out():
    assert spans(frames(0, 50, 20, 50)) == [Span(46, 74)]
    assert spans(frames(0, 2, 20, 3)) == [Span(0, 25)]
    assert spans(frames(0, 300)) == []
    assert spans(np.zeros(0, np.float32)) == []


def test_the_longest_silence_within_the_window_is_cut_in():
    # 0..29 is too early; of 35..39, 50..56 and 80..84 the second is the longest.
    odds = frames(20, 9, 6, 4, 11, 6, 24, 4, 60)
    assert spans(odds)[0] == Span(0, 53)
    assert spans(odds)[1].begin == 53
    # Of a silence that reaches out of the window, what is in it counts.
    odds = frames(50, 3, 42, 9, 60)
    assert spans(odds)[0] == Span(0, 97)


def test_where_there_is_no_silence_both_segments_have_the_cut():
    odds = np.full(150, -5.0, np.float32)
    odds[70] = -1.0
    odds[40] = -0.5  # before the half of the maximum length
    first, second = spans(odds)
    assert first == Span(0, 80, cut=70)
    assert second == Span(60, 150)


def test_averaging_bridges_what_is_shorter():
    odds = frames(30, 3, 1, 3, 1, 3, 1, 3, 30)
    assert len(spans(odds, long_silence=0.8)) == 1
    assert len(spans(odds, long_silence=0.8, smoothing=0.4)) == 2


RUNS = st.lists(st.integers(1, 45), max_size=40)


@given(
    runs=RUNS, sizes=st.lists(st.integers(1, 90), min_size=1, max_size=8), seed=st.integers(0, 9)
)
def test_spans_do_not_depend_on_the_pieces(runs: list[int], sizes: list[int], seed: int):
    odds = frames(*runs)
    odds = odds + np.random.default_rng(seed).normal(0, 0.7, len(odds)).astype(np.float32)
    assert spans(odds, sizes, smoothing=0.4) == spans(odds, smoothing=0.4)


@given(runs=RUNS, quiet=st.booleans())
def test_all_speech_is_in_spans_of_bounded_length(runs: list[int], quiet: bool):
    odds = frames(*([0, *runs] if quiet else runs))
    found = spans(odds)
    covered = np.zeros(len(odds), bool)
    for index, span in enumerate(found):
        assert 0 <= span.begin < span.end <= len(odds)
        assert span.end - span.begin <= 100 + (10 if span.cut is not None else 0)
        covered[span.begin : span.end] = True
        if index:
            before = found[index - 1]
            assert span.begin == before.cut - 10 if before.cut else span.begin >= before.end
        if span.cut is not None:
            assert span.begin + 50 <= span.cut < span.end
    assert covered[odds < 0].all()
    # Silence is kept at the ends of segments and between words only.
    assert len(odds) - covered.sum() >= sum(max(0, run - 20) for run in _silences(odds))


def _silences(odds: np.ndarray) -> list[int]:
    edges = np.flatnonzero(np.diff(odds > 0, prepend=False, append=False))
    return [int(end - begin) for begin, end in edges.reshape(-1, 2)]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"max_length": 9.0}, "max_length: expected at least twice the min_length 5.0"),
        ({"overlap": 8.0}, "max_length: .* four times the overlap 8.0"),
        ({"long_silence": 0.7}, "long_silence: expected at least twice the padding 0.4"),
        ({"max_silence": 0.5}, "max_silence: expected at least the long_silence 0.8"),
        ({"min_silence": 0.0}, "min_silence: expected more than 0, found 0.0"),
        ({"padding": -1.0}, "padding: expected at least 0, found -1.0"),
        ({"threshold": float("nan")}, "threshold: expected a finite number"),
    ],
)
def test_impossible_lengths_are_refused(changed: dict[str, float], message: str):
    with pytest.raises(UsageError, match=message):
        SegmentationOptions(**changed)
