import numpy as np
import pytest

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.contexts import (
    FrameContexts,
    chain_contexts,
    frame_contexts,
    frame_pdfs,
    phone_begins,
)
from recognizer.am.tree.decision_tree import monophone_tree
from recognizer.am.tree.segment_contexts import base_phones, segment_contexts, transition_counts
from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.errors import SpeechError

PHONES = PhoneTable.from_base(["AH", "K", "T"])
TOPOLOGY = Topology.standard(PHONES)


def alignment() -> Alignment:
    """Silence, "cat" K AH T, a gap, "a" AH to the end."""
    return Alignment(
        "u1",
        words=(Segment("cat", 0.05, 0.20), Segment("a", 0.25, 0.30)),
        phones=(
            Segment("SIL", 0.0, 0.05),
            Segment("K", 0.05, 0.09),
            Segment("AH", 0.09, 0.16),
            Segment("T", 0.16, 0.20),
            Segment("AH", 0.25, 0.30),
        ),
    )


def test_positions_silence_states_and_neighbours() -> None:
    contexts = segment_contexts(alignment(), PHONES, TOPOLOGY, 32, 0.01)
    names = [PHONES.symbols[i] for i in contexts.phone]
    expected = (
        ["SIL"] * 5 + ["K_B"] * 4 + ["AH_I"] * 7 + ["T_E"] * 4 + ["SIL"] * 5 + ["AH_S"] * 5
    ) + ["SIL"] * 2
    assert names == expected
    assert contexts.hmm_state[5:9].tolist() == [0, 0, 1, 2]
    assert contexts.hmm_state[20:25].tolist() == [0, 1, 2, 3, 4]
    assert contexts.hmm_state[30:].tolist() == [0, 1]
    assert PHONES.symbols[contexts.left[10]] == "K_B"
    assert PHONES.symbols[contexts.right[10]] == "T_E"
    assert contexts.left[0] == 0
    assert contexts.right[-1] == 0


def test_unknown_phone_and_no_phone_are_errors() -> None:
    strange = Alignment("u2", (Segment("x", 0, 1),), (Segment("ZZ", 0, 1),))
    with pytest.raises(SpeechError, match="ZZ_S"):
        segment_contexts(strange, PHONES, TOPOLOGY, 100, 0.01)
    with pytest.raises(SpeechError, match="u3"):
        segment_contexts(Alignment("u3"), PHONES, TOPOLOGY, 100, 0.01)


def test_phones_without_words_keep_the_position_of_their_names() -> None:
    phones = (
        Segment("SIL", 0.0, 0.05), Segment("K_B", 0.05, 0.09), Segment("AH", 0.09, 0.16),
        Segment("T_E", 0.16, 0.20), Segment("SPN_S", 0.22, 0.25), Segment("AH_S", 0.25, 0.30),
    )  # fmt: skip
    spelt = Alignment("u1", (), phones)
    contexts = segment_contexts(spelt, PHONES, TOPOLOGY, 30, 0.01)
    starts = np.flatnonzero(np.diff(contexts.phone, prepend=-1))
    assert [PHONES.symbols[i] for i in contexts.phone[starts]] == [
        "SIL", "K_B", "AH_I", "T_E", "SIL", "SPN_S", "AH_S",
    ]  # fmt: skip
    assert base_phones(spelt) == {"SIL", "K", "AH", "T", "SPN"}
    # With words, these decide.
    said = Alignment("u1", (Segment("ka", 0.05, 0.16),), phones)
    contexts = segment_contexts(said, PHONES, TOPOLOGY, 30, 0.01)
    assert [PHONES.symbols[i] for i in contexts.phone[[6, 10, 20]]] == ["K_B", "AH_E", "SIL"]


def test_counts_equal_those_of_the_path_itself() -> None:
    tree = monophone_tree(PHONES, TOPOLOGY)
    model = TransitionModel(TOPOLOGY, PHONES, tree.tuples())
    path: list[int] = []
    # Two equal one-phone words beside each other, then a silence that wanders 0 2 1 3 4.
    for phone, visits in (
        (PHONES.id("AH_S"), [(0, 3), (1, 1), (2, 2)]),
        (PHONES.id("AH_S"), [(0, 1), (1, 2), (2, 1)]),
        (PHONES.optional_silence, [(0, 2), (2, 1), (1, 3), (3, 1), (4, 2)]),
    ):
        pdfs = tree.pdfs(0, phone, 0)
        states = TOPOLOGY.states(phone)
        for i, (state, frames) in enumerate(visits):
            to = visits[i + 1][0] if i + 1 < len(visits) else len(states)
            arcs = [destination for destination, _ in states[state].transitions]
            path.append(model.transition_id(phone, state, pdfs[state], arcs.index(to)))
            loop = model.transition_id(phone, state, pdfs[state], arcs.index(state))
            path += [loop] * (frames - 1)
    tids = np.asarray(path, np.int32)
    contexts = frame_contexts(tids, model)
    counts = transition_counts(contexts, frame_pdfs(contexts, tree), model)
    np.testing.assert_array_equal(counts, model.counts(tids))


def test_chain_contexts_are_every_nth_frame_with_first_and_further_frames() -> None:
    contexts = segment_contexts(alignment(), PHONES, TOPOLOGY, 32, 0.01)
    every = chain_contexts(contexts, 3, 1)
    names = [PHONES.symbols[i] for i in every.phone]
    # Frames 1, 4 | 7 | 10, 13 | 16, 19 | 22 | 25, 28 | 31.
    assert names == [
        "SIL", "SIL", "K_B", "AH_I", "AH_I", "T_E", "T_E", "SIL", "AH_S", "AH_S", "SIL",
    ]  # fmt: skip
    assert every.hmm_state.tolist() == [0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0]
    assert PHONES.symbols[every.left[2]] == "SIL" and PHONES.symbols[every.right[2]] == "AH_I"
    whole = chain_contexts(contexts, 1)
    np.testing.assert_array_equal(whole.phone, contexts.phone)
    assert whole.hmm_state.tolist() == [int(not begins) for begins in phone_begins(contexts)]


def test_a_phone_between_the_kept_frames_stays_a_neighbour_only() -> None:
    """AH of two frames, none of which is kept; K K, whose second begins with its state 0."""
    contexts = FrameContexts(
        left=np.array([0, 0, 3, 3, 9, 9, 9, 5, 5], np.int32),
        phone=np.array([3, 3, 9, 9, 5, 5, 5, 5, 5], np.int32),
        right=np.array([9, 9, 5, 5, 5, 5, 5, 0, 0], np.int32),
        hmm_state=np.array([0, 1, 0, 1, 0, 1, 2, 0, 1], np.int32),
    )
    kept = chain_contexts(contexts, 4)
    assert kept.phone.tolist() == [3, 5, 5] and kept.hmm_state.tolist() == [0, 0, 0]
    assert kept.left.tolist() == [0, 9, 5]
