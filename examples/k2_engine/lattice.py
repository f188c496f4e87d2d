"""Lattices from the arcs that k2 found in a graph without epsilon arcs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.decoding.lattice.lattice import Lattice

from .epsilon_free import EpsilonFreeGraph

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FoundArcs:
    """Arcs of a lattice by their place in the graph, sorted by source.

    States ascend with their frames, state 0 is the start. All paths end with an arc to one last
    state, which takes no frame of the utterance.

    Attributes:
        sources: int32 ``[A]``.
        targets: int32 ``[A]``.
        frames: int32 ``[A]``, number of frames before the arc, ascending.
        indices: int32 ``[A]``, index of the graph's arc; those that are not below the graph's
            number of arcs lead to the last state.
    """

    sources: IntArray
    targets: IntArray
    frames: IntArray
    indices: IntArray


def make_lattice(
    graph: EpsilonFreeGraph,
    found: FoundArcs,
    pdfs: IntArray,
    scores: FloatArray,
    *,
    acoustic_scale: float,
    lattice_beam: float,
    reached_final: bool,
    symbols: tuple[str, ...],
) -> Lattice:
    """The lattice of the arcs found that are on a path within the lattice beam of the best.

    k2 prunes in blocks of frames, so that it leaves more.

    Args:
        graph: what was searched; final costs are its own.
        found: from k2.
        pdfs: int32 ``[num_transition_ids + 1]``, pdf-id of each transition-id.
        scores: float32 ``[T, num_pdfs]``, unscaled log-likelihoods.
        acoustic_scale: factor of the log-likelihoods in comparisons.
        lattice_beam: paths worse than the best by more are left out.
        reached_final: whether the final states are the graph's.
        symbols: word of each id.
    """
    ends = np.flatnonzero(found.indices >= graph.num_arcs)
    arcs = np.flatnonzero(found.indices < graph.num_arcs)
    sources, targets, frames = found.sources[arcs], found.targets[arcs], found.frames[arcs]
    indices = found.indices[arcs]
    tids = graph.tids[indices]
    acoustic_costs = -scores[frames, pdfs[tids]]
    graph_costs = graph.costs[indices]
    # Final arcs have the indices after the others, in the order of their states.
    final_costs = np.full(int(found.targets.max()), np.inf, dtype=np.float32)
    final_states = np.flatnonzero(np.isfinite(graph.final_costs))
    final_costs[found.sources[ends]] = graph.final_costs[
        final_states[found.indices[ends] - graph.num_arcs]
    ]
    totals = graph_costs.astype(np.float64) + acoustic_scale * acoustic_costs.astype(np.float64)
    kept = _within_beam(sources, targets, frames, totals, final_costs, len(scores), lattice_beam)
    used = np.zeros(len(final_costs), dtype=np.bool_)
    used[sources[kept]] = True
    used[targets[kept]] = True
    number = (np.cumsum(used) - 1).astype(np.int32)
    state_frames = np.zeros(len(final_costs), dtype=np.int32)
    state_frames[targets] = frames + 1
    lattice = Lattice(
        state_frames=state_frames[used],
        sources=number[sources[kept]],
        targets=number[targets[kept]],
        tids=tids[kept],
        words=graph.words[indices[kept]],
        graph_costs=graph_costs[kept],
        acoustic_costs=acoustic_costs[kept],
        final_costs=final_costs[used],
        reached_final=reached_final,
        symbols=symbols,
    )
    return _one_word_per_arc(lattice, graph)


def _within_beam(
    sources: IntArray,
    targets: IntArray,
    frames: IntArray,
    costs: DoubleArray,
    final_costs: FloatArray,
    num_frames: int,
    beam: float,
) -> npt.NDArray[np.int64]:
    """Indices of the arcs on a path whose cost is at most the best one's plus the beam."""
    begins = np.searchsorted(frames, np.arange(num_frames + 1)).tolist()
    forward = np.full(len(final_costs), np.inf)
    forward[0] = 0.0
    backward = final_costs.astype(np.float64)
    for frame in range(num_frames):
        arcs = slice(begins[frame], begins[frame + 1])
        np.minimum.at(forward, targets[arcs], forward[sources[arcs]] + costs[arcs])
    for frame in reversed(range(num_frames)):
        arcs = slice(begins[frame], begins[frame + 1])
        np.minimum.at(backward, sources[arcs], costs[arcs] + backward[targets[arcs]])
    through = forward[sources] + costs + backward[targets]
    # Sums in another order than the best path's own may differ from it in the last digits.
    limit = backward[0] + beam + 1e-9 * abs(backward[0])
    return np.flatnonzero(np.isfinite(through) & (through <= limit))


def _one_word_per_arc(lattice: Lattice, graph: EpsilonFreeGraph) -> Lattice:
    """Arcs whose word is a sequence of several become chains of arcs, the first with the costs."""
    longer = np.flatnonzero(graph.sequences.is_longer(lattice.words))
    if not len(longer):
        return lattice
    sequences = [graph.sequences[number] for number in lattice.words[longer].tolist()]
    added = np.array([len(sequence) - 1 for sequence in sequences])
    owners = np.repeat(longer, added)  # the arc that each new state and new arc belongs to
    # A chain's states come before all states that have as many frames before them.
    frames = np.append(lattice.state_frames, lattice.state_frames[lattice.targets[owners]])
    old = np.arange(len(frames)) < lattice.num_states
    order = np.lexsort((old, frames))
    number = np.empty(len(frames), dtype=np.int32)
    number[order] = np.arange(len(frames), dtype=np.int32)
    new_states = np.arange(lattice.num_states, len(frames), dtype=np.int32)
    first = np.cumsum(added) - added
    last = np.zeros(len(owners), dtype=np.bool_)
    last[first + added - 1] = True
    targets, words = lattice.targets.copy(), lattice.words.copy()
    targets[longer] = new_states[first]
    words[longer] = [sequence[0] for sequence in sequences]
    onward = np.where(last, lattice.targets[owners], np.append(new_states[1:], 0))
    zeros = np.zeros(len(owners), dtype=np.float32)
    sources = number[np.concatenate((lattice.sources, new_states))]
    by_source = np.argsort(sources, kind="stable")
    rest = [word for sequence in sequences for word in sequence[1:]]
    return Lattice(
        state_frames=frames[order],
        sources=sources[by_source],
        targets=number[np.concatenate((targets, onward))][by_source],
        tids=np.concatenate((lattice.tids, np.zeros(len(owners), np.int32)))[by_source],
        words=np.concatenate((words, np.array(rest, dtype=np.int32)))[by_source],
        graph_costs=np.concatenate((lattice.graph_costs, zeros))[by_source],
        acoustic_costs=np.concatenate((lattice.acoustic_costs, zeros))[by_source],
        final_costs=np.append(lattice.final_costs, np.full(len(owners), np.inf, np.float32))[order],
        reached_final=lattice.reached_final,
        symbols=lattice.symbols,
    )
