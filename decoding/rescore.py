"""The second pass: a lattice's language model scores are taken out, those of a larger one put in.

What the first pass's graph charged for words is known exactly (`lm.EpsilonBackoffModel`), so that
graph costs keep pronunciation and transition probabilities as they are. States of the lattice are
split by the true histories of both models, as in composition with the models as acceptors
(Kaldi's ``lattice-lmrescore-pruned``).
"""

from __future__ import annotations

import logging
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from data.errors import SpeechError, UsageError
from decoding.lattice import BestPath, CompactLattice
from lm.language_model import LanguageModel

_LOG = logging.getLogger(__name__)
_INFINITY = float("inf")


@dataclass(frozen=True)
class RescoreOptions:
    """Scales and limits of rescoring.

    Attributes:
        acoustic_scale: factor of the acoustic costs in comparisons.
        lm_scale: factor of the new model's log probabilities.
        word_insertion_penalty: cost added for each word, natural log.
        beam: histories that are worse than the best one in the same lattice state by more are
            dropped; inf for none.
        max_arcs: arcs of the expanded lattice; if they do not suffice, the beam is halved until
            they do.
    """

    acoustic_scale: float
    lm_scale: float = 1.0
    word_insertion_penalty: float = 0.0
    beam: float = 8.0
    max_arcs: int = 200_000

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in ("acoustic_scale", "lm_scale"):
            if not 0.0 <= getattr(self, name) < _INFINITY:
                raise UsageError(
                    f"{name}: expected a finite number >= 0, found {getattr(self, name)}"
                )
        if not abs(self.word_insertion_penalty) < _INFINITY:
            raise UsageError(
                f"word_insertion_penalty: expected a finite number, "
                f"found {self.word_insertion_penalty}"
            )
        if not self.beam > 0.0:
            raise UsageError(f"rescoring beam: expected a number > 0, found {self.beam}")
        if self.max_arcs < 1:
            raise UsageError(f"max_arcs: expected a number >= 1, found {self.max_arcs}")


@dataclass(frozen=True, eq=False)
class Rescored:
    """A lattice after rescoring.

    Attributes:
        best: the best path; its graph cost has the new model's scaled scores and the penalty.
        beam: the beam that was used, less than asked for if `max_arcs` was hit.
        num_dropped: histories that the beam left out.
    """

    best: BestPath
    beam: float
    num_dropped: int
    _expansion: _Expansion = field(repr=False)

    @cached_property
    def lattice(self) -> CompactLattice:
        """The expanded lattice, every word sequence on one path, with the new graph costs."""
        return self._expansion.to_lattice()


def rescore(
    lattice: CompactLattice,
    old: LanguageModel[Any],
    new: LanguageModel[Any],
    acoustic_scale: float,
    lm_scale: float = 1.0,
    word_insertion_penalty: float = 0.0,
) -> BestPath:
    """The best path with the new language model in the place of the old; see `rescore_lattice`."""
    options = RescoreOptions(acoustic_scale, lm_scale, word_insertion_penalty)
    return rescore_lattice(lattice, old, new, options).best


def rescore_lattice(
    lattice: CompactLattice,
    old: LanguageModel[Any],
    new: LanguageModel[Any],
    options: RescoreOptions,
) -> Rescored:
    """Replaces the old language model's scores by the new one's.

    A path's new graph cost is its old one, plus the old model's log probability, less ``lm_scale``
    times the new model's, plus the word insertion penalty for each word. Both models score the end
    of the sentence too, except on a lattice that reached no final state, whose paths do not end.

    Args:
        lattice: determinised on words.
        old: the model of the first pass's graph, as the graph applies it.
        new: any model.
        options: scales and limits.

    Raises:
        SpeechError: the lattice has no complete path, or a model gives no finite score.
    """
    beam = options.beam
    while True:
        expansion = _Expansion(lattice, old, new, options, beam)
        if expansion.run():
            break
        # An infinite beam has no half.
        beam = 16.0 if beam == _INFINITY else beam / 2
    if beam < options.beam:
        _LOG.warning(
            "lattice rescoring ran into its limit of %d arcs: beam %.2f instead of %.2f",
            options.max_arcs,
            beam,
            options.beam,
        )
    return Rescored(expansion.best_path(), beam, expansion.num_dropped, expansion)


class _Node:
    """A lattice state with the histories that lead to it."""

    __slots__ = ("arcs", "back", "cost", "new", "old", "state")

    def __init__(self, state: int, old: Hashable, new: Hashable) -> None:
        self.state = state
        self.old = old
        self.new = new
        self.cost = _INFINITY
        self.back: tuple[_Node, int, float] | None = None  # node, arc and graph cost before it
        self.arcs: list[tuple[int, _Node, float]] = []  # arc, target, graph cost


class _Expansion:
    """The product of the lattice with both models, state by state in topological order."""

    def __init__(
        self,
        lattice: CompactLattice,
        old: LanguageModel[Any],
        new: LanguageModel[Any],
        options: RescoreOptions,
        beam: float,
    ) -> None:
        self._lattice = lattice
        self._old, self._new = old, new
        self._options = options
        self._beam = beam
        self.num_dropped = 0
        self._nodes: list[_Node] = []  # topological order
        self._final: _Node | None = None
        self._final_graph_costs: dict[int, float] = {}  # by id() of the node

    def run(self) -> bool:
        """Expands; False if there are more arcs than allowed and a smaller beam may help."""
        lattice, options = self._lattice, self._options
        if lattice.num_states == 0:
            raise SpeechError("lattice: expected a path from the start to a final state")
        scale, lm_scale = options.acoustic_scale, options.lm_scale
        penalty = options.word_insertion_penalty
        offsets, targets = lattice.arc_offsets.tolist(), lattice.targets.tolist()
        words, symbols = lattice.words.tolist(), lattice.symbols
        graph_costs = lattice.graph_costs.tolist()
        acoustic_costs = (scale * lattice.acoustic_costs).tolist()
        final_costs = lattice.final_graph_costs.tolist()
        final_acoustic = (scale * lattice.final_acoustic_costs).tolist()
        old_score, new_score = self._old.score, self._new.score
        old_cache: dict[tuple[Hashable, int], tuple[float, Hashable]] = {}
        new_cache: dict[tuple[Hashable, int], tuple[float, Hashable]] = {}
        at: list[dict[tuple[Hashable, Hashable], _Node]] = [{} for _ in range(lattice.num_states)]
        start = _Node(0, self._old.start(), self._new.start())
        start.cost = 0.0
        at[0][start.old, start.new] = start
        best_final = _INFINITY
        num_arcs = 0
        for state in range(lattice.num_states):
            nodes = list(at[state].values())
            at[state] = {}
            if not nodes:
                continue
            limit = min(node.cost for node in nodes) + self._beam
            for node in nodes:
                if node.cost > limit:
                    self.num_dropped += 1
                    continue
                self._nodes.append(node)
                if final_costs[state] < _INFINITY:
                    graph_cost = final_costs[state] + self._end_cost(node)
                    self._final_graph_costs[id(node)] = graph_cost
                    total = node.cost + graph_cost + final_acoustic[state]
                    if total < best_final:
                        best_final, self._final = total, node
                for arc in range(offsets[state], offsets[state + 1]):
                    word = words[arc]
                    old = old_cache.get((node.old, word))
                    if old is None:
                        old = old_cache[node.old, word] = old_score(node.old, symbols[word])
                    new = new_cache.get((node.new, word))
                    if new is None:
                        new = new_cache[node.new, word] = new_score(node.new, symbols[word])
                    graph_cost = graph_costs[arc] + old[0] - lm_scale * new[0] + penalty
                    if not -_INFINITY < graph_cost < _INFINITY:
                        raise SpeechError(
                            f"language model: expected finite scores of {symbols[word]!r}, "
                            f"found {old[0]} and {new[0]}"
                        )
                    followers = at[targets[arc]]
                    follower = followers.get((old[1], new[1]))
                    if follower is None:
                        follower = _Node(targets[arc], old[1], new[1])
                        followers[old[1], new[1]] = follower
                    cost = node.cost + graph_cost + acoustic_costs[arc]
                    if cost < follower.cost:
                        follower.cost = cost
                        follower.back = (node, arc, graph_cost)
                    node.arcs.append((arc, follower, graph_cost))
                    num_arcs += 1
            if num_arcs > options.max_arcs and self._beam > 1e-3:
                return False
        if self._final is None:
            raise SpeechError("lattice: expected a path from the start to a final state")
        return True

    def _end_cost(self, node: _Node) -> float:
        """What the end of the sentence adds to the graph cost."""
        if not self._lattice.reached_final:
            return 0.0
        old, new = self._old.final(node.old), self._new.final(node.new)
        cost = old - self._options.lm_scale * new
        if not -_INFINITY < cost < _INFINITY:
            raise SpeechError(
                f"language model: expected finite scores of the sentence end, found {old} and {new}"
            )
        return cost

    def best_path(self) -> BestPath:
        """The best path of the expanded lattice."""
        node = self._final
        assert node is not None
        graph_cost = self._final_graph_costs[id(node)]
        arcs: list[int] = []
        while node.back is not None:
            node, arc, cost = node.back
            arcs.append(arc)
            graph_cost += cost
        path = self._lattice.path(arcs[::-1])
        return BestPath(
            words=path.words,
            word_ids=path.word_ids,
            tids=path.tids,
            graph_cost=graph_cost,
            acoustic_cost=path.acoustic_cost,
            complete=path.complete,
        )

    def to_lattice(self) -> CompactLattice:
        """The nodes from which the end is reached, and the arcs between them."""
        lattice = self._lattice
        kept: set[int] = set()
        for node in reversed(self._nodes):
            if id(node) in self._final_graph_costs or any(id(to) in kept for _, to, _ in node.arcs):
                kept.add(id(node))
        nodes = [node for node in self._nodes if id(node) in kept]
        number = {id(node): i for i, node in enumerate(nodes)}
        arcs = [
            (i, number[id(to)], arc, cost)
            for i, node in enumerate(nodes)
            for arc, to, cost in node.arcs
            if id(to) in number
        ]
        origins = np.array([arc for _, _, arc, _ in arcs], dtype=np.int64)
        states = np.array([node.state for node in nodes], dtype=np.int64)
        tids, tid_offsets = _gather(lattice.tids, lattice.tid_offsets, origins)
        final_tids, final_tid_offsets = _gather(
            lattice.final_tids, lattice.final_tid_offsets, states
        )
        return CompactLattice(
            state_frames=lattice.state_frames[states],
            sources=np.array([source for source, _, _, _ in arcs], dtype=np.int32),
            targets=np.array([target for _, target, _, _ in arcs], dtype=np.int32),
            words=lattice.words[origins],
            graph_costs=np.array([cost for _, _, _, cost in arcs], dtype=np.float64),
            acoustic_costs=lattice.acoustic_costs[origins],
            tid_offsets=tid_offsets,
            tids=tids,
            final_graph_costs=np.array(
                [self._final_graph_costs.get(id(node), _INFINITY) for node in nodes],
                dtype=np.float64,
            ),
            final_acoustic_costs=lattice.final_acoustic_costs[states],
            final_tid_offsets=final_tid_offsets,
            final_tids=final_tids,
            beam=min(lattice.beam, self._beam),
            reached_final=lattice.reached_final,
            symbols=lattice.symbols,
        )


def _gather(
    values: np.ndarray[Any, np.dtype[np.int32]],
    offsets: np.ndarray[Any, np.dtype[np.int64]],
    rows: np.ndarray[Any, np.dtype[np.int64]],
) -> tuple[np.ndarray[Any, np.dtype[np.int32]], np.ndarray[Any, np.dtype[np.int64]]]:
    """The rows of a ragged array, one after the other, and their offsets."""
    lengths = np.diff(offsets)[rows]
    after = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])
    index = np.arange(after[-1]) - np.repeat(after[:-1] - offsets[rows], lengths)
    return values[index], after
