"""Lattices: state-level from the search, and determinised on words.

Acoustic costs are kept unscaled, apart from graph costs; whoever compares paths says the acoustic
scale. All costs are negated natural logs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError, UsageError

IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BestPath:
    """A path through a graph or lattice.

    Attributes:
        words: the words.
        word_ids: int32, their ids.
        tids: int32 ``[T]``, one transition-id per frame.
        graph_cost: language model, lexicon and transitions.
        acoustic_cost: negated log-likelihoods, unscaled.
        complete: whether the path ends in a final state of the graph; if not, its last word may
            be cut off.
    """

    words: tuple[str, ...]
    word_ids: IntArray
    tids: IntArray
    graph_cost: float
    acoustic_cost: float
    complete: bool = True

    def cost(self, acoustic_scale: float) -> float:
        """Graph cost plus scaled acoustic cost."""
        return self.graph_cost + acoustic_scale * self.acoustic_cost


@dataclass(frozen=True, eq=False)
class Lattice:
    """State-level lattice of N states and A arcs, as the search leaves it.

    States are in topological order, state 0 is the start. Arcs are sorted by source and lead to
    states of higher number. An arc with transition-id 0 takes no frame.

    Attributes:
        state_frames: int32 ``[N]``, frames before the state.
        sources: int32 ``[A]``.
        targets: int32 ``[A]``.
        tids: int32 ``[A]``, transition-id or 0.
        words: int32 ``[A]``, word id or 0.
        graph_costs: float32 ``[A]``.
        acoustic_costs: float32 ``[A]``, negated log-likelihoods, unscaled.
        final_costs: float32 ``[N]``, inf where a state is not final.
        reached_final: whether the search reached a final state of the graph; if not, all states
            of the last frame are final here, at no cost.
        symbols: word of each id.

    Raises:
        SpeechError: if an array has another type or length.
    """

    state_frames: IntArray
    sources: IntArray
    targets: IntArray
    tids: IntArray
    words: IntArray
    graph_costs: FloatArray
    acoustic_costs: FloatArray
    final_costs: FloatArray
    reached_final: bool
    symbols: tuple[str, ...] = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse arrays of another type or length."""
        states, arcs = self.num_states, self.num_arcs
        _check(self, np.int32, states, "state_frames")
        _check(self, np.float32, states, "final_costs")
        _check(self, np.int32, arcs, "sources", "targets", "tids", "words")
        _check(self, np.float32, arcs, "graph_costs", "acoustic_costs")

    @property
    def num_states(self) -> int:
        """Number of states N."""
        return len(self.final_costs)

    @property
    def num_arcs(self) -> int:
        """Number of arcs A."""
        return len(self.sources)

    @property
    def num_frames(self) -> int:
        """Number of frames T."""
        return int(self.state_frames[-1]) if self.num_states else 0


@dataclass(frozen=True, eq=False)
class CompactLattice:
    """Lattice over words, deterministic: every word sequence has at most one path.

    States are in topological order, state 0 is the start. Arcs are sorted by source. Arc a covers
    the frames of ``tids[tid_offsets[a]:tid_offsets[a + 1]]``; a final state n has the frames of
    ``final_tids[final_tid_offsets[n]:final_tid_offsets[n + 1]]`` after it. Words' ends lie near,
    not on, the states: exact times are in a path's transition-ids
    (`recognizer.decoding.lattice.word_times`).

    Attributes:
        state_frames: int32 ``[N]``, frames before the state.
        sources: int32 ``[A]``.
        targets: int32 ``[A]``.
        words: int32 ``[A]``, word ids, never 0.
        graph_costs: float64 ``[A]``.
        acoustic_costs: float64 ``[A]``, unscaled.
        tid_offsets: int64 ``[A + 1]``.
        tids: int32.
        final_graph_costs: float64 ``[N]``, inf where a state is not final.
        final_acoustic_costs: float64 ``[N]``.
        final_tid_offsets: int64 ``[N + 1]``.
        final_tids: int32.
        beam: every word sequence of the lattice it was made of whose cost is within this of the
            best is there; less than was asked for if a limit was hit.
        reached_final: as in `Lattice`.
        symbols: word of each id.

    Raises:
        SpeechError: if an array has another type or length.
    """

    state_frames: IntArray
    sources: IntArray
    targets: IntArray
    words: IntArray
    graph_costs: DoubleArray
    acoustic_costs: DoubleArray
    tid_offsets: LongArray
    tids: IntArray
    final_graph_costs: DoubleArray
    final_acoustic_costs: DoubleArray
    final_tid_offsets: LongArray
    final_tids: IntArray
    beam: float
    reached_final: bool
    symbols: tuple[str, ...] = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse arrays of another type or length."""
        states, arcs = self.num_states, self.num_arcs
        _check(self, np.int32, states, "state_frames")
        _check(self, np.float64, states, "final_graph_costs", "final_acoustic_costs")
        _check(self, np.int64, states + 1, "final_tid_offsets")
        _check(self, np.int32, arcs, "sources", "targets", "words")
        _check(self, np.float64, arcs, "graph_costs", "acoustic_costs")
        _check(self, np.int64, arcs + 1, "tid_offsets")
        _check(self, np.int32, int(self.tid_offsets[-1]), "tids")
        _check(self, np.int32, int(self.final_tid_offsets[-1]), "final_tids")

    @property
    def num_states(self) -> int:
        """Number of states N."""
        return len(self.final_graph_costs)

    @property
    def num_arcs(self) -> int:
        """Number of arcs A."""
        return len(self.sources)

    @cached_property
    def arc_offsets(self) -> LongArray:
        """int64 ``[N + 1]``; arcs of state n are ``arc_offsets[n]:arc_offsets[n + 1]``."""
        return np.searchsorted(self.sources, np.arange(self.num_states + 1)).astype(np.int64)

    @property
    def num_frames(self) -> int:
        """Number of frames T."""
        final = np.isfinite(self.final_graph_costs)
        ends = self.state_frames + np.diff(self.final_tid_offsets)
        return int(ends[final].max(initial=0))

    def backward_costs(self, acoustic_scale: float) -> list[float]:
        """Cost of the best path from each state to the end."""
        arcs, finals = scaled_costs(self, acoustic_scale)
        arc_costs: list[float] = arcs.tolist()
        costs: list[float] = finals.tolist()
        sources, targets = self.sources.tolist(), self.targets.tolist()
        for arc in range(self.num_arcs - 1, -1, -1):
            cost = arc_costs[arc] + costs[targets[arc]]
            if cost < costs[sources[arc]]:
                costs[sources[arc]] = cost
        return costs

    def path(self, arcs: list[int]) -> BestPath:
        """The path along the arcs, which lead from the start to a final state."""
        end = int(self.targets[arcs[-1]]) if arcs else 0
        pieces = [self.tids[self.tid_offsets[a] : self.tid_offsets[a + 1]] for a in arcs]
        pieces.append(
            self.final_tids[self.final_tid_offsets[end] : self.final_tid_offsets[end + 1]]
        )
        word_ids = self.words[arcs] if arcs else np.zeros(0, dtype=np.int32)
        return BestPath(
            words=tuple(self.symbols[word] for word in word_ids.tolist()),
            word_ids=word_ids,
            tids=np.concatenate(pieces),
            graph_cost=float(self.graph_costs[arcs].sum() + self.final_graph_costs[end]),
            acoustic_cost=float(self.acoustic_costs[arcs].sum() + self.final_acoustic_costs[end]),
            complete=self.reached_final,
        )


def _check(lattice: Lattice | CompactLattice, kind: type, length: int, *names: str) -> None:
    for name in names:
        array = getattr(lattice, name)
        if array.dtype != kind or array.shape != (length,) or not array.flags.c_contiguous:
            raise SpeechError(
                f"lattice: {name}: expected {np.dtype(kind)} [{length}], "
                f"found {array.dtype} {list(array.shape)}"
            )


def scaled_costs(
    lattice: Lattice | CompactLattice, acoustic_scale: float, graph_scale: float = 1.0
) -> tuple[DoubleArray, DoubleArray]:
    """Costs of the arcs, float64 ``[A]``, and of ending in each state, ``[N]``, as paths add them.

    Raises:
        UsageError: a scale that is not finite or below 0.
    """
    check_scale("acoustic_scale", acoustic_scale)
    check_scale("graph_scale", graph_scale)
    arcs = graph_scale * lattice.graph_costs.astype(np.float64)
    arcs += acoustic_scale * lattice.acoustic_costs.astype(np.float64)
    if isinstance(lattice, CompactLattice):
        ends, acoustic = lattice.final_graph_costs, lattice.final_acoustic_costs
    else:
        ends, acoustic = lattice.final_costs.astype(np.float64), np.zeros(lattice.num_states)
    final = np.isfinite(ends)
    finals = np.full(lattice.num_states, np.inf)
    finals[final] = graph_scale * ends[final] + acoustic_scale * acoustic[final]
    return arcs, finals


def check_scale(name: str, scale: float) -> None:
    """Raises `UsageError` for a scale that is not finite or below 0."""
    if not 0.0 <= scale < float("inf"):
        raise UsageError(f"{name}: expected a finite number >= 0, found {scale}")


def lattice_words(lattice: Lattice | CompactLattice) -> dict[str, int]:
    """The words on the arcs, with their ids."""
    ids = np.unique(lattice.words).tolist()
    return {lattice.symbols[word]: word for word in ids if word != 0}
