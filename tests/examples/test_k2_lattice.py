"""Lattices from a graph without epsilon arcs, against the native search; no k2 is needed."""

from __future__ import annotations

from math import inf

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from k2_engine.epsilon_free import EpsilonFreeGraph, WordSequences, remove_epsilons
from k2_engine.lattice import FoundArcs, make_lattice
from recognizer.decoding.lattice.lattice import Lattice
from search_toys import SCALE, SYMBOLS, Path, graph_paths, lattice_paths, random_arcs

PDFS = np.array([0, 0, 1, 1, 2], dtype=np.int32)


def everything(graph: EpsilonFreeGraph, num_frames: int) -> FoundArcs:
    """What k2 finds if nothing is pruned; states that lead to no end among it."""
    states = {0: 0}  # of the graph, with their numbers in the lattice
    rows: list[tuple[int, int, int, int]] = []
    count = 1
    for frame in range(num_frames):
        following: dict[int, int] = {}
        for state, number in states.items():
            for arc in np.flatnonzero(graph.sources == state).tolist():
                target = following.setdefault(int(graph.next_states[arc]), count + len(following))
                rows.append((number, target, frame, arc))
        count += len(following)
        states = following
    finals = np.flatnonzero(np.isfinite(graph.final_costs)).tolist()
    for state, number in states.items():
        if state in finals:
            rows.append((number, count, num_frames, graph.num_arcs + finals.index(state)))
    columns = np.array(sorted(rows), dtype=np.int32).reshape(-1, 4).T
    return FoundArcs(*(np.ascontiguousarray(column) for column in columns))


def distinct(paths: list[Path]) -> dict[tuple[tuple[int, ...], tuple[int, ...]], float]:
    """Best cost of each pair of words and transition-ids: the conversion keeps no others."""
    best: dict[tuple[tuple[int, ...], tuple[int, ...]], float] = {}
    for path in paths:
        best[path.words, path.tids] = min(best.get((path.words, path.tids), inf), path.cost)
    return best


def path_of(path: Path) -> tuple[tuple[int, ...], tuple[int, ...], float]:
    return path.words, path.tids, path.cost


# Among the paths of the first example are two of the same words and transition-ids, of which the
# better one is beyond the beam and the worse one consists of arcs of paths within it.
@example(seed=0, beam=3.0)
@given(st.integers(0, 10**6), st.one_of(st.just(inf), st.floats(0.1, 4.0)))
def test_all_paths_within_the_beam_are_there(seed: int, beam: float) -> None:
    paths: list[Path] = []
    while not paths:
        rng = np.random.default_rng(seed)
        arcs = random_arcs(
            rng, states=int(rng.integers(2, 6)), arcs=int(rng.integers(3, 11)), tids=4, exact=True
        )
        frames = int(rng.integers(1, 4))
        scores = (rng.integers(-8, 8, (frames, 3)) / 4).astype(np.float32)
        paths = list(graph_paths(arcs, PDFS, scores))
        seed += 1
    graph = remove_epsilons(arcs.graph().to_arrays(), len(SYMBOLS))
    lattice = make_lattice(
        graph,
        everything(graph, frames),
        PDFS,
        scores,
        acoustic_scale=SCALE,
        lattice_beam=beam,
        reached_final=True,
        symbols=SYMBOLS,
    )
    expected = distinct(paths)
    limit = min(expected.values()) + beam
    found = list(lattice_paths(lattice))
    # Arcs of good paths may join to worse ones too, of which not every better twin is kept.
    assert {path_of(path) for path in found} <= {path_of(path) for path in paths}
    within = {key: cost for key, cost in expected.items() if cost <= limit}
    assert within.items() <= distinct(found).items()  # the toys' costs have no rounding
    check_order(lattice, frames)


def check_order(lattice: Lattice, frames: int) -> None:
    assert (lattice.sources < lattice.targets).all()
    assert (np.diff(lattice.sources) >= 0).all()
    assert (np.diff(lattice.state_frames) >= 0).all()
    assert lattice.num_frames == frames
    assert lattice.state_frames[0] == 0
    steps = lattice.state_frames[lattice.targets] - lattice.state_frames[lattice.sources]
    assert (steps == (lattice.tids > 0)).all()
    final = np.isfinite(lattice.final_costs)
    assert (lattice.state_frames[final] == frames).all()
    # Every state is on a path.
    assert set(lattice.targets.tolist()) == set(range(1, lattice.num_states))
    assert set(lattice.sources.tolist()) | set(np.flatnonzero(final).tolist()) == set(
        range(lattice.num_states)
    )


def test_an_arc_of_several_words_becomes_a_chain() -> None:
    sequences = WordSequences(len(SYMBOLS))
    graph = EpsilonFreeGraph(
        sources=np.array([0, 0, 1], dtype=np.int32),
        tids=np.array([1, 2, 3], dtype=np.int32),
        words=np.array([0, 0, 0], dtype=np.int32),
        costs=np.array([1.0, 2.0, 4.0], dtype=np.float32),
        next_states=np.array([1, 1, 2], dtype=np.int32),
        final_costs=np.array([inf, inf, 0.5], dtype=np.float32),
        sequences=sequences,
    )
    two = sequences.join(np.array([1], np.int32), np.array([2], np.int32))
    three = sequences.join(two, np.array([3], np.int32))
    graph.words[1:] = three[0], two[0]
    scores = np.zeros((2, 3), dtype=np.float32)
    lattice = make_lattice(
        graph,
        everything(graph, 2),
        PDFS,
        scores,
        acoustic_scale=1.0,
        lattice_beam=inf,
        reached_final=True,
        symbols=SYMBOLS,
    )
    check_order(lattice, 2)
    assert lattice.num_arcs == 3 + 2 + 1
    assert sorted(path[:3] for path in lattice_paths(lattice)) == [
        ((1, 2), (1, 3), 5.5),
        ((1, 2, 3, 1, 2), (2, 3), 6.5),
    ]
