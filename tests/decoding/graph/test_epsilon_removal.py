"""Local epsilon removal keeps every path's labels and cost, and makes nothing larger."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_toys import all_paths
from recognizer.decoding.graph.epsilon_removal import remove_epsilons_locally, without_labels
from recognizer.decoding.graph.fst_arrays import FstArrays


def random_fst(seed: int) -> FstArrays:
    """Epsilon arcs lead to states of greater numbers only, so that they make no cycle."""
    rng = np.random.default_rng(seed)
    states, arcs = int(rng.integers(2, 9)), int(rng.integers(1, 14))
    sources, targets = rng.integers(0, states, arcs), rng.integers(0, states, arcs)
    ilabels = np.where((rng.random(arcs) < 0.6) & (sources < targets), 0, rng.integers(1, 3, arcs))
    olabels = np.where(rng.random(arcs) < 0.6, 0, rng.integers(1, 3, arcs))
    finals = np.where(rng.random(states) < 0.4, rng.integers(0, 64, states) / 8, np.inf)
    costs = rng.integers(0, 64, arcs) / 8
    start = int(rng.integers(states))
    return FstArrays.from_arcs(sources, ilabels, olabels, costs, targets, finals, start)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_paths_stay(seed: int) -> None:
    fst = random_fst(seed)
    other = remove_epsilons_locally(fst)
    assert all_paths(other, 4) == all_paths(fst, 4)
    assert other.num_arcs <= fst.num_arcs
    assert other.num_states <= fst.num_states
    assert (other.ilabels == 0).sum() <= (fst.ilabels == 0).sum()


def chain(ilabels: list[int], olabels: list[int], finals: list[float]) -> FstArrays:
    states = np.arange(len(ilabels))
    return FstArrays.from_arcs(states, ilabels, olabels, states + 1.0, states + 1, finals)


def test_chains_of_epsilons_vanish() -> None:
    inf = np.inf
    fst = remove_epsilons_locally(
        chain([0, 1, 0, 0, 0, 2, 0], [0, 0, 0, 5, 0, 0, 6], [inf] * 7 + [0.5])
    )
    assert fst.num_arcs == 2
    assert all_paths(fst, 2) == {((1, 2), (5, 6)): 28.5}


def test_words_that_would_meet_stay_apart() -> None:
    fst = chain([1, 0, 0], [5, 6, 7], [np.inf] * 3 + [0.0])
    assert remove_epsilons_locally(fst).num_arcs == 3


def test_a_word_before_the_end_stays() -> None:
    fst = chain([1, 0], [5, 6], [np.inf, np.inf, 0.0])
    assert all_paths(remove_epsilons_locally(fst), 1) == {((1,), (5, 6)): 3.0}


@pytest.mark.parametrize("first", [1, 2, 3])
def test_disambiguation_symbols_become_epsilon(first: int) -> None:
    fst = chain([1, 2, 0], [0, 0, 0], [np.inf] * 3 + [0.0])
    labels = without_labels(fst, first).ilabels
    assert labels.tolist() == [label if label < first else 0 for label in (1, 2, 0)]
    assert labels.dtype == np.int32
