"""Segments and alignments that cannot be."""

from __future__ import annotations

import pytest

from alignments import HELLO
from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.errors import SpeechError


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
