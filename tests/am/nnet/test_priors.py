from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import network_kinds
from recognizer.am.nnet.inference import log_posteriors
from recognizer.am.nnet.native import NativeNetwork
from recognizer.am.nnet.priors import DISABLED_LOG_PRIOR, count_labels, state_priors, sum_posteriors
from recognizer.data.errors import SpeechError, UsageError


def test_silence_is_divided_and_all_renormalised() -> None:
    # Silence 270 + 27 -> 100 + 10; with 90 others the whole is 200.
    log_priors = state_priors([270, 27, 30, 60], silence_pdfs=[0, 1])
    np.testing.assert_allclose(np.exp(log_priors), [0.5, 0.05, 0.15, 0.3], rtol=1e-6)


def test_weight_one_gives_relative_frequencies() -> None:
    log_priors = state_priors([1, 3, 4], silence_pdfs=[0], silence_weight=1.0)
    np.testing.assert_allclose(np.exp(log_priors), [1 / 8, 3 / 8, 4 / 8], rtol=1e-6)


def test_unseen_states_are_disabled_and_finite() -> None:
    log_priors = state_priors([2, 0, 2], silence_pdfs=[])
    assert log_priors[1] == np.float32(DISABLED_LOG_PRIOR)
    assert np.isfinite(log_priors).all()
    np.testing.assert_allclose(np.exp(log_priors[[0, 2]]), 0.5)
    likelihood = np.float32(0.0) - log_priors
    assert np.isfinite(likelihood).all() and likelihood[1] < -1e18


@given(
    st.lists(st.integers(0, 10**7), min_size=2, max_size=30).filter(lambda c: sum(c) > 0),
    st.floats(0.5, 10.0),
)
def test_priors_sum_to_one(counts: list[int], weight: float) -> None:
    log_priors = state_priors(counts, silence_pdfs={0}, silence_weight=weight)
    seen = np.array(counts) > 0
    assert math.isclose(float(np.exp(log_priors[seen].astype(float)).sum()), 1.0, rel_tol=1e-5)


def test_count_labels_skips_padding() -> None:
    labels = [np.array([0, 2, 2, -1], dtype=np.int32), np.array([1], dtype=np.int32)]
    assert count_labels(labels, 4).tolist() == [1, 1, 2, 0]
    with pytest.raises(SpeechError, match="below 2, found 2"):
        count_labels(labels, 2)


def test_wrong_use() -> None:
    with pytest.raises(UsageError, match="silence weight"):
        state_priors([1, 2], [0], silence_weight=0.0)
    with pytest.raises(UsageError, match="found 5"):
        state_priors([1, 2], [5])
    with pytest.raises(SpeechError, match="found none"):
        state_priors([0, 0], [])
    with pytest.raises(SpeechError, match=">= 0"):
        state_priors([-1, 2], [])


def test_states_that_are_not_seen_keep_what_was_known() -> None:
    known = np.log(np.array([0.5, 0.25, 0.25, 1.0])).astype(np.float32)
    known[3] = DISABLED_LOG_PRIOR
    log_priors = state_priors([30, 0, 10, 0], silence_pdfs=[], known=known)
    np.testing.assert_allclose(np.exp(log_priors[:3]), [0.6, 0.2, 0.2], rtol=1e-6)
    assert log_priors[3] == DISABLED_LOG_PRIOR


def test_hardly_ever_seen_is_never_seen() -> None:
    log_priors = state_priors([1.0, 1e-12, 1e-6], silence_pdfs=[])
    assert log_priors[1] == np.float32(DISABLED_LOG_PRIOR)
    assert math.isclose(log_priors[2], math.log(1e-6), rel_tol=1e-4)


@pytest.mark.parametrize("kind", ["lstmp", "dnn", "blstmp"])
def test_posteriors_are_summed_over_all_frames(kind: str) -> None:
    model = NativeNetwork(network_kinds.make_file(kind))
    random = np.random.default_rng(0)
    utterances = [random.normal(3, 1, (T, 6)).astype(np.float32) for T in range(40)]
    sums = sum_posteriors(model, iter(utterances))
    expected = np.concatenate([np.exp(log_posteriors(model, u)) for u in utterances]).sum(0)
    np.testing.assert_allclose(sums, expected, rtol=1e-5)
    assert math.isclose(sums.sum(), sum(range(40)), rel_tol=1e-5)
    log_priors = state_priors(sums, silence_pdfs=[1], silence_weight=2.0)
    shares = expected / np.where(np.arange(23) == 1, 2, 1)
    np.testing.assert_allclose(log_priors, np.log(shares / shares.sum()), rtol=1e-4)
