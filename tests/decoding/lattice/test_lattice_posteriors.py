from __future__ import annotations

from dataclasses import replace
from math import exp, inf, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_toys import arc_paths, compact, path_probabilities, timed_lattice
from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.lattice.lattice import CompactLattice, scaled_costs
from recognizer.decoding.lattice.posteriors import posteriors

seeds = st.integers(0, 2**32 - 1)
scales = st.sampled_from([0.0, 0.1, 0.5, 1.0])


@given(seeds, scales, scales, st.booleans())
def test_posteriors_are_those_of_all_paths(
    seed: int, acoustic_scale: float, graph_scale: float, raw: bool
) -> None:
    lattice = timed_lattice(seed) if raw else compact(seed)
    expected, ends = np.zeros(lattice.num_arcs), np.zeros(lattice.num_states)
    probabilities = path_probabilities(lattice, acoustic_scale, graph_scale)
    for path, probability in probabilities.items():
        expected[list(path)] += probability
        ends[lattice.targets[path[-1]] if path else 0] += probability
    found = posteriors(lattice, acoustic_scale, graph_scale)
    np.testing.assert_allclose(found.arcs, expected, atol=1e-12)
    np.testing.assert_allclose(found.finals, ends, atol=1e-12)
    arcs, finals = scaled_costs(lattice, acoustic_scale, graph_scale)
    total = sum(
        exp(-sum(arcs[list(path)]) - finals[lattice.targets[path[-1]] if path else 0])
        for path in arc_paths(lattice)
    )
    assert found.log_prob == pytest.approx(log(total), abs=1e-9)


@given(seeds, scales)
def test_every_frame_is_taken_exactly_once(seed: int, scale: float) -> None:
    lattice = timed_lattice(seed, frames=6)
    emitting = lattice.tids > 0
    sums = np.bincount(
        lattice.state_frames[lattice.sources[emitting]],
        weights=posteriors(lattice, scale).arcs[emitting],
        minlength=lattice.num_frames,
    )
    np.testing.assert_allclose(sums, np.ones(6), atol=1e-12)


def frame_sums(lattice: CompactLattice, scale: float) -> np.ndarray:
    """Posteriors of the arcs and final strings that cover each frame."""
    found = posteriors(lattice, scale)
    sums = np.zeros(lattice.num_frames)
    for posterior, state, length in (
        *zip(found.arcs, lattice.sources, np.diff(lattice.tid_offsets), strict=True),
        *zip(
            found.finals, range(lattice.num_states), np.diff(lattice.final_tid_offsets), strict=True
        ),
    ):
        begin = lattice.state_frames[state]
        sums[begin : begin + length] += posterior
    return sums


@given(seeds, scales)
def test_words_and_ends_cover_every_frame_exactly_once(seed: int, scale: float) -> None:
    lattice = compact(seed, frames=6)
    np.testing.assert_allclose(frame_sums(lattice, scale), np.ones(6), atol=1e-12)


def test_what_is_on_no_complete_path_has_no_posterior() -> None:
    lattice = timed_lattice(1)
    last = lattice.num_states
    dead = replace(
        lattice,
        state_frames=np.append(lattice.state_frames, lattice.num_frames).astype(np.int32),
        final_costs=np.append(lattice.final_costs, inf).astype(np.float32),
        **{
            name: np.append(getattr(lattice, name), value).astype(getattr(lattice, name).dtype)
            for name, value in (
                ("sources", last - 1),
                ("targets", last),
                ("tids", 0),
                ("words", 1),
                ("graph_costs", 0.0),
                ("acoustic_costs", 0.0),
            )
        },
    )
    found = posteriors(dead, 1.0)
    assert found.arcs[-1] == 0.0
    assert found.finals[-1] == 0.0
    np.testing.assert_array_equal(found.arcs[:-1], posteriors(lattice, 1.0).arcs)
    with pytest.raises(SpeechError, match="expected a path from the start to a final state"):
        posteriors(replace(dead, final_costs=np.full(last + 1, inf, np.float32)), 1.0)


@pytest.mark.parametrize("scale", [-0.1, inf, float("nan")])
def test_impossible_scales_are_refused(scale: float) -> None:
    with pytest.raises(UsageError, match="acoustic_scale: expected a finite number >= 0"):
        posteriors(timed_lattice(0), scale)
    with pytest.raises(UsageError, match="graph_scale: expected a finite number >= 0"):
        posteriors(timed_lattice(0), 1.0, scale)
