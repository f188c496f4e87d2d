from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.am.hmm.gmm import DiagonalGmmSet, GmmOptions, split_targets
from recognizer.data.errors import SpeechError, UsageError


def random_set(rng: np.random.Generator, sizes: list[int], dim: int) -> DiagonalGmmSet:
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    weights = np.concatenate([rng.dirichlet(np.ones(size)) for size in sizes]) + 1e-3
    weights /= np.repeat(np.add.reduceat(weights, offsets[:-1]), sizes)
    count = int(offsets[-1])
    return DiagonalGmmSet(
        offsets, weights, rng.normal(size=(count, dim)), rng.uniform(0.3, 2.0, (count, dim))
    )


def components(gmm: DiagonalGmmSet, frame: np.ndarray, pdf: int) -> np.ndarray:
    """Weighted densities of a pdf's Gaussians at one frame, from the definition."""
    found = []
    for g in range(int(gmm.offsets[pdf]), int(gmm.offsets[pdf + 1])):
        density = gmm.weights[g]
        for d in range(gmm.dim):
            v = gmm.variances[g, d]
            density *= np.exp(-0.5 * (frame[d] - gmm.means[g, d]) ** 2 / v) / np.sqrt(2 * np.pi * v)
        found.append(density)
    return np.array(found)


sets = st.tuples(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.integers(1, 3),
)


@given(sets)
def test_log_likelihoods_are_the_logs_of_the_densities(drawn: tuple[int, list[int], int]) -> None:
    seed, sizes, dim = drawn
    rng = np.random.default_rng(seed)
    gmm = random_set(rng, sizes, dim)
    x = rng.normal(size=(5, dim)).astype(np.float32)
    expected = [
        [np.log(components(gmm, frame, pdf).sum()) for pdf in range(gmm.num_pdfs)] for frame in x
    ]
    found = gmm.log_likelihoods(x)
    assert found.dtype == np.float32 and found.flags.c_contiguous
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-4)
    chosen = rng.integers(0, gmm.num_pdfs, 3)
    np.testing.assert_allclose(gmm.log_likelihoods(x, chosen), found[:, chosen], atol=1e-4)


@given(sets)
def test_statistics_are_the_posterior_weighted_sums(drawn: tuple[int, list[int], int]) -> None:
    seed, sizes, dim = drawn
    rng = np.random.default_rng(seed)
    gmm = random_set(rng, sizes, dim)
    x = rng.normal(size=(20, dim)).astype(np.float32)
    pdfs = rng.integers(0, gmm.num_pdfs, 20)
    occupancies = np.zeros(gmm.num_gaussians)
    first, second = np.zeros((2, gmm.num_gaussians, dim))
    log_prob = 0.0
    for frame, pdf in zip(x.astype(np.float64), pdfs, strict=True):
        here = slice(int(gmm.offsets[pdf]), int(gmm.offsets[pdf + 1]))
        densities = components(gmm, frame, int(pdf))
        posteriors = densities / densities.sum()
        occupancies[here] += posteriors
        first[here] += posteriors[:, None] * frame
        second[here] += posteriors[:, None] * frame**2
        log_prob += np.log(densities.sum())
    stats = gmm.accumulate(x, pdfs)
    np.testing.assert_allclose(stats.occupancies, occupancies, atol=1e-3)
    np.testing.assert_allclose(stats.first, first, atol=1e-3)
    np.testing.assert_allclose(stats.second, second, atol=1e-3)
    assert stats.log_prob == pytest.approx(log_prob, abs=1e-2)
    assert stats.frames == 20
    assert stats.mean_log_prob == pytest.approx(log_prob / 20, abs=1e-3)


@given(st.integers(0, 2**32 - 1))
def test_a_pass_of_estimation_never_lowers_the_likelihood(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gmm = random_set(rng, [3, 1, 2], 2)
    x = rng.normal(size=(300, 2)) * [1.0, 3.0]
    pdfs = np.sort(rng.integers(0, 3, 300))
    options = GmmOptions(min_occupancy=0.0, min_weight=0.0, variance_floor=1e-6)
    before = gmm.accumulate(x, pdfs)
    after = gmm.updated(before, options).accumulate(x, pdfs)
    assert after.log_prob >= before.log_prob - 1e-3


def test_one_gaussian_becomes_the_mean_and_variance_of_its_frames() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(2.0, 3.0, (500, 2))
    gmm = DiagonalGmmSet.single(np.zeros((2, 2)), np.ones((2, 2)))
    updated = gmm.updated(gmm.accumulate(x, np.ones(500, dtype=int)))
    np.testing.assert_allclose(updated.means[1], x.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(updated.variances[1], x.var(axis=0), rtol=1e-3)
    np.testing.assert_array_equal(updated.means[0], [0, 0])  # no frames: as it was
    np.testing.assert_array_equal(updated.variances[0], [1, 1])


def test_variances_are_floored_and_idle_gaussians_removed() -> None:
    gmm = DiagonalGmmSet([0, 3], [0.5, 0.3, 0.2], [[0.0], [100.0], [-100.0]], np.ones((3, 1)))
    x = np.concatenate((np.zeros(90), np.full(50, 100.0), np.full(5, -100.0)))[:, None]
    updated = gmm.updated(
        gmm.accumulate(x, np.zeros(145, dtype=int)),
        GmmOptions(variance_floor=0.25, min_occupancy=10.0),
    )
    assert updated.num_gaussians == 2
    np.testing.assert_allclose(updated.weights, [90 / 140, 50 / 140])
    np.testing.assert_allclose(updated.variances, [[0.25], [0.25]])


def test_the_heaviest_gaussian_of_a_pdf_is_never_removed() -> None:
    gmm = DiagonalGmmSet([0, 2], [0.5, 0.5], [[-1.0], [1.0]], np.ones((2, 1)))
    x = np.linspace(-1, 2, 15)[:, None]
    updated = gmm.updated(
        gmm.accumulate(x, np.zeros(15, dtype=int)), GmmOptions(min_occupancy=14.0)
    )
    assert updated.num_gaussians == 1
    np.testing.assert_allclose(updated.weights, [1.0])


@given(
    st.lists(st.floats(0, 1e4), min_size=1, max_size=6),
    st.integers(0, 40),
    st.floats(0, 1),
    st.floats(0, 200),
)
def test_split_targets_follow_the_power_rule(
    counts: list[float], total: int, power: float, min_count: float
) -> None:
    """Against the rule step by step: the next Gaussian goes where most is due to each."""
    options = GmmOptions(power=power, min_count=min_count)
    found = split_targets(np.array(counts), total, options)
    expected = np.ones(len(counts), dtype=int)
    while expected.sum() < total:
        due = [
            c**power / n if (n + 1) * min_count <= c else -1.0
            for c, n in zip(counts, expected, strict=True)
        ]
        if max(due) < 0:
            break
        expected[int(np.argmax(due))] += 1
    np.testing.assert_array_equal(found, expected)


def test_a_split_keeps_the_mixture_and_parts_the_heaviest() -> None:
    rng = np.random.default_rng(3)
    gmm = random_set(rng, [2, 1], 3)
    grown = gmm.split([1000.0, 500.0], 7, GmmOptions(perturbation=0.01, power=1.0), seed=1)
    assert grown.num_gaussians == 7
    np.testing.assert_allclose(np.add.reduceat(grown.weights, grown.offsets[:-1]), [1, 1])
    x = rng.normal(size=(50, 3))
    np.testing.assert_allclose(grown.log_likelihoods(x), gmm.log_likelihoods(x), atol=0.1)
    again = gmm.split([1000.0, 500.0], 7, GmmOptions(perturbation=0.01, power=1.0), seed=1)
    np.testing.assert_array_equal(grown.means, again.means)


def test_files_come_back_as_they_were(tmp_path: Path) -> None:
    gmm = random_set(np.random.default_rng(5), [2, 3], 4)
    gmm.write(tmp_path / "gmm.safetensors")
    back = DiagonalGmmSet.read(tmp_path / "gmm.safetensors")
    np.testing.assert_array_equal(back.offsets, gmm.offsets)
    np.testing.assert_allclose(back.means, gmm.means, rtol=1e-6)
    x = np.zeros((2, 4), np.float32)
    np.testing.assert_allclose(back.log_likelihoods(x), gmm.log_likelihoods(x), rtol=1e-5)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    missing, damaged = tmp_path / "none", tmp_path / "damaged"
    damaged.write_bytes(b"not a safetensors file at all")
    for path in (missing, damaged):
        with pytest.raises(SpeechError, match=path.name):
            DiagonalGmmSet.read(path)


@pytest.mark.parametrize(
    ("offsets", "weights", "means", "variances"),
    [
        ([0, 2], [1.0], [[0.0]], [[1.0]]),
        ([0, 0, 1], [1.0], [[0.0]], [[1.0]]),
        ([0, 1], [1.0], [0.0], [1.0]),
        ([0, 1], [1.0], [[0.0]], [[1.0, 1.0]]),
        ([0, 1], [1.0], [[0.0]], [[0.0]]),
        ([0, 1], [1.0], [[np.nan]], [[1.0]]),
    ],
)
def test_impossible_sets_are_refused(
    offsets: list[int], weights: list[float], means: list[object], variances: list[object]
) -> None:
    with pytest.raises(SpeechError):
        DiagonalGmmSet(offsets, weights, means, variances)  # type: ignore[arg-type]


def test_wrong_frames_pdfs_and_options_are_refused() -> None:
    gmm = DiagonalGmmSet.single([[0.0, 0.0]], [[1.0, 1.0]])
    with pytest.raises(SpeechError, match=r"\[T, 2\]"):
        gmm.log_likelihoods(np.zeros((3, 1)))
    with pytest.raises(SpeechError, match="pdf-ids"):
        gmm.log_likelihoods(np.zeros((3, 2)), [1])
    with pytest.raises(SpeechError, match="pdf-ids"):
        gmm.accumulate(np.zeros((1, 2)), [-1])
    with pytest.raises(SpeechError, match="pdfs"):
        gmm.accumulate(np.zeros((3, 2)), [0])
    with pytest.raises(UsageError, match="variance_floor"):
        GmmOptions(variance_floor=0.0)
