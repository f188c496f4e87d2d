"""Growing the tree: against brute force on tiny cases, determinism, limits."""

from __future__ import annotations

import dataclasses
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.decision_tree import Split, Tree, monophone_tree
from recognizer.am.tree.growing import TreeOptions, build_tree
from recognizer.am.tree.questions import Questions, cluster, make_questions
from recognizer.am.tree.statistics import StatsTable, gaussian_log_likelihood
from recognizer.data.errors import SpeechError, UsageError

PHONES = PhoneTable.from_base(["AH", "K", "S"])
TOPOLOGY = Topology.standard(PHONES)
DIM = 2


def random_frames(seed: int, count: int = 400) -> list[tuple[int, int, int, int, np.ndarray]]:
    """Frames (left, phone, right, state, features) whose means depend on the context."""
    rng = np.random.default_rng(seed)
    shift = rng.normal(size=(3, len(PHONES), DIM)) * 2
    frames = []
    for _ in range(count):
        left, right = (int(i) for i in rng.integers(0, len(PHONES), 2))
        phone = int(rng.integers(1, len(PHONES)))
        state = int(rng.integers(0, TOPOLOGY.num_states(phone)))
        mean = shift[0, left] + shift[1, phone] + shift[2, right] + state
        frames.append((left, phone, right, state, mean + rng.normal(size=DIM)))
    return frames


def table_of(frames: list[tuple[int, int, int, int, np.ndarray]]) -> StatsTable:
    """The statistics by a plain dictionary."""
    cells: dict[tuple[int, int, int, int], list[np.ndarray]] = {}
    for left, phone, right, state, x in frames:
        cells.setdefault((phone, state, left, right), []).append(x)
    keys = sorted(cells)
    columns = np.array(keys, dtype=np.int64).T
    return StatsTable(
        left=columns[2],
        phone=columns[0],
        right=columns[3],
        hmm_state=columns[1],
        counts=np.array([float(len(cells[key])) for key in keys]),
        sums=np.array([np.sum(cells[key], axis=0) for key in keys]),
        squares=np.array([np.sum(np.square(cells[key]), axis=0) for key in keys]),
    )


def plain_likelihood(x: np.ndarray, floor: float = 0.01) -> float:
    """Log likelihood of rows under their own floored diagonal Gaussian, by its density."""
    if len(x) == 0:
        return 0.0
    mean, variance = x.mean(axis=0), np.maximum(x.var(axis=0), floor)
    densities = -0.5 * (np.log(2 * np.pi * variance) + (x - mean) ** 2 / variance)
    return float(densities.sum())


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 30), st.integers(0, 10**6), st.sampled_from([1e-4, 0.01, 10.0]))
def test_likelihood_from_sums_is_that_of_the_data(n: int, seed: int, floor: float) -> None:
    x = np.random.default_rng(seed).normal(5, 0.3, size=(n, 3))
    got = gaussian_log_likelihood(float(n), x.sum(axis=0), (x * x).sum(axis=0), floor)
    assert float(got) == pytest.approx(plain_likelihood(x, floor), abs=1e-6)


def greedy_by_hand(
    frames: list[tuple[int, int, int, int, np.ndarray]],
    questions: Questions,
    options: TreeOptions,
) -> dict[tuple[int, int, int, int], int]:
    """Greedy growth by trying every split of every leaf on the frames themselves.

    Returns the leaf of each frame's key; leaves are lists of frames.
    """
    leaves = []
    for base in dict.fromkeys(PHONES.base(i) for i in PHONES.ids):
        variants = PHONES.variants(base)
        for state in range(TOPOLOGY.num_states(variants[0])):
            leaves.append([f for f in frames if f[1] in variants and f[3] == state])

    def score(leaf: list[tuple[int, int, int, int, np.ndarray]]) -> float:
        return plain_likelihood(np.array([f[4] for f in leaf]).reshape(-1, DIM))

    while len(leaves) < options.num_leaves:
        best = (0.0, -1, [], [])
        for index, leaf in enumerate(leaves):
            if not leaf or leaf[0][1] in PHONES.silence:
                continue
            for position, asked in product((0, 1, 2), range(99)):
                sets = questions.centre if position == 1 else questions.context
                if asked >= len(sets):
                    continue
                yes = [f for f in leaf if f[position] in sets[asked]]
                no = [f for f in leaf if f[position] not in sets[asked]]
                if min(len(yes), len(no)) < max(options.min_count, 1):
                    continue
                gain = score(yes) + score(no) - score(leaf)
                if gain > max(best[0], options.min_gain) + 1e-7:
                    best = (gain, index, yes, no)
        if best[1] < 0:
            break
        leaves[best[1] : best[1] + 1] = [best[2], best[3]]
    return {f[:4]: index for index, leaf in enumerate(leaves) for f in leaf}


def total_likelihood(
    frames: list[tuple[int, int, int, int, np.ndarray]], leaf_of: dict[object, int]
) -> float:
    groups: dict[int, list[np.ndarray]] = {}
    for f in frames:
        groups.setdefault(leaf_of[f[:4]], []).append(f[4])
    return sum(plain_likelihood(np.array(x)) for x in groups.values())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "options",
    [
        TreeOptions(num_leaves=26, min_count=2),
        TreeOptions(num_leaves=40, min_count=6),
        TreeOptions(num_leaves=1000, min_count=3, min_gain=20),
    ],
)
def test_growth_equals_brute_force(seed: int, options: TreeOptions) -> None:
    frames = random_frames(seed)
    table = table_of(frames)
    questions = make_questions(table, PHONES)
    tree = build_tree(table, PHONES, TOPOLOGY, options)
    expected = greedy_by_hand(frames, questions, options)
    got = {f[:4]: tree.pdfs(f[0], f[1], f[2])[f[3]] for f in frames}
    # The same partition of the frames, whatever the numbers of the leaves.
    pairs = {(expected[key], got[key]) for key in got}
    assert len(pairs) == len(set(expected.values())) == len(set(got.values()))
    assert total_likelihood(frames, got) == pytest.approx(total_likelihood(frames, expected))
    assert tree.num_pdfs <= options.num_leaves


def test_leaves_hold_the_least_count() -> None:
    frames = random_frames(7, 1500)
    tree = build_tree(table_of(frames), PHONES, TOPOLOGY, TreeOptions(400, min_count=20))
    counts = np.zeros(tree.num_pdfs)
    for left, phone, right, state, _ in frames:
        counts[tree.pdfs(left, phone, right)[state]] += 1
    assert tree.num_pdfs > 19
    for phone in range(3, len(PHONES)):
        for root in tree.roots[phone]:
            if isinstance(tree.nodes[root], Split):
                pdfs = {pdf for p, _, pdf in tree.tuples() if p == phone}
                assert counts[sorted(pdfs)].min() >= 20


def test_silence_is_context_independent_and_unsplit() -> None:
    tree = build_tree(table_of(random_frames(1)), PHONES, TOPOLOGY, TreeOptions(60, min_count=2))
    for phone, first in ((1, 0), (2, 5)):
        for left, right in product(range(len(PHONES)), repeat=2):
            assert tree.pdfs(left, phone, right) == tuple(range(first, first + 5))
    speech = {pdf for phone, _, pdf in tree.tuples() if phone > 2}
    assert speech == set(range(10, tree.num_pdfs))


def test_edge_of_the_utterance_sounds_like_silence() -> None:
    tree = build_tree(table_of(random_frames(2)), PHONES, TOPOLOGY, TreeOptions(60, min_count=2))
    for phone, other in product(range(3, len(PHONES)), range(len(PHONES))):
        assert tree.pdfs(0, phone, other) == tree.pdfs(1, phone, other)
        assert tree.pdfs(other, phone, 0) == tree.pdfs(other, phone, 1)


def test_number_of_leaves_grows_one_by_one() -> None:
    table = table_of(random_frames(3))
    fewest = monophone_tree(PHONES, TOPOLOGY).num_pdfs
    sizes = [
        build_tree(table, PHONES, TOPOLOGY, TreeOptions(n, min_count=2)).num_pdfs
        for n in (1, fewest, fewest + 1, fewest + 5)
    ]
    assert sizes == [fewest, fewest, fewest + 1, fewest + 5]


def test_same_statistics_give_the_same_tree() -> None:
    options = TreeOptions(50, min_count=2)
    trees = [build_tree(table_of(random_frames(4)), PHONES, TOPOLOGY, options) for _ in range(2)]
    assert trees[0] == trees[1]
    assert trees[0] != build_tree(table_of(random_frames(5)), PHONES, TOPOLOGY, options)


def test_position_variants_share_roots() -> None:
    tree = build_tree(table_of(random_frames(4)), PHONES, TOPOLOGY, TreeOptions(50, min_count=2))
    for base in PHONES.base_phones:
        assert len({tree.roots[i] for i in PHONES.variants(base)}) == 1
    assert len({tree.roots[PHONES.id(f"{base}_B")] for base in PHONES.base_phones}) == 3


def test_word_position_is_asked_where_it_matters() -> None:
    rng = np.random.default_rng(0)
    frames = []
    for _ in range(600):
        phone = PHONES.id(f"AH_{rng.choice(list('BIES'))}")
        x = rng.normal(size=DIM) + (5.0 if PHONES.position(phone) == "E" else 0.0)
        frames.append((PHONES.id("K_I"), phone, PHONES.id("S_I"), 1, x))
    tree = build_tree(table_of(frames), PHONES, TOPOLOGY, TreeOptions(20, min_count=2))
    root = tree.nodes[tree.roots[PHONES.id("AH_I")][1]]
    assert isinstance(root, Split) and root.position == 1
    assert {p for p in PHONES.variants("AH") if p in root.phones} == {PHONES.id("AH_E")}


def test_tree_feeds_the_transition_model() -> None:
    tree = build_tree(table_of(random_frames(6)), PHONES, TOPOLOGY, TreeOptions(50, min_count=2))
    model = TransitionModel(TOPOLOGY, PHONES, tree.tuples())
    assert model.num_pdfs == tree.num_pdfs
    for left, phone, right in product(range(12), range(1, 12), range(12)):
        for state, pdf in enumerate(tree.pdfs(left, phone, right)):
            assert model.transition_id(phone, state, pdf, 0) > 0


def test_unseen_phones_keep_a_pdf() -> None:
    frames = [f for f in random_frames(8) if PHONES.base(f[1]) != "S"]
    tree = build_tree(table_of(frames), PHONES, TOPOLOGY, TreeOptions(40, min_count=2))
    assert len(set(tree.pdfs(3, PHONES.id("S_I"), 4))) == 3


def test_options_and_statistics_are_checked() -> None:
    for bad in ({"num_leaves": 0}, {"min_count": -1}, {"min_gain": -1}, {"variance_floor": 0}):
        with pytest.raises(UsageError, match=next(iter(bad))):
            TreeOptions(**bad)  # type: ignore[arg-type]
    with pytest.raises(SpeechError, match="at least one frame"):
        empty = np.zeros(0, np.int64)
        none = StatsTable(empty, empty, empty, empty, np.zeros(0), *np.zeros((2, 0, DIM)))
        build_tree(none, PHONES, TOPOLOGY)
    with pytest.raises(SpeechError, match="phones of the table"):
        build_tree(table_of(random_frames(0)), PhoneTable.from_base(["AH"]), TOPOLOGY)
    x = np.zeros(DIM)
    with pytest.raises(SpeechError, match="AH_B: expected states below 3, found 3"):
        build_tree(table_of([(0, 3, 0, 3, x)]), PHONES, TOPOLOGY)


def test_cluster_merges_the_closest_first() -> None:
    means = np.array([0.0, 10.0, 0.5, 30.0, 11.0])
    counts = np.full(5, 100.0)
    sums = counts[:, None] * means[:, None]
    squares = counts[:, None] * (1 + means[:, None] ** 2)
    found = cluster(counts, sums, squares)
    assert found[:5] == [frozenset((i,)) for i in range(5)]
    assert found[5:] == [frozenset((0, 2)), frozenset((1, 4)), frozenset((0, 1, 2, 4))]


def test_cluster_equals_brute_force() -> None:
    rng = np.random.default_rng(9)
    data = [rng.normal(rng.normal(size=3) * 3, 1, size=(rng.integers(3, 30), 3)) for _ in range(7)]
    found = cluster(
        np.array([float(len(x)) for x in data]),
        np.array([x.sum(axis=0) for x in data]),
        np.array([(x * x).sum(axis=0) for x in data]),
    )
    groups = [frozenset((i,)) for i in range(7)]
    expected = list(groups)

    def likelihood(group: frozenset[int]) -> float:
        return plain_likelihood(np.concatenate([data[i] for i in sorted(group)]))

    while len(groups) > 2:
        pairs = [(a, b) for i, a in enumerate(groups) for b in groups[i + 1 :]]
        a, b = min(
            pairs, key=lambda p: likelihood(p[0]) + likelihood(p[1]) - likelihood(p[0] | p[1])
        )
        groups = [g for g in groups if g not in (a, b)] + [a | b]
        expected.append(a | b)
    assert found == expected


def test_questions_keep_variants_together_and_hold_the_edge_with_silence() -> None:
    questions = make_questions(table_of(random_frames(0)), PHONES)
    sets = set(questions.context)
    for base in PHONES.base_phones:
        assert frozenset(PHONES.variants(base)) in sets
    assert {frozenset((0, 1)), frozenset((2,)), frozenset((0, 1, 2))} <= sets
    assert all((0 in q) == (1 in q) for q in sets)
    words = {i for i in PHONES.ids if PHONES.position(i) in "ES" and i > 2}
    assert frozenset(words) in sets and frozenset(words) in set(questions.centre)
    assert len(sets) == len(questions.context)


def test_nothing_asks_for_word_positions_where_there_is_one() -> None:
    frames = [
        (left, PHONES.id(f"{PHONES.base(phone)}_I") if phone > 2 else phone, right, state, x)
        for left, phone, right, state, x in random_frames(0)
    ]
    questions = make_questions(table_of(frames), PHONES)
    assert questions.centre == ()
    speech = {i for i in PHONES.ids if i > 2}
    assert all(not q & speech or {i + 1 for i in q & speech} & q for q in questions.context)
    build_tree(table_of(frames), PHONES, TOPOLOGY, TreeOptions(40, min_count=2))


def test_limits_hold_with_many_contexts() -> None:
    """Thousands of triphones: as many leaves as asked for, each with its least count."""
    phones = PhoneTable.from_base([f"P{i}" for i in range(20)])
    topology = Topology.standard(phones)
    rng = np.random.default_rng(0)
    n = 20_000
    phone = rng.integers(3, len(phones), n)
    keys = np.unique(
        np.stack([phone, rng.integers(0, 3, n), *rng.integers(0, len(phones), (2, n))]), axis=1
    )
    k = keys.shape[1]
    counts = rng.integers(1, 50, k).astype(float)
    means = rng.normal(size=(len(phones), 5))[keys[2]] + rng.normal(size=(k, 5))
    table = StatsTable(
        keys[2], keys[0], keys[3], keys[1], counts, counts[:, None] * means,
        counts[:, None] * (1 + means**2),
    )  # fmt: skip
    for leaves, least in ((300, 100), (1_500, 20)):
        tree = build_tree(table, phones, topology, TreeOptions(leaves, min_count=least))
        assert tree.num_pdfs == leaves
        pdfs = tree.lookup(table.left, table.phone, table.right, table.hmm_state)
        assert np.bincount(pdfs, counts, minlength=leaves)[10:].min() >= least
        assert isinstance(tree, Tree)


def test_without_right_context_nothing_asks_for_it() -> None:
    table = table_of(random_frames(5))
    options = TreeOptions(num_leaves=60, min_count=4)
    positions = [
        {node.position for node in tree.nodes if isinstance(node, Split)}
        for tree in (
            build_tree(table, PHONES, TOPOLOGY, options),
            build_tree(table, PHONES, TOPOLOGY, dataclasses.replace(options, right_context=False)),
        )
    ]
    assert 2 in positions[0] and 2 not in positions[1] and 0 in positions[1]
