"""Paths of a lattice: the best one, the n best ones, the one with given words."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

import numpy as np

from recognizer.data.errors import SpeechError
from recognizer.decoding import _lattice
from recognizer.decoding.lattice.lattice import (
    BestPath,
    CompactLattice,
    Lattice,
    check_scale,
    lattice_words,
    scaled_costs,
)

_INFINITY = float("inf")
_FINAL = -1  # stands for ending in a state, where otherwise an arc that leaves it is named


def best_path(lattice: Lattice | CompactLattice, acoustic_scale: float) -> BestPath:
    """The path of lowest graph cost + acoustic_scale * acoustic cost.

    Args:
        lattice: of a search, or determinised.
        acoustic_scale: factor of the acoustic costs. Costs are natural logs.

    Returns:
        Its words, the transition-id of each frame, and both costs.

    Raises:
        UsageError: a scale that is not finite or below 0.
        SpeechError: the lattice has no complete path.
    """
    if isinstance(lattice, CompactLattice):
        return next(n_best(lattice, acoustic_scale))
    check_scale("acoustic_scale", acoustic_scale)
    try:
        word_ids, tids, graph_cost, acoustic_cost = _lattice.best_path(
            lattice.sources,
            lattice.targets,
            lattice.tids,
            lattice.words,
            lattice.graph_costs,
            lattice.acoustic_costs,
            lattice.final_costs,
            acoustic_scale,
        )
    except ValueError as error:
        raise SpeechError(str(error)) from error
    return BestPath(
        words=tuple(lattice.symbols[word] for word in word_ids.tolist()),
        word_ids=word_ids,
        tids=tids,
        graph_cost=graph_cost,
        acoustic_cost=acoustic_cost,
        complete=lattice.reached_final,
    )


def path_of_words(lattice: CompactLattice, words: Sequence[str]) -> BestPath | None:
    """The path with these words, such as those of `lattice.mbr`; None if there is none."""
    known = lattice_words(lattice)
    offsets = lattice.arc_offsets.tolist()
    arcs: list[int] = []
    state = 0
    for word in words:
        first, last = offsets[state], offsets[state + 1]
        found = np.flatnonzero(lattice.words[first:last] == known.get(word, 0))
        if len(found) == 0:
            return None
        arcs.append(first + int(found[0]))
        state = int(lattice.targets[arcs[-1]])
    return lattice.path(arcs) if np.isfinite(lattice.final_graph_costs[state]) else None


def n_best(lattice: CompactLattice, acoustic_scale: float) -> Iterator[BestPath]:
    """All paths, which are all word sequences, from the best to the worst.

    Each path is the best one from where it leaves one that came before it; so what is found early
    costs little more than its length.

    Args:
        lattice: determinised, so that no two paths have the same words.
        acoustic_scale: factor of the acoustic costs; graph costs have 1. Costs are natural logs.

    Returns:
        Paths, made as they are asked for, each with words, transition-ids and costs.

    Raises:
        UsageError: a scale that is not finite or below 0.
        SpeechError: the lattice has no complete path.
    """
    backward = lattice.backward_costs(acoustic_scale)
    if not backward or backward[0] == _INFINITY:
        raise SpeechError("lattice: expected a path from the start to a final state")
    costs, finals = (array.tolist() for array in scaled_costs(lattice, acoustic_scale))
    targets, offsets = lattice.targets.tolist(), lattice.arc_offsets.tolist()
    # Of each state the arcs that lead to the end, each with how much more than the best of them
    # the best path that begins with it costs; the cheapest first.
    sorted_arcs: dict[int, list[tuple[float, int]]] = {}

    def arcs_from(state: int) -> list[tuple[float, int]]:
        if state not in sorted_arcs:
            found = [
                (costs[arc] + backward[targets[arc]], arc)
                for arc in range(offsets[state], offsets[state + 1])
            ]
            found.append((finals[state], _FINAL))
            best = backward[state]
            sorted_arcs[state] = sorted(
                (cost - best, arc) for cost, arc in found if cost < _INFINITY
            )
        return sorted_arcs[state]

    # Entries: total cost, order of arrival, arcs to a state, the state, and which of its arcs next.
    queue: list[tuple[float, int, _Arcs, int, int]] = [(backward[0], 0, None, 0, 0)]
    arrivals = 1
    while queue:
        total, _, arcs, state, choice = heapq.heappop(queue)
        while True:
            here = arcs_from(state)
            if choice + 1 < len(here):
                other = total - here[choice][0] + here[choice + 1][0]
                heapq.heappush(queue, (other, arrivals, arcs, state, choice + 1))
                arrivals += 1
            arc = here[choice][1]
            if arc == _FINAL:
                break
            arcs, state, choice = (arc, arcs), targets[arc], 0
        yield lattice.path(_listed(arcs))


_Arcs = tuple[int, "_Arcs"] | None  # the last arc and those before it


def _listed(arcs: _Arcs) -> list[int]:
    listed = []
    while arcs is not None:
        arc, arcs = arcs
        listed.append(arc)
    return listed[::-1]
