"""Postings of the spans of a long recording."""

from __future__ import annotations

import numpy as np

from recognizer.decoding.keywords.postings import Postings
from recognizer.keywords.indexing import joined_spans
from recognizer.long.segmentation import Span


def postings(*spans: tuple[int, int]) -> Postings:
    """A word of id 1 for each span of frames, each arc from a state to the next."""
    count = len(spans)
    return Postings(
        words=np.ones(count, dtype=np.int32),
        sources=np.arange(count, dtype=np.int64),
        targets=np.arange(1, count + 1, dtype=np.int64),
        begins=np.array([begin for begin, _ in spans], dtype=np.int32),
        ends=np.array([end for _, end in spans], dtype=np.int32),
        posteriors=np.ones(count, dtype=np.float32),
        continuations=np.ones(count, dtype=np.float32),
    )


def test_words_around_a_cut_come_once() -> None:
    # Both spans hear frames 30 to 70; the cut is at 50.
    first = postings((0, 10), (40, 50), (46, 53), (50, 60))
    second = postings((10, 20), (16, 23), (20, 30), (60, 70))
    third = postings((0, 5))
    found, states = joined_spans(
        [
            (Span(0, 70, cut=50), (first, 5)),
            (Span(30, 110), (second, 5)),
            (Span(200, 210), (third, 2)),
        ]
    )
    assert states == 12
    times = list(zip(found.begins.tolist(), found.ends.tolist(), strict=True))
    # The word of frames 46 to 53 has its middle before the cut, that of 50 to 60 behind it.
    assert times == [(0, 10), (40, 50), (46, 53), (50, 60), (90, 100), (200, 205)]
    assert found.sources.tolist() == [0, 1, 2, 7, 8, 10]


def test_a_recording_without_speech_has_no_postings() -> None:
    found, states = joined_spans([])
    assert (len(found), states) == (0, 0)
