"""Feature-space maximum-likelihood linear regression."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.am.hmm.fmllr import FmllrOptions, FmllrStats, transformed
from recognizer.am.hmm.gmm import DiagonalGmmSet
from recognizer.data.errors import UsageError

FEW = FmllrOptions(min_frames=1)


def spoken(
    rng: np.random.Generator, dim: int = 3, frames: int = 4000
) -> tuple[DiagonalGmmSet, np.ndarray, np.ndarray]:
    """Mixtures of four pdfs with two Gaussians each, and frames drawn from them."""
    means = rng.normal(scale=3.0, size=(8, dim))
    variances = rng.uniform(0.2, 1.0, (8, dim))
    gmm = DiagonalGmmSet([0, 2, 4, 6, 8], np.full(8, 0.5), means, variances)
    pdfs = rng.integers(0, 4, frames)
    gaussians = 2 * pdfs + rng.integers(0, 2, frames)
    x = means[gaussians] + np.sqrt(variances[gaussians]) * rng.normal(size=(frames, dim))
    return gmm, x, pdfs


def log_likelihood(gmm: DiagonalGmmSet, x: np.ndarray, pdfs: np.ndarray, w: np.ndarray) -> float:
    """Of frames as they were recorded: with the determinant of the transform."""
    scores = gmm.log_likelihoods(transformed(x, w))[np.arange(len(x)), pdfs]
    return float(scores.sum() + len(x) * np.linalg.slogdet(w[:, :-1])[1])


def statistics(gmm: DiagonalGmmSet, x: np.ndarray, pdfs: np.ndarray) -> FmllrStats:
    stats = FmllrStats(gmm.dim)
    stats.accumulate(gmm, x, pdfs)
    return stats


def test_statistics_are_the_sums_of_the_paper() -> None:
    rng = np.random.default_rng(1)
    gmm, x, pdfs = spoken(rng, frames=20)
    stats = statistics(gmm, x, pdfs)
    linear, quadratic = np.zeros((3, 4)), np.zeros((3, 4, 4))
    for frame, pdf in zip(x, pdfs, strict=True):
        own = slice(2 * pdf, 2 * pdf + 2)
        mean, variance = gmm.means[own], gmm.variances[own]
        density = np.exp(-0.5 * ((frame - mean) ** 2 / variance + np.log(variance)).sum(axis=1))
        extended = np.append(frame, 1.0)
        for share, m, v in zip(density / density.sum(), mean, variance, strict=True):
            linear += share * np.outer(m / v, extended)
            quadratic += share * (1 / v)[:, None, None] * np.outer(extended, extended)
    assert stats.frames == 20
    np.testing.assert_allclose(stats.linear, linear, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(stats.quadratic, quadratic, rtol=1e-4, atol=1e-3)


@given(st.integers(0, 2**32 - 1))
def test_no_other_transform_is_likelier(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gmm, x, pdfs = spoken(rng, dim=2, frames=400)
    stats = statistics(gmm, x @ rng.normal(np.eye(2), 0.2) + rng.normal(size=2), pdfs)
    best = stats.estimate(FEW)
    assert best is not None
    least = abs(stats.objective(best)) * 1e-9
    for scale in (1e-1, 1e-2, 1e-3):
        other = best + scale * rng.normal(size=best.shape)
        assert stats.objective(other) <= stats.objective(best) + least


def test_a_speaker_is_moved_to_where_the_mixtures_are() -> None:
    rng = np.random.default_rng(2)
    gmm, x, pdfs = spoken(rng)
    matrix, shift = np.eye(3) + 0.1 * rng.normal(size=(3, 3)), 0.3 * rng.normal(size=3)
    moved = x @ matrix.T + shift
    w = np.eye(3, 4)
    before = log_likelihood(gmm, moved, pdfs, w)
    for _ in range(6):  # posteriors of frames that are better and better adapted
        stats = FmllrStats(3)
        stats.accumulate(gmm, transformed(moved, w), pdfs)
        step = stats.estimate()
        assert step is not None
        w = step @ np.vstack([w, [0.0, 0.0, 0.0, 1.0]])
        after = log_likelihood(gmm, moved, pdfs, w)
        assert after >= before - 1e-3 * len(x)
        before = after
    inverse = np.linalg.inv(matrix)
    np.testing.assert_allclose(w[:, :-1], inverse, atol=0.05)
    np.testing.assert_allclose(w[:, -1], -inverse @ shift, atol=0.1)


def test_too_few_frames_give_no_transform() -> None:
    gmm, x, pdfs = spoken(np.random.default_rng(3), frames=499)
    assert statistics(gmm, x, pdfs).estimate() is None
    same = statistics(gmm, np.tile(x[:1], (600, 1)), np.tile(pdfs[:1], 600))
    assert same.estimate() is None
    np.testing.assert_array_equal(transformed(x, None), x.astype(np.float32))


@pytest.mark.parametrize("name", ["passes", "iterations", "min_frames"])
def test_impossible_options_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name}: expected a number > 0, found 0"):
        FmllrOptions(**{name: 0})
