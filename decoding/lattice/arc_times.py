"""When the word of each arc of a lattice is spoken.

In a compact lattice a word's ends lie near, not on, the states: the search may learn which word it
is long after its first phone. Exact times are in the transition-ids, but those of an arc belong in
part to the words before and after it. So the time of an arc's word is read off the best path
through the arc. (Kaldi's ``lattice-align-words`` makes a larger lattice instead, in which a word
may have several arcs.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.am.hmm.transitions import TransitionModel
from recognizer.data.errors import SpeechError
from recognizer.decoding.lattice.lattice import CompactLattice, scaled_costs

IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]

_BEGIN, _PAUSE, _END = 1, 2, 3
_INFINITY = float("inf")


@dataclass(frozen=True, eq=False)
class WordBoundaries:
    """The transition-ids of a model at which words begin or end.

    Attributes:
        begins: int32, ids of the first frame of a word's first phone.
        pauses: int32, ids of the first frame of a phone that belongs to no word: silence.
    """

    begins: IntArray
    pauses: IntArray

    @classmethod
    def of_model(cls, transitions: TransitionModel) -> WordBoundaries:
        """Those of a transition model with phones in word-position variants."""
        positions = np.array(
            ["", *(transitions.phones.position(p) for p in transitions.phones.ids)]
        )
        starts = (transitions.hmm_state == 0) & ~transitions.is_self_loop
        starts[0] = False
        position = positions[np.maximum(transitions.phone, 0)]
        begins = np.flatnonzero(starts & np.isin(position, ("B", "S")))
        pauses = np.flatnonzero(starts & (position == ""))
        return cls(begins.astype(np.int32), pauses.astype(np.int32))


@dataclass(frozen=True, eq=False)
class ArcTimes:
    """First frame of each arc's word, and the frame after its last one.

    Attributes:
        begins: int32 ``[A]``.
        ends: int32 ``[A]``, never before the begin.
    """

    begins: IntArray
    ends: IntArray


def arc_times(
    lattice: CompactLattice, boundaries: WordBoundaries, acoustic_scale: float
) -> ArcTimes:
    """When the word of each arc is spoken on the best path through the arc.

    A word that the path does not finish, because the audio ends within it, ends with the path.

    Args:
        lattice: determinised on words.
        boundaries: of the model whose transition-ids the lattice has.
        acoustic_scale: of the comparison of paths.

    Raises:
        UsageError: a scale that is not finite or below 0.
        SpeechError: a path has fewer words in its transition-ids than on its arcs: they are of
            another model.
    """
    sources, targets = lattice.sources.tolist(), lattice.targets.tolist()
    before, after, useless = _best_arcs(lattice, acoustic_scale)
    of_arc, of_final = _events(lattice, boundaries)
    # Each state's past on the best path to it: its events, the latest first, and how many more
    # words begin in the transition-ids than stand on the arcs.
    past: list[_Chain] = [None] * lattice.num_states
    unnamed = [0] * lattice.num_states
    for state, arc in enumerate(before):
        if arc is not None:
            chain, count = past[sources[arc]], unnamed[sources[arc]] - 1
            for event in of_arc[arc]:
                chain = (event, chain)
                count += event[1] == _BEGIN
            past[state], unnamed[state] = chain, count
    # Each state's future on the best path from it: its events, the next one first.
    future: list[_Chain] = [None] * lattice.num_states
    frames = lattice.state_frames + np.diff(lattice.final_tid_offsets)
    for state in range(lattice.num_states - 1, -1, -1):
        arc = after[state]
        if arc is None:
            future[state] = _before(of_final[state], ((int(frames[state]), _END), None))
        else:
            future[state] = _before(of_arc[arc], future[targets[arc]])
    begins = np.empty(lattice.num_arcs, dtype=np.int32)
    ends = np.empty(lattice.num_arcs, dtype=np.int32)
    for arc, (source, target) in enumerate(zip(sources, targets, strict=True)):
        chain = _before(of_arc[arc], future[target])
        # Which of the begins from here on is the word's; it may lie in the past.
        number = 1 - unnamed[source]
        earlier = past[source]
        while number < 1 and earlier is not None:
            event, earlier = earlier
            chain = (event, chain)
            number += event[1] == _BEGIN
        span = _span(chain, number)
        if span[0] == span[1] and lattice.reached_final and not useless[arc]:
            raise SpeechError(
                f"lattice: arc {arc}: expected the begin of its word in the transition-ids, found "
                "none: are they of another model?"
            )
        begins[arc], ends[arc] = span
    return ArcTimes(begins, ends)


def state_times(lattice: CompactLattice) -> ArcTimes:
    """The times of the states of each arc, which lie near the word's.

    For lattices without transition-ids, such as those of SLF.
    """
    frames = lattice.state_frames
    return ArcTimes(frames[lattice.sources], frames[lattice.targets])


_Event = tuple[int, int]  # frame, and what is there
_Chain = tuple[_Event, "_Chain"] | None


def _before(events: list[_Event], chain: _Chain) -> _Chain:
    for event in reversed(events):
        chain = (event, chain)
    return chain


def _span(chain: _Chain, number: int) -> tuple[int, int]:
    """Begin and end of the word with the nth begin; nothing at the end if there is none."""
    frame = 0
    while chain is not None:
        (frame, kind), chain = chain
        if kind == _BEGIN:
            number -= 1
            if number == 0 and chain is not None:
                return frame, chain[0][0]
    return frame, frame


def _best_arcs(
    lattice: CompactLattice, acoustic_scale: float
) -> tuple[list[int | None], list[int | None], list[bool]]:
    """Of each state, the last arc of the best path to it and the first of the best path from it.

    They are None for the start, and for states where the best path ends. The third list says which
    arcs are on no path from the start to a final state.
    """
    arc_costs, final_costs = scaled_costs(lattice, acoustic_scale)
    costs = arc_costs.tolist()
    sources, targets = lattice.sources.tolist(), lattice.targets.tolist()
    forward = [_INFINITY] * lattice.num_states
    forward[0] = 0.0
    before: list[int | None] = [None] * lattice.num_states
    for arc, (source, target) in enumerate(zip(sources, targets, strict=True)):
        cost = forward[source] + costs[arc]
        if cost < forward[target]:
            forward[target], before[target] = cost, arc
    backward: list[float] = final_costs.tolist()
    after: list[int | None] = [None] * lattice.num_states
    for arc in range(lattice.num_arcs - 1, -1, -1):
        cost = costs[arc] + backward[targets[arc]]
        if cost < backward[sources[arc]]:
            backward[sources[arc]], after[sources[arc]] = cost, arc
    useless = [
        forward[source] == _INFINITY or backward[target] == _INFINITY
        for source, target in zip(sources, targets, strict=True)
    ]
    return before, after, useless


def _events(
    lattice: CompactLattice, boundaries: WordBoundaries
) -> tuple[list[list[_Event]], list[list[_Event]]]:
    """Begins of words and of pauses, by arc and by final state, with their frames."""
    largest = max(
        int(array.max(initial=0))
        for array in (lattice.tids, lattice.final_tids, boundaries.begins, boundaries.pauses)
    )
    kinds = np.zeros(largest + 1, dtype=np.int8)
    kinds[boundaries.begins] = _BEGIN
    kinds[boundaries.pauses] = _PAUSE
    first = lattice.state_frames
    return (
        _listed(kinds[lattice.tids], lattice.tid_offsets, first[lattice.sources]),
        _listed(kinds[lattice.final_tids], lattice.final_tid_offsets, first),
    )


def _listed(
    kinds: npt.NDArray[np.int8], offsets: LongArray, first_frames: IntArray
) -> list[list[_Event]]:
    """The events of each string of transition-ids; strings begin at the given frames."""
    places = np.flatnonzero(kinds)
    strings = np.searchsorted(offsets, places, side="right") - 1
    frames = first_frames[strings] + places - offsets[strings]
    listed: list[list[_Event]] = [[] for _ in range(len(offsets) - 1)]
    for string, event in zip(
        strings.tolist(), zip(frames.tolist(), kinds[places].tolist(), strict=True), strict=True
    ):
        listed[string].append(event)
    return listed
