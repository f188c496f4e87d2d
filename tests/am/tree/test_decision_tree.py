"""The tree's structure: lookup, reachable states, files."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.tree.decision_tree import Leaf, Split, Tree, monophone_tree
from recognizer.data.errors import SpeechError

NUM_PHONES = 6


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Random forests: roots for phones 1.., each grown by a few random splits."""
    nodes: list[Leaf | Split | None] = []
    roots: list[list[int]] = [[]]
    open_nodes: list[int] = []
    for phone in range(1, NUM_PHONES):
        if phone == 2:
            roots.append(roots[1])
            continue
        states = draw(st.integers(1, 3))
        roots.append(list(range(len(nodes), len(nodes) + states)))
        open_nodes += roots[-1]
        nodes += [None] * states
    for _ in range(draw(st.integers(0, 12))):
        index = open_nodes.pop(draw(st.integers(0, len(open_nodes) - 1)))
        phones = draw(st.frozensets(st.integers(0, NUM_PHONES - 1)))
        nodes[index] = Split(draw(st.integers(0, 2)), phones, len(nodes), len(nodes) + 1)
        open_nodes += [len(nodes), len(nodes) + 1]
        nodes += [None, None]
    for pdf, index in enumerate(sorted(open_nodes)):
        nodes[index] = Leaf(pdf)
    return Tree([node for node in nodes if node is not None], roots)


def contexts(tree: Tree) -> list[tuple[int, int, int, int]]:
    return [
        (left, phone, right, state)
        for left, phone, right in product(
            range(NUM_PHONES), range(1, NUM_PHONES), range(NUM_PHONES)
        )
        for state in range(tree.num_states(phone))
    ]


@settings(max_examples=60, deadline=None)
@given(trees())
def test_lookup_equals_pdfs_and_tuples_are_what_is_reachable(tree: Tree) -> None:
    asked = contexts(tree)
    single = [tree.pdfs(left, phone, right)[state] for left, phone, right, state in asked]
    np.testing.assert_array_equal(tree.lookup(*np.array(asked).T), single)
    reachable = {(key[1], key[3], pdf) for key, pdf in zip(asked, single, strict=True)}
    assert tree.tuples() == tuple(sorted(reachable))


@settings(max_examples=25, deadline=None)
@given(trees())
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, tree: Tree) -> None:
    path = tmp_path_factory.mktemp("tree") / "tree.json"
    tree.write(path)
    back = Tree.read(path)
    assert back == tree and back.num_pdfs == tree.num_pdfs
    first = path.read_bytes()
    back.write(path)
    assert path.read_bytes() == first


def test_splits_are_followed() -> None:
    nodes = [Split(0, frozenset((0, 1)), 1, 2), Leaf(0), Split(2, frozenset((2,)), 3, 4)]
    tree = Tree([*nodes, Leaf(1), Leaf(2)], [[], [0], [0]])
    assert tree.pdfs(0, 1, 2) == tree.pdfs(1, 2, 0) == (0,)
    assert tree.pdfs(2, 1, 2) == (1,) and tree.pdfs(2, 1, 1) == (2,)
    assert tree.num_pdfs == 3 and tree.num_phones == 3


def test_monophone_tree_has_a_pdf_for_each_base_phone_and_state() -> None:
    phones = PhoneTable.from_base(["AH", "S"])
    tree = monophone_tree(phones, Topology.standard(phones))
    assert tree.num_pdfs == 16
    assert tree.pdfs(0, 1, 0) == (0, 1, 2, 3, 4)
    assert tree.pdfs(0, 2, 0) == (5, 6, 7, 8, 9)
    for phone in phones.ids:
        assert tree.pdfs(0, phone, 0) == tree.pdfs(7, phone, 3)
        first = phones.variants(phones.base(phone))[0]
        assert tree.pdfs(0, phone, 0) == tree.pdfs(0, first, 0)
    assert len(tree.tuples()) == 5 + 5 + 8 * 3


@pytest.mark.parametrize("context", [(0, 0, 0), (0, 3, 0), (3, 1, 0), (0, 1, -1)])
def test_unknown_phones_are_refused(context: tuple[int, int, int]) -> None:
    tree = Tree([Leaf(0)], [[], [0], [0]])
    with pytest.raises(SpeechError, match="expected"):
        tree.pdfs(*context)
    with pytest.raises(SpeechError, match="expected known"):
        tree.lookup(*([value] for value in context), [0])
    assert tree.lookup([], [], [], []).shape == (0,)


def test_unknown_states_are_refused() -> None:
    tree = Tree([Leaf(0), Leaf(1), Leaf(2)], [[], [0, 1], [2]])
    assert tree.lookup([0], [1], [0], [1]).tolist() == [1]
    for state in (1, 2, -1):
        with pytest.raises(SpeechError, match="expected known"):
            tree.lookup([0], [2], [0], [state])


@pytest.mark.parametrize(
    ("nodes", "roots", "fault"),
    [
        ([Leaf(0)], [], "no root for phone 0"),
        ([Leaf(0)], [[0], [0]], "no root for phone 0"),
        ([Leaf(0)], [[], []], "at least one root"),
        ([Leaf(0)], [[], [1]], "expected a root"),
        ([Leaf(1)], [[], [0]], "without gaps"),
        ([Leaf(0), Leaf(1)], [[], [0]], "below a root"),
        ([Split(3, frozenset(), 1, 2), Leaf(0), Leaf(1)], [[], [0]], "position"),
        ([Split(0, frozenset((9,)), 1, 2), Leaf(0), Leaf(1)], [[], [0]], "phones of 0"),
        ([Split(0, frozenset(), 1, 1), Leaf(0)], [[], [0]], "one parent"),
        ([Split(0, frozenset(), 0, 1), Leaf(0)], [[], [0]], "one parent"),
        ([Split(0, frozenset(), 1, 7), Leaf(0)], [[], [0]], "one parent"),
    ],
)
def test_what_is_no_forest_is_refused(
    nodes: list[Leaf | Split], roots: list[list[int]], fault: str
) -> None:
    with pytest.raises(SpeechError, match=fault):
        Tree(nodes, roots)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"kind":"decision-tree","version":2}',
        '{"kind":"decision-tree","version":1}',
        '{"kind":"decision-tree","version":1,"questions":[],"nodes":[[0,0,1,2]],"roots":[]}',
        '{"kind":"decision-tree","version":1,"questions":[],"nodes":[[0]],"roots":[]}',
        '{"kind":"decision-tree","version":1,"questions":[],"nodes":["x"],"roots":[]}',
        '{"kind":"decision-tree","version":1,"questions":[],"nodes":[0],"roots":[[],[4]]}',
    ],
)
def test_broken_files_are_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tree.json"
    path.write_text(text)
    with pytest.raises(SpeechError) as caught:
        Tree.read(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="no such file"):
        Tree.read(tmp_path / "tree.json")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(SpeechError, match="UTF-8"):
        Tree.read(tmp_path / "bytes")
