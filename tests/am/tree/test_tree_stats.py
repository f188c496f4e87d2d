"""Statistics of states in context, and alignments read as phones in context."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree import statistics
from recognizer.am.tree.contexts import FrameContexts, convert_alignment, frame_contexts, frame_pdfs
from recognizer.am.tree.decision_tree import monophone_tree
from recognizer.am.tree.growing import TreeOptions, build_tree
from recognizer.am.tree.statistics import TreeStats
from recognizer.data.errors import SpeechError

PHONES = PhoneTable.from_base(["AH", "K", "S"])
TOPOLOGY = Topology.standard(PHONES)
TREE = monophone_tree(PHONES, TOPOLOGY)
MODEL = TransitionModel(TOPOLOGY, PHONES, TREE.tuples())
DIM = 3


class Aligned(NamedTuple):
    """A made-up utterance: its transition-ids and what they were made from."""

    ids: np.ndarray
    keys: list[tuple[int, int, int, int]]
    phones: list[int]


def random_alignment(rng: np.random.Generator, phones: int) -> Aligned:
    """Aligns random phones along random paths of the topology, forward transitions first."""
    sequence = [int(p) for p in rng.integers(1, len(PHONES), phones)]
    ids, keys = [], []
    for i, phone in enumerate(sequence):
        left = sequence[i - 1] if i else 0
        right = sequence[i + 1] if i + 1 < phones else 0
        states, state = TOPOLOGY.states(phone), 0
        while state < len(states):
            pdf = TREE.pdfs(left, phone, right)[state]
            arcs = states[state].transitions
            away = [a for a, (to, _) in enumerate(arcs) if to != state]
            loop = next(a for a, (to, _) in enumerate(arcs) if to == state)
            chosen = int(rng.choice(away))
            for arc in [chosen] + [loop] * int(rng.integers(0, 3)):
                ids.append(MODEL.transition_id(phone, state, pdf, arc))
                keys.append((left, phone, right, state))
            state = arcs[chosen][0]
    return Aligned(np.array(ids, dtype=np.int32), keys, sequence)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_contexts_of_an_alignment(seed: int, phones: int) -> None:
    aligned = random_alignment(np.random.default_rng(seed), phones)
    got = frame_contexts(aligned.ids, MODEL)
    keys = np.stack([got.left, got.phone, got.right, got.hmm_state], axis=1)
    np.testing.assert_array_equal(keys, aligned.keys)
    np.testing.assert_array_equal(frame_pdfs(got, TREE), MODEL.pdf[aligned.ids])
    starts = MODEL.phone_starts(aligned.ids)
    assert MODEL.phone[aligned.ids[starts]].tolist() == aligned.phones


def test_contexts_of_nothing() -> None:
    assert frame_contexts([], MODEL).phone.shape == (0,)
    assert convert_alignment([], MODEL, MODEL, TREE).shape == (0,)


def test_a_jump_between_phones_is_refused() -> None:
    first = MODEL.transition_id(3, 0, TREE.pdfs(0, 3, 0)[0], 1)
    middle = MODEL.transition_id(7, 1, TREE.pdfs(0, 7, 0)[1], 1)
    with pytest.raises(SpeechError, match="frame 1: expected phone 3 to go on"):
        frame_contexts([first, middle], MODEL)


def stats_and_dictionary(
    seed: int, utterances: int = 6
) -> tuple[list[TreeStats], dict[tuple[int, int, int, int], list[np.ndarray]]]:
    rng = np.random.default_rng(seed)
    parts = []
    plain: dict[tuple[int, int, int, int], list[np.ndarray]] = {}
    for _ in range(utterances):
        aligned = random_alignment(rng, int(rng.integers(1, 15)))
        x = rng.normal(size=(len(aligned.ids), DIM)).astype(np.float32)
        part = TreeStats(len(PHONES), DIM)
        part.accumulate(x, aligned.ids, MODEL)
        parts.append(part)
        for key, row in zip(aligned.keys, x.astype(np.float64), strict=True):
            plain.setdefault(key, []).append(row)
    return parts, plain


@pytest.mark.parametrize("least", [1, 50_000])
def test_merged_statistics_equal_a_dictionary(least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_MIN_PENDING", least)
    parts, plain = stats_and_dictionary(0)
    merged = TreeStats(len(PHONES), DIM)
    for part in parts:
        merged.merge(part)
    table = merged.table()
    keys = list(
        zip(*(c.tolist() for c in (table.left, table.phone, table.right, table.hmm_state)),
            strict=True)
    )  # fmt: skip
    assert sorted(plain) == sorted(keys) and len(table) == len(keys)
    assert keys == sorted(keys, key=lambda k: (k[1], k[3], k[0], k[2]))
    for row, key in enumerate(keys):
        x = np.array(plain[key])
        assert table.counts[row] == len(x)
        np.testing.assert_allclose(table.sums[row], x.sum(axis=0))
        np.testing.assert_allclose(table.squares[row], (x * x).sum(axis=0))


def test_merging_leaves_the_other_as_it_is() -> None:
    parts, _ = stats_and_dictionary(1)
    before = parts[1].table().counts.copy()
    parts[0].merge(parts[1])
    parts[0].merge(parts[1])
    parts[0].table()
    np.testing.assert_array_equal(parts[1].table().counts, before)
    total = parts[0].table().counts.sum()
    parts[0].merge(parts[0])
    assert parts[0].table().counts.sum() == 2 * total


def test_empty_statistics() -> None:
    stats = TreeStats(len(PHONES), DIM)
    stats.accumulate(np.zeros((0, DIM)), [], MODEL)
    table = stats.table()
    assert len(table) == 0 and table.sums.shape == (0, DIM)


def test_what_does_not_fit_is_refused() -> None:
    aligned = random_alignment(np.random.default_rng(0), 3)
    stats = TreeStats(len(PHONES), DIM)
    with pytest.raises(SpeechError, match="features of shape"):
        stats.accumulate(np.zeros((len(aligned.ids) + 1, DIM)), aligned.ids, MODEL)
    with pytest.raises(SpeechError, match="features of shape"):
        stats.accumulate(np.zeros((len(aligned.ids), DIM + 1)), aligned.ids, MODEL)
    with pytest.raises(SpeechError, match="15 phones and dimension 3, found 4 and 3"):
        stats.merge(TreeStats(4, DIM))
    with pytest.raises(SpeechError, match="phone ids below 2"):
        TreeStats(2, DIM).accumulate(np.zeros((len(aligned.ids), DIM)), aligned.ids, MODEL)
    one = np.array([1], dtype=np.int32)
    with pytest.raises(SpeechError, match="HMM states below"):
        stats.add(np.zeros((1, DIM)), FrameContexts(one, one, one, one * 300))


def test_alignments_follow_a_new_tree_and_back() -> None:
    rng = np.random.default_rng(2)
    stats = TreeStats(len(PHONES), DIM)
    alignments = [random_alignment(rng, 30) for _ in range(10)]
    for aligned in alignments:
        x = rng.normal(size=(len(aligned.ids), DIM)) + np.array(aligned.keys)[:, :3] / 3
        stats.accumulate(x, aligned.ids, MODEL)
    tree = build_tree(stats, PHONES, TOPOLOGY, TreeOptions(40, min_count=5))
    assert tree.num_pdfs > TREE.num_pdfs
    model = TransitionModel(TOPOLOGY, PHONES, tree.tuples())
    for aligned in alignments:
        new = convert_alignment(aligned.ids, MODEL, model, tree)
        for name in ("phone", "hmm_state", "arc", "is_self_loop", "ends_phone"):
            old_values, new_values = getattr(MODEL, name), getattr(model, name)
            np.testing.assert_array_equal(new_values[new], old_values[aligned.ids])
        expected = [tree.pdfs(*key[:3])[key[3]] for key in aligned.keys]
        assert model.pdf[new].tolist() == expected
        np.testing.assert_array_equal(convert_alignment(new, model, MODEL, TREE), aligned.ids)


def test_models_of_different_phones_do_not_convert() -> None:
    phones = PhoneTable.from_base(["AH"])
    topology = Topology.standard(phones)
    tree = monophone_tree(phones, topology)
    other = TransitionModel(topology, phones, tree.tuples())
    with pytest.raises(SpeechError, match="one topology"):
        convert_alignment([1], MODEL, other, tree)
