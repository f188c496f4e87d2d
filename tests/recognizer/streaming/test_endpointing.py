"""Endpoint rules: each condition by hand, and evaluation at fixed frames."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.errors import UsageError
from recognizer.streaming.endpointing import Endpointer, EndpointOptions, EndpointRule


@dataclass
class Search:
    """What a search would say; silence as a function of the frame."""

    num_frames: int = 0
    trailing_silence: int = 0
    final_relative_cost: float = math.inf


def rule_at(
    seconds: float, silence: float, cost: float = math.inf, shift: float = 0.01
) -> str | None:
    """The rule that holds at a time, with the interval of one frame."""
    endpointer = Endpointer(EndpointOptions(check_interval=shift), shift)
    return endpointer.endpoint(Search(round(seconds / shift), round(silence / shift), cost))


@pytest.mark.parametrize("shift", [0.01, 0.03])
def test_the_default_rules_are_those_of_kaldi(shift):
    """The boundary of every condition of rule1 to rule5, one frame before and at it."""
    for seconds, silence, cost, expected in (
        (4.98, 4.98, 0.0, None),
        (5.01, 5.01, math.inf, "nothing_said"),
        (3.0, 0.48, 2.0, None),
        (3.0, 0.51, 2.0, "final_state"),
        (3.0, 0.51, 2.1, None),
        (3.0, 0.99, 8.0, None),
        (3.0, 1.02, 8.0, "likely_final_state"),
        (3.0, 1.02, 8.1, None),
        (3.0, 1.98, math.inf, None),
        (3.0, 2.01, math.inf, "any_state"),
        (3.0, 3.0, 0.0, None),  # nothing was said
        (19.98, 0.0, math.inf, None),
        (20.01, 0.0, math.inf, "length"),
    ):
        assert rule_at(seconds, silence, cost, shift) == expected, (seconds, silence, cost)


@pytest.mark.parametrize("shift", [0.01, 0.03, 1 / 30])
def test_a_rule_holds_at_its_own_number_of_frames(shift):
    """Whole numbers of frames are not lost to rounding, however many."""
    for frames in range(1, 400):
        rule = EndpointRule(True, frames * shift)
        never = EndpointRule(False, math.inf)
        options = EndpointOptions(never, rule, never, never, never, shift)
        endpointer = Endpointer(options, shift)
        assert endpointer.endpoint(Search(frames + 1, frames)) == "final_state"
        assert endpointer.endpoint(Search(frames + 1, frames - 1)) is None
        assert endpointer.endpoint(Search(frames, frames)) is None


@given(
    pieces=st.lists(st.integers(1, 50), min_size=1, max_size=60),
    speech=st.integers(0, 300),
    interval=st.integers(1, 40),
)
def test_endpoints_do_not_depend_on_the_pieces(pieces, speech, interval):
    """Frames that come in any pieces end the utterance where they do one by one."""
    total = sum(pieces)
    endpointer = Endpointer(EndpointOptions(check_interval=interval * 0.01), 0.01)

    def first_endpoint(sizes: list[int]) -> int | None:
        search = Search()
        for size in sizes:
            left = size
            while left:
                step = min(left, endpointer.frames_to_check(search.num_frames))
                assert step >= 1
                search.num_frames += step
                search.trailing_silence = max(0, search.num_frames - speech)
                left -= step
                if endpointer.endpoint(search):
                    return search.num_frames
        return None

    found = first_endpoint(pieces)
    assert found == first_endpoint([1] * total)
    needed = 500 if speech == 0 else speech + 200
    expected = -(-needed // interval) * interval
    assert found == (expected if expected <= total else None)


def test_wrong_options_are_refused():
    with pytest.raises(UsageError, match="min_trailing_silence: expected a number of at least 0"):
        EndpointRule(True, -1.0)
    with pytest.raises(UsageError, match="max_relative_cost"):
        EndpointRule(True, 1.0, math.nan)
    with pytest.raises(UsageError, match=r"check_interval: .* found 0"):
        EndpointOptions(check_interval=0.0)
