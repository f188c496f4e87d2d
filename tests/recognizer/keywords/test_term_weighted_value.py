"""Term-weighted values worked out by hand, and the matching against an assignment problem."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.errors import SpeechError
from recognizer.keywords.detections import Detection
from recognizer.keywords.term_weighted_value import (
    KeywordTrials,
    Occurrence,
    compared,
    find_occurrences,
    reference_words,
    term_weighted_values,
)


def detection(
    start: float, score: float, *, length: float = 0.2, recording: str = "r"
) -> Detection:
    return Detection(
        "k", "u", recording, start, start + length, score, score, decision=score >= 0.5
    )


def occurrence(start: float, *, length: float = 0.2, recording: str = "r") -> Occurrence:
    return Occurrence(recording, start, start + length)


def test_values_worked_out_by_hand() -> None:
    # Of two occurrences one is detected, one lies below the threshold; one false alarm.
    first = compared(
        "k",
        [detection(1.0, 0.9), detection(20.0, 0.6), detection(50.0, 0.3)],
        [occurrence(1.0), occurrence(50.1)],
    )
    assert (first.occurrences, first.correct, first.false_alarms) == (2, 1, 1)
    assert [trial.right for trial in first.trials] == [True, False, True]
    # 1 - 1/2 - 999.9 * 1 / (1002 - 2)
    assert first.value(1, 1, 1002.0, 999.9) == pytest.approx(0.5 - 0.9999)
    # Found without a mistake; 1001 seconds are without it.
    second = compared("l", [detection(5.0, 0.7)], [occurrence(5.0)])
    absent = compared("m", [detection(5.0, 0.99)], [])
    values = term_weighted_values([first, second, absent], 1002.0)
    assert (len(values.keywords), values.absent) == (2, ("m",))
    assert values.actual == pytest.approx((0.5 - 0.9999 + 1.0) / 2.0)
    # At 0.7: 1/2 and 1; at 0.6 a false alarm comes in; at 0.3 all are found at its cost.
    assert values.maximum == pytest.approx(0.75)
    assert values.threshold == 0.7
    assert values.optimum == pytest.approx((0.5 + 1.0) / 2.0)
    assert values.supreme == pytest.approx(1.0)


def test_nothing_detected_is_worth_nothing() -> None:
    missed = compared("k", [], [occurrence(1.0)])
    values = term_weighted_values([missed], 100.0)
    assert (values.actual, values.maximum, values.optimum, values.supreme) == (0, 0, 0, 0)
    assert values.threshold == float("inf")
    alarm = compared("k", [detection(50.0, 0.9)], [occurrence(1.0)])
    values = term_weighted_values([alarm], 1001.0, beta=100.0)
    assert values.actual == pytest.approx(-0.1)
    assert values.maximum == 0.0


def test_equal_scores_are_taken_together() -> None:
    trials = compared("k", [detection(1.0, 0.8), detection(50.0, 0.8)], [occurrence(1.0)])
    assert term_weighted_values([trials], 1001.0, beta=100.0).maximum == pytest.approx(0.9)
    assert term_weighted_values([trials], 1001.0, beta=2000.0).maximum == 0.0


@pytest.mark.parametrize(
    ("start", "right"), [(0.4, True), (0.3, False), (1.6, True), (1.7, False), (1.0, True)]
)
def test_the_middle_lies_within_half_a_second(start: float, right: bool) -> None:
    # The occurrence lasts from 1.0 to 1.2: middles from 0.5 to 1.7 are right.
    found = compared("k", [detection(start, 0.9)], [occurrence(1.0)])
    assert found.trials[0].right is right
    elsewhere = compared("k", [detection(1.0, 0.9)], [occurrence(1.0, recording="other")])
    assert not elsewhere.trials[0].right


def test_an_occurrence_is_found_once_by_the_highest_score_that_leaves_most_matched() -> None:
    found = compared(
        "k",
        [detection(1.0, 0.4), detection(1.1, 0.9), detection(1.2, 0.6)],
        [occurrence(1.0), occurrence(1.5)],
    )
    assert [(trial.score, trial.right) for trial in found.trials] == [
        (0.9, True),
        (0.6, True),
        (0.4, False),
    ]


numbers = st.lists(st.integers(0, 30), max_size=6)


@given(numbers, st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=6))
def test_matching_is_the_best_assignment(spoken: list[int], found: list[tuple[int, int]]) -> None:
    optimize = pytest.importorskip("scipy.optimize", reason="solves assignment problems")
    occurrences = [occurrence(number / 4.0) for number in spoken]
    hits = [detection(number / 4.0, score / 10.0) for number, score in found]
    trials = compared("k", hits, occurrences).trials
    # F4DE's weights without that of time: a match counts most, then its score.
    gains = np.zeros((len(hits), len(occurrences)))
    for row, hit in enumerate(hits):
        for column, said in enumerate(occurrences):
            middle = (hit.start + hit.end) / 2.0
            if said.start - 0.5 - 1e-9 <= middle <= said.end + 0.5 + 1e-9:
                gains[row, column] = 1.0 + 1e-3 * hit.score
    rows, columns = optimize.linear_sum_assignment(-gains)
    best = gains[rows, columns].sum()
    assert sum(1.0 + 1e-3 * one.score for one in trials if one.right) == pytest.approx(best)


def test_occurrences_of_phrases_in_a_reference() -> None:
    words = [("a", 0.0, 0.4), ("b", 0.9, 1.2), ("a", 2.0, 2.2), ("b", 2.8, 3.0), ("a", 3.0, 3.1)]
    reference = {"r": tuple(Segment(*word) for word in words)}
    assert find_occurrences(["a"], reference) == [
        Occurrence("r", 0.0, 0.4),
        Occurrence("r", 2.0, 2.2),
        Occurrence("r", 3.0, 3.1),
    ]
    # The second pair has a pause of 0.6 seconds.
    assert find_occurrences(["a", "b"], reference) == [Occurrence("r", 0.0, 1.2)]
    assert len(find_occurrences(["a", "b"], reference, 0.6)) == 2
    assert find_occurrences(["b", "a"], reference, 0.1) == [Occurrence("r", 2.8, 3.1)]
    assert find_occurrences(["a"] * 9, reference) == []


def test_words_of_a_reference_are_written_as_the_model_writes_them() -> None:
    alignment = Alignment("r", (Segment("21", 1.0, 2.0), Segment("GO", 2.0, 2.5)))
    assert reference_words({"r": alignment}, "")["r"] == alignment.words
    assert reference_words({"r": alignment}, "english")["r"] == (
        Segment("twenty", 1.0, 1.5),
        Segment("one", 1.5, 2.0),
        Segment("go", 2.0, 2.5),
    )


def test_impossible_references_are_refused() -> None:
    with pytest.raises(SpeechError, match="expected one that occurs in the reference, found none"):
        term_weighted_values([KeywordTrials("k", 0, ())], 10.0)
    with pytest.raises(SpeechError, match=r"'k': expected fewer occurrences than 2\.0 seconds"):
        term_weighted_values([KeywordTrials("k", 2, ())], 2.0)
