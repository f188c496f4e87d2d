"""Removal of all epsilon arcs keeps the words and the cost of every path that takes a frame."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fst_toys import chain, random_fst
from graph_toys import all_paths
from k2_engine.epsilon_free import EpsilonFreeGraph, WordSequences, remove_epsilons
from recognizer.data.errors import SpeechError
from recognizer.decoding.graph.fst_arrays import FstArrays

Labels = tuple[tuple[int, ...], tuple[int, ...]]


def free_paths(graph: EpsilonFreeGraph, most: int) -> dict[Labels, float]:
    """Best cost of each pair of transition-ids and words, of paths of 1 to so many frames."""
    found: dict[Labels, float] = {}
    stack: list[tuple[int, tuple[int, ...], tuple[int, ...], float]] = [(0, (), (), 0.0)]
    while stack:
        state, tids, words, cost = stack.pop()
        total = cost + float(graph.final_costs[state])
        if total < inf:
            found[tids, words] = min(found.get((tids, words), inf), total)
        if len(tids) < most:
            for arc in np.flatnonzero(graph.sources == state).tolist():
                stack.append(
                    (
                        int(graph.next_states[arc]),
                        (*tids, int(graph.tids[arc])),
                        words + graph.sequences[int(graph.words[arc])],
                        cost + float(graph.costs[arc]),
                    )
                )
    return found


@given(st.integers(0, 10**6))
def test_paths_stay(seed: int) -> None:
    fst = random_fst(seed)
    graph = remove_epsilons(fst, 3)
    expected = {labels: cost for labels, cost in all_paths(fst, 3).items() if labels[0]}
    assert free_paths(graph, 3) == expected
    assert (graph.tids > 0).all()
    assert (np.diff(graph.sources) >= 0).all()
    assert not (graph.next_states == 0).any()
    assert graph.final_costs[0] == inf


def test_words_of_several_arcs_come_together() -> None:
    fst = chain([0, 1, 0, 0, 2, 0], [3, 4, 5, 0, 6, 7], [inf] * 6 + [0.25])
    graph = remove_epsilons(fst, 8)
    assert graph.num_arcs == 3  # the one from the old start, which no path reaches, among them
    assert free_paths(graph, 2) == {((1, 2), (3, 4, 5, 6, 7)): 21.25}


def test_parallel_ways_with_the_same_words_leave_the_best() -> None:
    arcs = [(0, 1, 1, 0, 0.0), (1, 2, 0, 0, 3.0), (1, 2, 0, 0, 1.0), (1, 2, 0, 5, 2.0)]
    sources, targets, tids, words, costs = zip(*arcs, strict=True)
    fst = FstArrays.from_arcs(sources, tids, words, costs, targets, [inf, inf, 0.0])
    graph = remove_epsilons(fst, 6)
    assert free_paths(graph, 1) == {((1,), ()): 1.0, ((1,), (5,)): 2.0}
    assert (graph.sources == 0).sum() == 2


def test_a_graph_without_frames_has_no_arcs() -> None:
    graph = remove_epsilons(chain([0], [1], [inf, 0.0]), 2)
    assert (graph.num_states, graph.num_arcs) == (1, 0)


@pytest.mark.parametrize("back", [1, 2])
def test_a_cycle_of_epsilons_is_refused(back: int) -> None:
    fst = FstArrays.from_arcs(
        [0, 1, 2, 3], [1, 0, 0, 0], [0] * 4, [1.0] * 4, [1, 2, 3, back], [0.0] * 4
    )
    with pytest.raises(SpeechError, match=r"expected no cycle of epsilon arcs, found one"):
        remove_epsilons(fst, 1)


def test_sequences_of_the_same_words_have_one_number() -> None:
    sequences = WordSequences(4)
    first = np.array([0, 2, 0, 2, 2, 3], dtype=np.int32)
    second = np.array([0, 0, 3, 3, 3, 2], dtype=np.int32)
    joined = sequences.join(first, second)
    assert [sequences[number] for number in joined.tolist()] == [
        (),
        (2,),
        (3,),
        (2, 3),
        (2, 3),
        (3, 2),
    ]
    assert joined[3] == joined[4]
    longer = sequences.join(joined, first)
    assert sequences[int(longer[4])] == (2, 3, 2)
    assert sequences.join(first[1:2], joined[5:]).tolist() == [int(longer[4])]
    assert sequences.is_longer(joined).tolist() == [False, False, False, True, True, True]
