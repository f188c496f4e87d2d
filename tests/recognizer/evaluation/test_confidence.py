"""Measures of confidences: by hand, and against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.evaluation.confidence import (
    cross_entropy,
    expected_calibration_error,
    normalized_cross_entropy,
    reliability,
    right_words,
)


def test_cross_entropy_of_confidences():
    right = np.array([True, True, False, True])
    assert cross_entropy(np.full(4, 0.5), right) == pytest.approx(1.0)
    share = cross_entropy(np.full(4, 0.75), right)
    assert share == pytest.approx(-(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25)))
    assert cross_entropy(np.array([0.9, 0.9, 0.2, 0.8]), right) < share
    # Sure and wrong costs much, but not everything.
    assert cross_entropy(np.ones(4), right) == pytest.approx(-np.log2(0.001) / 4, rel=1e-3)
    assert cross_entropy(np.zeros(0), np.zeros(0, dtype=bool)) == 0.0


def test_the_calibration_error_of_four_words():
    """By hand: two words in (0.8, 0.9], one of them right; one in (0.1, 0.2]; one at 0."""
    bins = reliability(np.array([0.9, 0.85, 0.2, 0.0]), np.array([True, False, False, False]))
    assert [one.words for one in bins] == [1, 1, 0, 0, 0, 0, 0, 0, 2, 0]
    assert bins[8].confidence == pytest.approx(0.875)
    assert bins[8].accuracy == 0.5
    expected = (2 * 0.375 + 1 * 0.2 + 1 * 0.0) / 4
    assert expected_calibration_error(bins) == pytest.approx(expected)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=40), st.integers(1, 20))
def test_the_calibration_error_is_its_definition(words, number):
    confidences = np.array([confidence for confidence, _ in words])
    right = np.array([flag for _, flag in words], dtype=bool)
    bins = reliability(confidences, right, number)
    assert sum(one.words for one in bins) == len(words)
    expected = 0.0
    for one in bins:
        inside = (confidences > one.low) & (confidences <= one.high)
        if one.low == 0.0:
            inside |= confidences == 0.0
        assert one.words == inside.sum()
        if inside.any():
            gap = abs(right[inside].mean() - confidences[inside].mean())
            expected += inside.mean() * gap
    assert expected_calibration_error(bins) == pytest.approx(expected)


def test_confidences_that_are_true_have_no_calibration_error():
    confidences = np.repeat([0.25, 0.75], 400)
    right = np.concatenate([np.arange(400) % 4 == 0, np.arange(400) % 4 != 0])
    assert expected_calibration_error(reliability(confidences, right)) == pytest.approx(0.0)
    assert expected_calibration_error(reliability(np.zeros(0), np.zeros(0, bool))) == 0.0


def test_normalised_cross_entropy_of_nist():
    right = np.array([True, True, True, False])
    assert normalized_cross_entropy(np.full(4, 0.75), right) == pytest.approx(0.0)
    assert normalized_cross_entropy(np.array([0.999, 0.999, 0.999, 0.001]), right) > 0.99
    assert normalized_cross_entropy(np.array([0.1, 0.1, 0.1, 0.9]), right) < 0
    for same in (right[:3], ~right[:3], right[:0]):
        assert normalized_cross_entropy(np.full(len(same), 0.5), same) == 0.0


def test_right_words_follow_the_alignment():
    assert right_words(["a", "b", "c"], ["a", "x", "c", "d"]) == [True, False, True, False]
    assert right_words(["a"], []) == []
