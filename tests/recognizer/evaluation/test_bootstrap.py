"""The bootstrap: its own properties, and agreement with theory."""

from __future__ import annotations

import numpy as np
import pytest

from recognizer.data.errors import SpeechError
from recognizer.evaluation.bootstrap import (
    improvement_probability,
    paired_difference,
    wer_interval,
)
from recognizer.evaluation.error_counts import ErrorCounts, grouped, total


def some_counts(seed: int, rate: float) -> list[ErrorCounts]:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(5, 30, size=150)
    return [ErrorCounts(int(n), 0, 0, int(generator.binomial(n, rate))) for n in lengths]


def test_the_interval_holds_the_rate_and_agrees_with_the_normal_approximation():
    counts = some_counts(1, 0.2)
    interval = wer_interval(counts, replications=4000)
    whole = total(counts)
    assert interval.low < whole.wer < interval.high
    # The spread of a ratio estimate, by the delta method.
    residuals = np.array([c.errors - whole.wer / 100 * c.words for c in counts])
    deviation = 100 * np.sqrt((residuals**2).sum()) / whole.words
    assert (interval.high - interval.low) == pytest.approx(2 * 1.96 * deviation, rel=0.08)
    assert interval == wer_interval(counts, replications=4000)


def test_the_paired_bootstrap_sees_a_gain_that_separate_intervals_hide():
    before = some_counts(2, 0.2)
    after = [
        ErrorCounts(c.words, 0, 0, max(0, c.substitutions - (i % 8 == 0)))
        for i, c in enumerate(before)
    ]
    assert wer_interval(after).high > wer_interval(before).low
    assert improvement_probability(before, after) > 0.99
    assert improvement_probability(after, before) < 0.01
    assert improvement_probability(before, before) == 0.0
    with pytest.raises(SpeechError, match="150 and 149"):
        improvement_probability(before, after[1:])


def test_the_difference_has_an_interval_of_its_own():
    before = some_counts(2, 0.2)
    after = [
        ErrorCounts(c.words, 0, 0, max(0, c.substitutions - (i % 8 == 0)))
        for i, c in enumerate(before)
    ]
    found = paired_difference(before, after, replications=4000)
    assert found.units == 150
    assert found.difference == pytest.approx(total(after).wer - total(before).wer)
    assert found.low < found.difference < found.high < 0
    same = paired_difference(before, before, replications=100)
    assert (same.difference, same.low, same.high) == (0.0, 0.0, 0.0)
    turned = paired_difference(after, before, replications=4000)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def test_speakers_who_differ_make_the_interval_wider():
    """Utterances of one speaker are alike: fewer independent observations than utterances."""
    good = [ErrorCounts(10, 0, 0, 1)] * 60
    bad = [ErrorCounts(10, 0, 0, 5)] * 60
    counts = good + bad
    speakers = [f"s{number // 20}" for number in range(120)]
    by_speaker = [total(one) for one in grouped(counts, speakers).values()]
    assert len(by_speaker) == 6
    narrow, wide = wer_interval(counts), wer_interval(by_speaker)
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)
