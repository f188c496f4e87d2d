"""Native forward-backward against sums over all paths, formulas and finite differences."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.am import _sequence
from recognizer.am.training.criteria.denominator_graph import DenominatorGraph
from recognizer.am.training.criteria.targets import StateLattice
from sequence_toys import (
    denominator_log_prob,
    denominator_paths,
    differences,
    expected_accuracy,
    numerator_log_prob,
    numerator_paths,
    random_denominator,
    random_numerator,
    random_state_lattice,
)

LEAK = 0.125  # exact in float32


def native(graph: DenominatorGraph, leak: float = LEAK, level: str = "") -> _sequence.Denominator:
    return _sequence.Denominator(
        graph.sources, graph.destinations, graph.pdfs, graph.log_probs, graph.occupancy,
        graph.outputs, leak, level,
    )  # fmt: skip


def starts(graph: DenominatorGraph, streams: int, kind: type = np.float64) -> np.ndarray:
    alphas = np.zeros((streams, graph.num_states), kind)
    alphas[:, graph.start] = 1
    return alphas


def run(
    graph: DenominatorGraph, logits: np.ndarray, lengths: list[int] | None = None,
    begins: list[int] | None = None, leak: float = LEAK, level: str = "", threads: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    frames, streams, _ = logits.shape
    alphas = starts(graph, streams, logits.dtype.type)
    posteriors = np.full_like(logits, np.nan)
    values = native(graph, leak, level).run(
        logits, np.array(begins or [0] * streams), np.array(lengths or [frames] * streams), alphas,
        posteriors, threads,
    )  # fmt: skip
    return values, posteriors, alphas


@pytest.mark.parametrize("seed", range(4))
def test_denominator_is_the_sum_over_all_paths(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_denominator(rng, states=3, arcs=4, outputs=4)
    logits = rng.normal(size=(5, 1, 4)) * 3
    values, posteriors, _ = run(graph, logits, leak=0.0)
    assert values[0] == pytest.approx(denominator_paths(graph, logits[:, 0]), rel=1e-6, abs=1e-6)
    slopes = differences(lambda x: denominator_paths(graph, x), logits[:3, 0])
    _, posteriors, _ = run(graph, logits[:3], leak=0.0)
    np.testing.assert_allclose(posteriors[:, 0], slopes, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(
    states=st.integers(1, 6), arcs=st.integers(0, 12), outputs=st.integers(1, 9),
    streams=st.integers(1, 35), frames=st.integers(1, 7), seed=st.integers(0, 999),
)  # fmt: skip
def test_leaky_denominators_of_many_streams(
    states: int, arcs: int, outputs: int, streams: int, frames: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    graph = random_denominator(rng, states, arcs, outputs)
    logits = rng.normal(size=(frames, streams, outputs)) * 4
    begins = rng.integers(0, frames + 1, streams)
    lengths = np.array([rng.integers(0, frames - begin + 1) for begin in begins])
    given = (lengths.tolist(), begins.tolist())
    values, posteriors, alphas = run(graph, logits, *given)
    single, approximate, _ = run(graph, logits.astype(np.float32), *given)
    for n, (begin, length) in enumerate(zip(begins, lengths, strict=True)):
        rows = np.zeros(frames, dtype=bool)
        rows[begin : begin + length] = True
        assert not posteriors[~rows, n].any()
        if not length:
            np.testing.assert_array_equal(alphas[n], starts(graph, 1)[0])
            continue
        expected = denominator_log_prob(graph, logits[rows, n], LEAK)
        assert values[n] == pytest.approx(expected, rel=1e-6, abs=1e-6)
        assert single[n] == pytest.approx(expected, rel=1e-4, abs=1e-4)
        np.testing.assert_allclose(posteriors[rows, n].sum(1), 1)
        np.testing.assert_allclose(approximate[rows, n], posteriors[rows, n], atol=1e-4)
        assert alphas[n].sum() == pytest.approx(1)


@pytest.mark.parametrize("seed", range(3))
def test_posteriors_are_the_gradient(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_denominator(rng, states=5, arcs=9, outputs=6)
    logits = rng.normal(size=(6, 1, 6)) * 2
    _, posteriors, _ = run(graph, logits)
    slopes = differences(lambda x: denominator_log_prob(graph, x, LEAK), logits[:, 0])
    np.testing.assert_allclose(posteriors[:, 0], slopes, atol=1e-7)


def test_chunks_add_up_to_the_whole() -> None:
    rng = np.random.default_rng(0)
    graph = random_denominator(rng, states=5, arcs=9, outputs=6)
    logits = rng.normal(size=(11, 20, 6))
    whole, _, after = run(graph, logits)
    alphas, total, denominator = starts(graph, 20), np.zeros(20), native(graph)
    for begin, end in ((0, 1), (1, 5), (5, 11)):
        chunk = np.ascontiguousarray(logits[begin:end])
        lengths = np.full(20, end - begin)
        total += denominator.run(chunk, np.zeros(20, np.int64), lengths, alphas, None, 1)
    np.testing.assert_allclose(total, whole)
    np.testing.assert_allclose(alphas, after)


def test_levels_and_threads_give_the_same_bits() -> None:
    rng = np.random.default_rng(0)
    graph = random_denominator(rng, states=40, arcs=200, outputs=21)
    logits = (rng.normal(size=(9, 70, 21)) * 5).astype(np.float32)
    lengths = rng.integers(0, 10, 70).tolist()
    expected = run(graph, logits, lengths, level="portable")
    for level in _sequence.levels():
        for threads in (1, 3):
            found = run(graph, logits, lengths, level=level, threads=threads)
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one, other)


def test_huge_logits_stay_in_range() -> None:
    """Scores are scaled by each frame's largest, so that no logit is out of range."""
    rng = np.random.default_rng(0)
    graph = random_denominator(rng, states=6, arcs=12, outputs=5)
    logits = rng.normal(size=(50, 1, 5)) * 200
    values, posteriors, _ = run(graph, logits.astype(np.float32))
    expected, exact, _ = run(graph, logits)
    assert values[0] == pytest.approx(expected[0], rel=1e-5)
    np.testing.assert_allclose(posteriors, exact, atol=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_streams_that_are_not_finite_are_told_and_harm_no_others(bad: float, kind: type) -> None:
    rng = np.random.default_rng(0)
    graph = random_denominator(rng, states=6, arcs=12, outputs=5)
    logits = rng.normal(size=(4, 18, 5)).astype(kind)
    expected, gradient, _ = run(graph, logits)
    logits[2, 7, 3] = bad
    values, posteriors, _ = run(graph, logits)
    others = np.arange(18) != 7
    assert not np.isfinite(values[7])
    np.testing.assert_array_equal(values[others], expected[others])
    np.testing.assert_array_equal(posteriors[:, others], gradient[:, others])


def test_a_denominator_without_a_path_is_told() -> None:
    """Without a leak, a start whose only arc has no probability in float32."""
    graph = random_denominator(np.random.default_rng(0), states=2, arcs=0, outputs=2)
    logits = np.zeros((3, 1, 2), np.float32)
    logits[:, :, graph.pdfs[graph.start]] = -200
    logits[:, :, 1 - graph.pdfs[graph.start]] = 200
    values, _, _ = run(graph, logits, leak=0.0)
    assert not np.isfinite(values[0])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"sources": [5, 0]}, "sources: expected 0 to 2"),
        ({"destinations": [-1, 0]}, "destinations"),
        ({"pdfs": [0, 4]}, "pdfs"),
        ({"pdfs": [0]}, "pdfs: expected 2 values"),
        ({"log_probs": [0, np.inf]}, "finite"),
    ],
)
def test_native_graphs_are_checked(change: dict[str, list[float]], fault: str) -> None:
    rows = {"sources": [0, 1], "destinations": [1, 0], "pdfs": [0, 1], "log_probs": [0, 0]}
    rows.update(change)
    arrays = [
        np.array(row, np.float32 if name == "log_probs" else np.int32) for name, row in rows.items()
    ]
    with pytest.raises(ValueError, match=fault):
        _sequence.Denominator(*arrays, np.full(2, 0.5, np.float32), 3, 0.1)


def test_native_tasks_are_checked() -> None:
    graph = random_denominator(np.random.default_rng(0), states=3, arcs=3, outputs=4)
    logits, alphas = np.zeros((5, 2, 4)), starts(graph, 2)
    begins, lengths = np.array([0, 3]), np.array([5, 2])
    denominator = native(graph)
    denominator.run(logits, begins, lengths, alphas, None, 1)
    for fault, arguments in {
        "logits": (logits[:, :, :3].copy(), begins, lengths, alphas, None, 1),
        "begins": (logits, begins + 1, lengths, alphas, None, 1),
        "lengths": (logits, begins, lengths[:1], alphas, None, 1),
        "alphas": (logits, begins, lengths, alphas[:1], None, 1),
        "posteriors": (logits, begins, lengths, alphas, logits[:4].copy(), 1),
        "threads": (logits, begins, lengths, alphas, None, 0),
    }.items():
        with pytest.raises(ValueError, match=fault):
            denominator.run(*arguments)
    with pytest.raises(ValueError, match="level"):
        native(graph, level="none")


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 999), frames=st.integers(1, 4))
def test_numerators_are_sums_over_all_paths(seed: int, frames: int) -> None:
    rng = np.random.default_rng(seed)
    denominator = random_denominator(rng, states=3, arcs=3, outputs=4)
    graph = random_numerator(rng, denominator, frames)
    logits = rng.normal(size=(frames, 1, 4)) * 3
    alphas = np.array([0.0, -np.inf, -np.inf])
    values, rows, labels, posteriors = _sequence.numerators(
        logits, np.zeros(1, np.int64), np.array([frames]), graph.sources, graph.destinations,
        graph.labels, graph.log_probs, graph.first_frames, graph.last_frames,
        np.array([0, len(graph.sources)]), np.array([0, 3]), alphas,
        graph.final_log_probs.astype(np.float64), 1,
    )  # fmt: skip
    assert values[0] == pytest.approx(numerator_paths(graph, logits[:, 0]), rel=1e-6, abs=1e-6)
    assert values[0] == pytest.approx(numerator_log_prob(graph, logits[:, 0]), rel=1e-9, abs=1e-9)
    assert len(set(zip(rows, labels, strict=True))) == len(rows)
    dense = np.zeros((frames, 4))
    dense[rows, labels] = posteriors
    slopes = differences(lambda x: numerator_log_prob(graph, x), logits[:, 0])
    np.testing.assert_allclose(dense, slopes, atol=1e-6)
    assert np.logaddexp.reduce(alphas) == pytest.approx(0)


def accuracy(lattice: StateLattice, scores: np.ndarray) -> tuple[np.ndarray, ...]:
    return _sequence.expected_accuracies(
        scores, np.zeros(1, np.int64), np.array([len(lattice)]), lattice.sources,
        lattice.destinations, lattice.labels, lattice.log_probs, lattice.accuracies,
        np.array([0, len(lattice.sources)]), lattice.state_frames, lattice.final_log_probs,
        np.array([0, len(lattice.state_frames)]), 1,
    )  # fmt: skip


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 999), frames=st.integers(1, 4))
def test_expected_accuracies_are_over_all_paths(seed: int, frames: int) -> None:
    rng = np.random.default_rng(seed)
    lattice = random_state_lattice(rng, frames, outputs=5)
    scores = rng.normal(size=(frames, 1, 5)) * 2
    value, rows, labels, gradient = accuracy(lattice, scores)
    assert value[0] == pytest.approx(expected_accuracy(lattice, scores[:, 0]))
    dense = np.zeros((frames, 5))
    dense[rows, labels] = gradient
    slopes = differences(lambda x: expected_accuracy(lattice, x), scores[:, 0])
    np.testing.assert_allclose(dense, slopes, atol=1e-8)
    np.testing.assert_allclose(dense.sum(1), 0, atol=1e-12)


GOOD = random_state_lattice(np.random.default_rng(5), 3, outputs=6)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"labels": GOOD.labels + 6}, "label below 6"),
        ({"log_probs": GOOD.log_probs[1:]}, "log_probs: expected"),
        ({"sources": GOOD.destinations, "destinations": GOOD.sources}, "topological"),
        ({"sources": GOOD.sources - 1}, "topological"),
        ({"destinations": GOOD.destinations + 99}, "topological"),
        ({"state_frames": GOOD.state_frames + 1}, "start at frame 0"),
        ({"state_frames": GOOD.state_frames * 2}, "one frame apart"),
        ({"final_log_probs": np.zeros_like(GOOD.final_log_probs)}, "final states"),
    ],
)
def test_native_lattices_are_checked(change: dict[str, np.ndarray], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        accuracy(dataclasses.replace(GOOD, **change), np.zeros((3, 1, 6)))
