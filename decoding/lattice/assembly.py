"""Lattices put together from arcs in any order, as files list them."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from recognizer.data.errors import SpeechError
from recognizer.decoding.lattice.lattice import CompactLattice, Lattice


@dataclass(frozen=True)
class FileArc:
    """An arc of a file.

    Attributes:
        source: number of a state.
        target: number of a state.
        word: word id, 0 for none.
        graph_cost: negated natural log.
        acoustic_cost: negated natural log, unscaled.
        tids: transition-ids of its frames, 0 where unknown.
    """

    source: int
    target: int
    word: int
    graph_cost: float = 0.0
    acoustic_cost: float = 0.0
    tids: tuple[int, ...] = ()


@dataclass(frozen=True)
class FileEnd:
    """A final state of a file; the rest as in `FileArc`."""

    state: int
    graph_cost: float = 0.0
    acoustic_cost: float = 0.0
    tids: tuple[int, ...] = ()


def is_deterministic(arcs: Sequence[FileArc]) -> bool:
    """Whether every arc has a word, and no state two arcs of the same one."""
    return all(arc.word for arc in arcs) and len({(arc.source, arc.word) for arc in arcs}) == len(
        arcs
    )


def assemble_compact(
    start: int,
    arcs: Sequence[FileArc],
    ends: Sequence[FileEnd],
    symbols: tuple[str, ...],
    place: str,
) -> CompactLattice:
    """A compact lattice of arcs for which `is_deterministic` holds.

    States keep their order where it is topological; those that the start does not reach are left
    out.

    Args:
        start: number of the start state.
        arcs: in any order; those of a state keep theirs.
        ends: at most one for each state.
        symbols: word of each id.
        place: of the file, for errors.

    Raises:
        SpeechError: the arcs form a cycle, or paths to a state differ in their frames.
    """
    order = _topological_order(start, arcs, ends, place)
    number = {state: i for i, state in enumerate(order)}
    kept = sorted((arc for arc in arcs if arc.source in number), key=lambda a: number[a.source])
    end_of = {end.state: end for end in ends}
    state_ends = [end_of.get(state, FileEnd(state, graph_cost=inf)) for state in order]
    tids, tid_offsets = _joined([arc.tids for arc in kept])
    final_tids, final_tid_offsets = _joined([end.tids for end in state_ends])
    return CompactLattice(
        state_frames=_state_frames(len(order), kept, number, place),
        sources=np.array([number[arc.source] for arc in kept], dtype=np.int32),
        targets=np.array([number[arc.target] for arc in kept], dtype=np.int32),
        words=np.array([arc.word for arc in kept], dtype=np.int32),
        graph_costs=np.array([arc.graph_cost for arc in kept], dtype=np.float64),
        acoustic_costs=np.array([arc.acoustic_cost for arc in kept], dtype=np.float64),
        tid_offsets=tid_offsets,
        tids=tids,
        final_graph_costs=np.array([end.graph_cost for end in state_ends], dtype=np.float64),
        final_acoustic_costs=np.array([end.acoustic_cost for end in state_ends], dtype=np.float64),
        final_tid_offsets=final_tid_offsets,
        final_tids=final_tids,
        beam=inf,
        reached_final=True,
        symbols=symbols,
    )


def assemble_state_level(
    start: int,
    arcs: Sequence[FileArc],
    ends: Sequence[FileEnd],
    symbols: tuple[str, ...],
    place: str,
    *,
    frames: Mapping[int, int] | None = None,
) -> Lattice:
    """A state-level lattice of any arcs; those of several frames become chains.

    What an end has besides its graph cost goes to an arc into one more state.

    Args:
        start: as for `assemble_compact`, and so are the others.
        arcs: their transition-ids are not 0.
        ends: as for `assemble_compact`.
        symbols: as for `assemble_compact`.
        place: as for `assemble_compact`.
        frames: before each state, of arcs that have no transition-ids.

    Raises:
        SpeechError: as `assemble_compact`.
    """
    arcs, ends = _by_frame(arcs, ends)
    order = _topological_order(start, arcs, ends, place)
    number = {state: i for i, state in enumerate(order)}
    kept = sorted((arc for arc in arcs if arc.source in number), key=lambda a: number[a.source])
    if frames is None:
        state_frames = _state_frames(len(order), kept, number, place)
    else:
        last = max(frames.values())
        state_frames = np.array([frames.get(state, last) for state in order], dtype=np.int32)
    final_costs = np.full(len(order), np.inf, dtype=np.float32)
    for end in ends:
        if end.state in number:
            final_costs[number[end.state]] = end.graph_cost
    return Lattice(
        state_frames=state_frames,
        sources=np.array([number[arc.source] for arc in kept], dtype=np.int32),
        targets=np.array([number[arc.target] for arc in kept], dtype=np.int32),
        tids=np.array([sum(arc.tids) for arc in kept], dtype=np.int32),
        words=np.array([arc.word for arc in kept], dtype=np.int32),
        graph_costs=np.array([arc.graph_cost for arc in kept], dtype=np.float32),
        acoustic_costs=np.array([arc.acoustic_cost for arc in kept], dtype=np.float32),
        final_costs=final_costs,
        reached_final=True,
        symbols=symbols,
    )


def _by_frame(
    arcs: Sequence[FileArc], ends: Sequence[FileEnd]
) -> tuple[list[FileArc], list[FileEnd]]:
    """Arcs of at most one transition-id, ends of none and without acoustic cost."""
    states = [end.state for end in ends]
    states += [state for arc in arcs for state in (arc.source, arc.target)]
    free = max(states, default=0) + 1
    simple_ends = [end for end in ends if not end.tids and end.acoustic_cost == 0.0]
    others = [end for end in ends if end.tids or end.acoustic_cost != 0.0]
    arcs = list(arcs)
    if others:
        simple_ends.append(FileEnd(free))
        arcs += [
            FileArc(end.state, free, 0, end.graph_cost, end.acoustic_cost, end.tids)
            for end in others
        ]
        free += 1
    split: list[FileArc] = []
    for arc in arcs:
        source = arc.source
        # Costs and word go to the first of a chain.
        piece = replace(arc, tids=arc.tids[:1])
        for tid in arc.tids[1:]:
            split.append(replace(piece, source=source, target=free))
            piece = FileArc(free, arc.target, 0, tids=(tid,))
            source, free = free, free + 1
        split.append(replace(piece, source=source, target=arc.target))
    return split, simple_ends


def _topological_order(
    start: int, arcs: Sequence[FileArc], ends: Sequence[FileEnd], place: str
) -> list[int]:
    """The states that the start reaches, every arc's source before its target."""
    leaving: dict[int, list[int]] = {}
    for arc in arcs:
        leaving.setdefault(arc.source, []).append(arc.target)
    reached = {start}
    stack = [start]
    while stack:
        for target in leaving.get(stack.pop(), ()):
            if target not in reached:
                reached.add(target)
                stack.append(target)
    if not any(end.state in reached for end in ends):
        raise SpeechError(f"{place}: expected a path from the start to a final state, found none")
    waiting_for = dict.fromkeys(reached, 0)
    for arc in arcs:
        if arc.source in reached:
            waiting_for[arc.target] += 1
    # The lowest number first: states that are in order stay so.
    ready = [state for state, count in waiting_for.items() if count == 0]
    heapq.heapify(ready)
    order = []
    while ready:
        state = heapq.heappop(ready)
        order.append(state)
        for target in leaving.get(state, ()):
            waiting_for[target] -= 1
            if waiting_for[target] == 0:
                heapq.heappush(ready, target)
    if len(order) < len(reached):
        state = min(state for state, count in waiting_for.items() if count > 0)
        raise SpeechError(f"{place}: expected a lattice without cycles, found one at state {state}")
    return order


def _state_frames(
    num_states: int, arcs: Sequence[FileArc], number: dict[int, int], place: str
) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Frames before each state; the arcs are in topological order."""
    frames = np.full(num_states, -1, dtype=np.int32)
    frames[0] = 0
    for arc in arcs:
        after = int(frames[number[arc.source]]) + len(arc.tids)
        target = number[arc.target]
        if frames[target] not in (-1, after):
            raise SpeechError(
                f"{place}: state {arc.target}: expected as many frames on every path to it, "
                f"found {frames[target]} and {after}"
            )
        frames[target] = after
    return frames


def _joined(
    strings: Sequence[tuple[int, ...]],
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int32]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """The strings one after the other, and their offsets."""
    offsets = np.concatenate([[0], np.cumsum([len(string) for string in strings])])
    values = [value for string in strings for value in string]
    return np.array(values, dtype=np.int32), offsets.astype(np.int64)
