"""Alignments that the tests of their formats share."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st

from recognizer.data.alignments.alignment import Alignment, Segment

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
