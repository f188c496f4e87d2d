"""How many tokens kaldi-decoder's `FasterDecoder` follows, which it does not tell.

Does again what `FasterDecoder` does (kaldi-decoder/csrc/faster-decoder.cc and hash-list-inl.h,
version 0.3.2), double for double and in the order of its hash lists, since what it prunes depends
on the order in which it comes to tokens and arcs. Arcs are handled a frame at a time with numpy, so
a frame takes milliseconds. The best path's cost tells whether this and `FasterDecoder` agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.search.search import SearchOptions

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
LongArray = npt.NDArray[np.int64]

_FIRST_HASH_SIZE = 1000
_HASH_RATIO = 2.0


@dataclass(frozen=True)
class ActiveTokens:
    """Sums over the frames of an utterance.

    Attributes:
        expanded: tokens better than the frame's cut-off, whose arcs are followed.
        made: all tokens of the frames.
        cost: of the best path.
    """

    expanded: int
    made: int
    cost: float


class ActiveTokenCounter:
    """Searches a graph as `FasterDecoder` does.

    Args:
        graph: the decoding graph; arcs in the order of `DecodingGraph.to_kaldifst`.
        pdfs: int32 `[num_transition_ids + 1]`, pdf-id of each transition-id.
        options: beams and acoustic scale; the lattice beam is not used.
    """

    def __init__(
        self, graph: DecodingGraph, pdfs: npt.NDArray[np.int32], options: SearchOptions
    ) -> None:
        self._graph = graph
        self._pdfs = pdfs
        self._options = options
        self._first = graph.offsets[:-1]
        self._emitting_end = self._first + graph.num_emitting
        self._has_epsilons = self._emitting_end < graph.offsets[1:]
        self._index = np.full(graph.num_states, -1, dtype=np.int64)  # of a state's token, or -1

    def count(self, log_likelihoods: FloatArray) -> ActiveTokens:
        """Searches one utterance, float32 `[T, num_pdfs]`, T > 0."""
        hash_size = _FIRST_HASH_SIZE
        states, costs = self._closed([self._graph.start], [0.0], np.inf, hash_size)
        expanded = made = 0
        for row in log_likelihoods * np.float32(self._options.acoustic_scale):
            cutoff, adaptive_beam = self._cutoff(costs)
            hash_size = max(hash_size, int(np.float32(len(states)) * np.float32(_HASH_RATIO)))
            followed = costs < cutoff
            made += len(states)
            expanded += int(followed.sum())
            new_states, new_costs, limit = self._emitted(
                states, costs, followed, -row, adaptive_beam, hash_size
            )
            states, costs = self._closed(new_states.tolist(), new_costs.tolist(), limit, hash_size)
        totals = costs + self._graph.final_costs[states]
        cost = totals.min() if np.isfinite(totals).any() else costs.min()
        return ActiveTokens(expanded, made, float(cost))

    def _cutoff(self, costs: DoubleArray) -> tuple[float, float]:
        """GetCutoff: what tokens must be better than, and the beam of the next frame."""
        options = self._options
        best = float(costs.min())
        single = costs.astype(np.float32)
        by_beam = best + float(np.float32(options.beam))
        if len(costs) > options.max_active:
            by_count = float(np.partition(single, options.max_active)[options.max_active])
            if by_count < by_beam:
                return by_count, _float32(by_count - best + _float32(options.beam_delta))
        if len(costs) > options.min_active:
            by_count = best
            if options.min_active:
                by_count = float(np.partition(single, options.min_active)[options.min_active])
            if by_count > by_beam:
                return by_count, _float32(by_count - best + _float32(options.beam_delta))
            return by_beam, _float32(options.beam)
        return np.inf, np.inf

    def _emitted(
        self,
        states: LongArray,
        costs: DoubleArray,
        followed: npt.NDArray[np.bool_],
        acoustic_costs: FloatArray,
        adaptive_beam: float,
        hash_size: int,
    ) -> tuple[LongArray, DoubleArray, float]:
        """ProcessEmitting: the next frame's tokens in its list's order, and the last cut-off."""
        best = int(costs.argmin())
        _, totals = self._arcs(states[best : best + 1], costs[best : best + 1], acoustic_costs)
        limit = float(totals.min(initial=np.inf)) + adaptive_beam
        targets, totals = self._arcs(states[followed], costs[followed], acoustic_costs)
        # The cut-off as it stands when each arc's turn comes.
        limits = np.minimum.accumulate(np.concatenate(([limit], totals + adaptive_beam)))
        kept = totals < limits[:-1]
        targets, totals = targets[kept], totals[kept]
        new_states, arrivals, inverse = np.unique(targets, return_index=True, return_inverse=True)
        new_costs = np.full(len(new_states), np.inf)
        np.minimum.at(new_costs, inverse, totals)
        by_arrival = np.argsort(arrivals)
        new_states, new_costs = new_states[by_arrival], new_costs[by_arrival]
        order = _list_order(new_states, hash_size)
        return new_states[order], new_costs[order], float(limits[-1])

    def _arcs(
        self, states: LongArray, costs: DoubleArray, acoustic_costs: FloatArray
    ) -> tuple[LongArray, DoubleArray]:
        """Targets and path costs of the emitting arcs of tokens, one token after the other."""
        first = self._first[states]
        counts = self._emitting_end[states] - first
        ends = np.cumsum(counts)
        arcs = np.arange(ends[-1] if len(ends) else 0) + np.repeat(first - ends + counts, counts)
        graph = self._graph
        totals = np.repeat(costs, counts) + graph.costs[arcs]
        totals += acoustic_costs[self._pdfs[graph.ilabels[arcs]]]
        return graph.next_states[arcs].astype(np.int64), totals

    def _closed(
        self, states: list[int], costs: list[float], limit: float, hash_size: int
    ) -> tuple[LongArray, DoubleArray]:
        """ProcessNonemitting: tokens with those that they lead to without a frame, in order."""
        graph, index = self._graph, self._index
        index[states] = range(len(states))
        queue = np.flatnonzero(self._has_epsilons[states]).tolist()
        while queue:
            token = queue.pop()
            if costs[token] > limit:
                continue
            state = states[token]
            for arc in range(int(self._emitting_end[state]), int(graph.offsets[state + 1])):
                cost = costs[token] + float(graph.costs[arc])
                if cost > limit:
                    continue
                target = int(graph.next_states[arc])
                found = int(index[target])
                if found < 0:
                    found = len(states)
                    index[target] = found
                    states.append(target)
                    costs.append(cost)
                elif cost < costs[found]:
                    costs[found] = cost
                else:
                    continue
                queue.append(found)
        index[states] = -1
        order = _list_order(np.array(states), hash_size)
        return np.array(states, dtype=np.int64)[order], np.array(costs)[order]


def _list_order(states: LongArray, hash_size: int) -> LongArray:
    """Order of tokens made one after the other in a hash list: buckets as they were first used."""
    buckets = states % hash_size
    _, first, inverse = np.unique(buckets, return_index=True, return_inverse=True)
    return np.argsort(first[inverse], kind="stable")


def _float32(value: float) -> float:
    return float(np.float32(value))
