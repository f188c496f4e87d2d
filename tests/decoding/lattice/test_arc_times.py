"""Times of the words of a lattice's arcs, against those of the best paths through the arcs."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_toys import path_probabilities
from recognizer.data.errors import SpeechError
from recognizer.decoding.lattice.arc_times import WordBoundaries, arc_times
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.lattice import CompactLattice
from recognizer.decoding.lattice.word_times import word_times
from spoken_toys import PHONES, TRANSITIONS, spoken_lattice

BOUNDARIES = WordBoundaries.of_model(TRANSITIONS)


def expected_times(lattice: CompactLattice) -> list[tuple[int, int]]:
    """Of each arc's word, on the likeliest of all paths through the arc."""
    paths = sorted(path_probabilities(lattice, 1.0).items(), key=lambda item: -item[1])
    found = []
    for arc in range(lattice.num_arcs):
        path = next(path for path, _ in paths if arc in path)
        times = word_times(lattice.path(list(path)), TRANSITIONS, PHONES)
        found.append(times[path.index(arc)][1:])
    return found


@given(st.integers(0, 2**32 - 1), st.sampled_from([-1, 0, 1, 2]))
def test_times_are_those_of_the_best_path_through_the_arc(seed: int, label: int) -> None:
    lattice = determinize(spoken_lattice(seed, label), 1.0, inf)
    times = arc_times(lattice, BOUNDARIES, 1.0)
    spans = list(zip(times.begins.tolist(), times.ends.tolist(), strict=True))
    assert spans == expected_times(lattice)


def test_the_boundaries_are_the_first_frames_of_phones() -> None:
    ids = np.arange(1, TRANSITIONS.num_transition_ids + 1)
    first = ids[(TRANSITIONS.hmm_state[ids] == 0) & ~TRANSITIONS.is_self_loop[ids]]
    positions = [PHONES.position(int(TRANSITIONS.phone[tid])) for tid in first]
    for found, wanted in ((BOUNDARIES.begins, ("B", "S")), (BOUNDARIES.pauses, ("",))):
        expected = [
            tid
            for tid, position in zip(first.tolist(), positions, strict=True)
            if position in wanted
        ]
        assert found.tolist() == expected


def test_transition_ids_of_another_model_are_refused() -> None:
    lattice = determinize(spoken_lattice(1, 0), 1.0, inf)
    foreign = replace(lattice, tids=np.full_like(lattice.tids, 10_000))
    with pytest.raises(SpeechError, match="expected the begin of its word in the transition-ids"):
        arc_times(foreign, BOUNDARIES, 1.0)


def test_a_word_that_is_cut_off_ends_with_the_path() -> None:
    lattice = determinize(spoken_lattice(1, -1), 1.0, inf)
    cut = replace(
        lattice,
        reached_final=False,
        final_tids=lattice.final_tids[:0],
        final_tid_offsets=np.zeros_like(lattice.final_tid_offsets),
    )
    times = arc_times(cut, BOUNDARIES, 1.0)
    assert np.all(times.begins <= times.ends)
    assert times.ends.max() <= cut.num_frames


def test_arcs_that_lead_nowhere_are_no_error() -> None:
    lattice = determinize(spoken_lattice(1, 0), 1.0, inf)
    state = lattice.num_states
    longer = replace(
        lattice,
        state_frames=np.append(lattice.state_frames, lattice.num_frames).astype(np.int32),
        sources=np.append(lattice.sources, state - 1).astype(np.int32),
        targets=np.append(lattice.targets, state).astype(np.int32),
        words=np.append(lattice.words, 1).astype(np.int32),
        graph_costs=np.append(lattice.graph_costs, 0.0),
        acoustic_costs=np.append(lattice.acoustic_costs, 0.0),
        tid_offsets=np.append(lattice.tid_offsets, lattice.tid_offsets[-1]),
        final_graph_costs=np.append(lattice.final_graph_costs, inf),
        final_acoustic_costs=np.append(lattice.final_acoustic_costs, 0.0),
        final_tid_offsets=np.append(lattice.final_tid_offsets, lattice.final_tid_offsets[-1]),
    )
    times = arc_times(longer, BOUNDARIES, 1.0)
    short = arc_times(lattice, BOUNDARIES, 1.0)
    assert times.begins[:-1].tolist() == short.begins.tolist()
