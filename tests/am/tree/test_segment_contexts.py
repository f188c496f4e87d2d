import numpy as np
import pytest

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.contexts import frame_contexts, frame_pdfs
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
