"""Transition-ids, their probabilities and re-estimation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.decision_tree import monophone_tree
from recognizer.data.errors import SpeechError

PHONES = PhoneTable.from_base(["AH", "S"])
TOPOLOGY = Topology.standard(PHONES)
MODEL = TransitionModel(TOPOLOGY, PHONES, monophone_tree(PHONES, TOPOLOGY).tuples())


def visit(model: TransitionModel, phone: int, pdfs: dict[int, int], path: list[int]) -> list[int]:
    """Transition-ids of a path through a phone's states (one entry per frame), forward first."""
    states = model.topology.states(phone)
    ids = []
    for frame, state in enumerate(path):
        loop = frame > 0 and path[frame - 1] == state
        rest = [s for s in path[frame:] if s != state]
        to = state if loop else (rest[0] if rest else len(states))
        arc = [d for d, _ in states[state].transitions].index(to)
        ids.append(model.transition_id(phone, state, pdfs[state], arc))
    return ids


def test_ids_are_numbered_over_sorted_states_and_arcs() -> None:
    expected = [
        (phone, state, pdf, arc, to)
        for phone, state, pdf in sorted(MODEL.tuples)
        for arc, (to, _) in enumerate(TOPOLOGY.states(phone)[state].transitions)
    ]
    assert MODEL.num_transition_ids == len(expected) == len(MODEL.pdf) - 1
    for tid, (phone, state, pdf, arc, to) in enumerate(expected, start=1):
        assert (MODEL.phone[tid], MODEL.hmm_state[tid], MODEL.pdf[tid]) == (phone, state, pdf)
        assert MODEL.is_self_loop[tid] == (to == state)
        assert MODEL.ends_phone[tid] == (to == TOPOLOGY.num_states(phone))
        assert MODEL.transition_id(phone, state, pdf, arc) == tid
        assert MODEL.tuples[MODEL.transition_state[tid] - 1] == (phone, state, pdf)
        loop = int(MODEL.self_loop[tid])
        assert MODEL.is_self_loop[loop]
        assert MODEL.transition_state[loop] == MODEL.transition_state[tid]


def test_position_variants_share_pdfs_but_not_ids() -> None:
    one, two = PHONES.id("AH_B"), PHONES.id("AH_E")
    pdfs = [{int(p) for p in MODEL.pdf[MODEL.phone == phone]} for phone in (one, two)]
    assert pdfs[0] == pdfs[1] and len(pdfs[0]) == 3
    assert MODEL.num_pdfs == 5 + 5 + 2 * 3


def test_index_zero_is_epsilon() -> None:
    assert MODEL.pdf[0] == MODEL.phone[0] == MODEL.hmm_state[0] == -1
    assert not MODEL.is_self_loop[0] and not MODEL.ends_phone[0] and MODEL.log_prob[0] == 0


def state_sums(model: TransitionModel) -> np.ndarray:
    return np.bincount(model.transition_state[1:], np.exp(model.log_prob[1:].astype(float)))[1:]


def test_initial_probabilities_are_the_topologys() -> None:
    np.testing.assert_allclose(state_sums(MODEL), 1, atol=1e-6)
    tid = MODEL.transition_id(PHONES.id("S_I"), 1, int(monophone_pdf("S", 1)), 0)
    assert MODEL.log_prob[tid] == pytest.approx(np.log(0.75))


def monophone_pdf(base: str, state: int) -> int:
    return monophone_tree(PHONES, TOPOLOGY).pdfs(0, PHONES.id(f"{base}_I"), 0)[state]


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.int64, MODEL.num_transition_ids + 1, elements=st.integers(0, 1000)))
def test_update_is_maximum_likelihood_with_a_floor(counts: np.ndarray) -> None:
    new = MODEL.update(counts)
    np.testing.assert_allclose(state_sums(new), 1, atol=1e-5)
    assert np.exp(new.log_prob[1:]).min() >= 0.01 - 1e-6
    for state in range(1, MODEL.num_transition_states + 1):
        arcs = np.flatnonzero(MODEL.transition_state == state)
        total = counts[arcs].sum()
        if total < 5:
            np.testing.assert_array_equal(new.log_prob[arcs], MODEL.log_prob[arcs])
        elif (counts[arcs] / total).min() >= 0.01:
            np.testing.assert_allclose(np.exp(new.log_prob[arcs]), counts[arcs] / total, rtol=1e-5)
        else:
            # Above the floor the ratios are those of the counts.
            high = arcs[np.exp(new.log_prob[arcs]) > 0.01 + 1e-6]
            ratio = np.exp(new.log_prob[high]) / counts[high]
            np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)


def test_update_leaves_the_model_as_it_is() -> None:
    before = MODEL.log_prob.copy()
    counts = np.arange(MODEL.num_transition_ids + 1)
    assert not np.array_equal(MODEL.update(counts).log_prob, before)
    np.testing.assert_array_equal(MODEL.log_prob, before)


def test_wrong_counts_are_refused() -> None:
    with pytest.raises(SpeechError, match="shape"):
        MODEL.update(np.ones(3))
    with pytest.raises(SpeechError, match="at least 0"):
        MODEL.update(np.full(MODEL.num_transition_ids + 1, -1.0))


@settings(max_examples=20, deadline=None)
@given(
    hnp.arrays(np.float64, MODEL.num_transition_ids + 1, elements=st.floats(0, 99)),
    st.floats(0, 2),
    st.floats(0, 2),
)
def test_scaled_log_probs(counts: np.ndarray, loop_scale: float, scale: float) -> None:
    model = MODEL.update(counts)
    scaled = model.scaled_log_probs(loop_scale, scale)
    assert scaled.dtype == np.float32 and scaled[0] == 0
    for tid in range(1, model.num_transition_ids + 1):
        p = np.exp(np.float64(model.log_prob[tid]))
        loop = np.exp(np.float64(model.log_prob[int(model.self_loop[tid])]))
        if model.is_self_loop[tid]:
            expected = loop_scale * np.log(loop)
        else:
            expected = scale * np.log(p / (1 - loop)) + loop_scale * np.log(1 - loop)
        assert scaled[tid] == pytest.approx(expected, abs=1e-4)


def test_scales_of_one_change_nothing() -> None:
    np.testing.assert_allclose(MODEL.scaled_log_probs(1, 1), MODEL.log_prob, atol=1e-6)


def test_phone_starts_and_counts() -> None:
    sil, ah = 1, PHONES.id("AH_S")
    pdfs = {i: monophone_pdf("AH", i) for i in range(3)}
    ids = visit(MODEL, sil, {i: i for i in range(5)}, [0, 0, 1, 3, 2, 2, 4])
    ids += visit(MODEL, ah, pdfs, [0, 1, 1, 2]) + visit(MODEL, ah, pdfs, [0, 0, 1, 2, 2])
    assert MODEL.phone_starts(ids).tolist() == [0, 7, 11]
    assert MODEL.counts(ids).sum() == len(ids)
    ends = np.flatnonzero(MODEL.ends_phone[ids])
    assert ends.tolist() == [6, 10, 14]


def test_broken_alignments_are_refused() -> None:
    with pytest.raises(SpeechError, match="frame 0"):
        MODEL.phone_starts([MODEL.transition_id(1, 1, 1, 0)])
    with pytest.raises(SpeechError, match="frame 1: expected a transition-id"):
        MODEL.phone_starts([2, 0])
    with pytest.raises(SpeechError, match="shape"):
        MODEL.counts([[1]])
    assert MODEL.phone_starts([]).tolist() == []


def test_unknown_transitions_are_refused() -> None:
    with pytest.raises(SpeechError, match="known"):
        MODEL.transition_id(1, 0, 1, 0)
    with pytest.raises(SpeechError, match="arc below 4"):
        MODEL.transition_id(1, 0, 0, 4)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda t: t[1:], "expected a pdf"),
        (lambda t: [*t, (1, 5, 0)], "expected no pdf"),
        (lambda t: [*t, t[0]], "distinct"),
        (lambda t: [*t, (1, 0, 99)], "without gaps"),
    ],
)
def test_tuples_must_cover_the_phones(change: object, fault: str) -> None:
    with pytest.raises(SpeechError, match=fault):
        TransitionModel(TOPOLOGY, PHONES, change(list(MODEL.tuples)))  # type: ignore[operator]


def test_round_trip(tmp_path: Path) -> None:
    model = MODEL.update(np.arange(MODEL.num_transition_ids + 1) % 17)
    path = tmp_path / "transitions.json"
    model.write(path)
    back = TransitionModel.read(path, PHONES)
    assert back.tuples == model.tuples and back.topology == model.topology
    np.testing.assert_array_equal(back.log_prob, model.log_prob)
    assert back.log_prob.dtype == np.float32
    with pytest.raises(SpeechError, match=r"transitions.json: num_phones: expected 7"):
        TransitionModel.read(path, PhoneTable.from_base(["AH"]))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"kind":"transition-model"', '"kind":"tree"', "kind"),
        ('"version":1', '"version":9', "version"),
        ('"tuples":[[', '"tuples":[[7,', "tuples"),
        ('"log_probs":[', '"log_probs":[0.0,', "log_probs: expected"),
        ('"log_probs":[-', '"log_probs":[-9', "sum to 1"),
        ('"speech"', '"spech"', "topology"),
        ("{", "", "expected JSON"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, old: str, new: str, fault: str) -> None:
    path = tmp_path / "transitions.json"
    MODEL.write(path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(SpeechError, match=fault) as caught:
        TransitionModel.read(path, PHONES)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)
