"""Transducers as arrays: OpenFst's format and the order of states; costs on their grid."""

from __future__ import annotations

import kaldifst
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_toys import all_paths
from recognizer.decoding.graph.cost_grid import COST_STEP, on_grid
from recognizer.decoding.graph.fst_arrays import FstArrays


def random_fst(seed: int) -> FstArrays:
    rng = np.random.default_rng(seed)
    states, arcs = int(rng.integers(1, 9)), int(rng.integers(0, 20))
    return FstArrays.from_arcs(
        rng.integers(0, states, arcs),
        rng.integers(1, 4, arcs),
        rng.integers(0, 4, arcs),
        rng.integers(0, 64, arcs) / 8,
        rng.integers(0, states, arcs),
        np.where(rng.random(states) < 0.5, rng.integers(0, 64, states) / 8, np.inf),
        start=int(rng.integers(states)),
    )


@pytest.mark.parametrize("seed", range(20))
def test_there_and_back(seed: int) -> None:
    fst = random_fst(seed)
    other = FstArrays.from_kaldifst(fst.to_kaldifst())
    assert other.start == fst.start
    for name in ("sources", "ilabels", "olabels", "costs", "next_states", "final_costs"):
        one, two = getattr(fst, name), getattr(other, name)
        assert one.dtype == two.dtype
        assert np.array_equal(one, two)


def test_what_kaldifst_made_itself() -> None:
    fst = kaldifst.StdVectorFst()
    for _ in range(3):
        fst.add_state()
    fst.start = 1
    fst.add_arc(1, kaldifst.StdArc(5, 6, 0.5, 2))
    fst.add_arc(1, kaldifst.StdArc(0, 7, 1.5, 0))
    fst.set_final(2, 2.5)
    arrays = FstArrays.from_kaldifst(fst)
    assert arrays.start == 1
    assert arrays.sources.tolist() == [1, 1]
    assert arrays.ilabels.tolist() == [5, 0]
    assert arrays.olabels.tolist() == [6, 7]
    assert arrays.costs.tolist() == [0.5, 1.5]
    assert arrays.next_states.tolist() == [2, 0]
    assert arrays.final_costs.tolist() == [np.inf, np.inf, 2.5]
    assert arrays.offsets.tolist() == [0, 0, 2, 2]


def test_empty_transducer() -> None:
    arrays = FstArrays.from_kaldifst(kaldifst.StdVectorFst())
    assert (arrays.start, arrays.num_states, arrays.num_arcs) == (-1, 0, 0)
    assert arrays.depth_first().num_states == 0


@pytest.mark.parametrize("seed", range(20))
def test_depth_first_order_keeps_all_paths(seed: int) -> None:
    fst = random_fst(seed)
    other = fst.depth_first()
    assert other.start == 0
    assert other.num_states <= fst.num_states
    assert all_paths(other, 4) == all_paths(fst, 4)
    # Every state but the start is first seen from one that was numbered before it.
    first_seen = np.full(other.num_states, other.num_states)
    np.minimum.at(first_seen, other.next_states, other.sources)
    assert (first_seen[1:] < np.arange(1, other.num_states)).all()


def test_files_of_another_kind() -> None:
    with pytest.raises(RuntimeError, match="expected OpenFst's binary format"):
        FstArrays._from_bytes(b"something else")


@settings(deadline=None, derandomize=True)
@given(st.lists(st.floats(0, 500), min_size=1, max_size=20))
def test_sums_and_differences_on_the_grid_are_exact(costs: list[float]) -> None:
    rounded = on_grid(costs)
    assert rounded.dtype == np.float32
    assert np.abs(rounded - np.array(costs)).max() <= COST_STEP / 2
    total = np.float32(0)
    for cost in rounded:
        total = total + cost if total < 500 else total - cost
    exact = 0.0
    for cost in rounded.astype(np.float64):
        exact = exact + cost if exact < 500 else exact - cost
    assert float(total) == exact
    assert np.array_equal(on_grid(rounded), rounded)


def test_the_grid_keeps_infinity() -> None:
    assert on_grid([np.inf, 1.0]).tolist() == [np.inf, 1.0]
