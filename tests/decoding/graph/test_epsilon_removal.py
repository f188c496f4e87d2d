"""Local epsilon removal keeps every path's labels and cost, and makes nothing larger."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fst_toys import chain, random_fst
from graph_toys import all_paths
from recognizer.decoding.graph.epsilon_removal import remove_epsilons_locally, without_labels


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_paths_stay(seed: int) -> None:
    fst = random_fst(seed)
    other = remove_epsilons_locally(fst)
    assert all_paths(other, 4) == all_paths(fst, 4)
    assert other.num_arcs <= fst.num_arcs
    assert other.num_states <= fst.num_states
    assert (other.ilabels == 0).sum() <= (fst.ilabels == 0).sum()


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
