"""The phonetic decision tree: which pdf each HMM state of a phone has in its context.

One root stands for each base phone and HMM state and is shared by the word-position variants.
Phone 0 as left or right context is the edge of the utterance; questions hold it together with the
silence, since that is what it sounds like.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.data.errors import SpeechError
from recognizer.data.io.json_io import read_json, write_json

LEFT, CENTRE, RIGHT = 0, 1, 2
_KIND = "decision-tree"


@dataclass(frozen=True)
class Leaf:
    """A node without question: its states have this pdf-id."""

    pdf: int


@dataclass(frozen=True)
class Split:
    """A node with the question whether a phone of the context is one of `phones`.

    Attributes:
        position: 0 asks the left neighbour, 1 the phone itself, 2 the right neighbour.
        phones: phone ids (0: edge of the utterance) for which the answer is yes.
        yes: index of the node for yes.
        no: index of the node for no.
    """

    position: int
    phones: frozenset[int]
    yes: int
    no: int


class Tree:
    """Maps (left phone, phone, right phone, HMM state) to a pdf-id, for any triphone.

    Args:
        nodes: every node; children stand behind their parents.
        roots: for each phone id the index of the root of each HMM state; `roots[0]` is empty.

    Raises:
        SpeechError: if the nodes form no forest or the pdf-ids have gaps.
    """

    def __init__(self, nodes: Sequence[Leaf | Split], roots: Sequence[Sequence[int]]) -> None:
        self.nodes = tuple(nodes)
        self.roots = tuple(tuple(int(node) for node in states) for states in roots)
        self._check()
        questions = sorted({tuple(sorted(n.phones)) for n in self.nodes if isinstance(n, Split)})
        self._questions = questions
        number = {question: i for i, question in enumerate(questions)}
        self._member = np.zeros((max(len(questions), 1), self.num_phones), dtype=np.bool_)
        for i, question in enumerate(questions):
            self._member[i, list(question)] = True
        columns = [
            (-1, 0, i, i, node.pdf)
            if isinstance(node, Leaf)
            else (node.position, number[tuple(sorted(node.phones))], node.yes, node.no, -1)
            for i, node in enumerate(self.nodes)
        ]
        table = np.array(columns, dtype=np.int32).reshape(-1, 5)
        self._position, self._question, self._yes, self._no, self._pdf = table.T
        most = max((len(states) for states in self.roots), default=0)
        self._root_table = np.full((self.num_phones, most), -1, dtype=np.int32)
        for phone, states in enumerate(self.roots):
            self._root_table[phone, : len(states)] = states

    def _check(self) -> None:
        if not self.roots or self.roots[0]:
            raise SpeechError("tree: expected no root for phone 0")
        for phone, states in enumerate(self.roots):
            if phone and not states:
                raise SpeechError(f"tree: phone {phone}: expected at least one root, found none")
            for root in states:
                if not 0 <= root < len(self.nodes):
                    raise SpeechError(
                        f"tree: phone {phone}: expected a root of 0..{len(self.nodes) - 1}, "
                        f"found {root}"
                    )
        reached = {root for states in self.roots for root in states}
        for index, node in enumerate(self.nodes):
            if isinstance(node, Leaf):
                continue
            if node.position not in (LEFT, CENTRE, RIGHT):
                raise SpeechError(
                    f"tree: node {index}: expected position 0, 1 or 2, found {node.position}"
                )
            if any(not 0 <= phone < self.num_phones for phone in node.phones):
                raise SpeechError(
                    f"tree: node {index}: expected phones of 0..{self.num_phones - 1}"
                )
            for child in (node.yes, node.no):
                if not index < child < len(self.nodes) or child in reached:
                    raise SpeechError(
                        f"tree: node {index}: expected children behind it with one parent each, "
                        f"found {child}"
                    )
                reached.add(child)
        if len(reached) != len(self.nodes):
            raise SpeechError(
                f"tree: expected every node below a root, found {len(reached)} of {len(self.nodes)}"
            )
        pdfs = {node.pdf for node in self.nodes if isinstance(node, Leaf)}
        if pdfs != set(range(len(pdfs))):
            raise SpeechError("tree: expected pdf-ids 0..n-1 without gaps")

    @property
    def num_phones(self) -> int:
        """Size of the phone table, with epsilon."""
        return len(self.roots)

    @property
    def num_pdfs(self) -> int:
        """Number of distinct pdf-ids."""
        return 1 + max(node.pdf for node in self.nodes if isinstance(node, Leaf))

    def num_states(self, phone: int) -> int:
        """Number of HMM states of a phone."""
        return len(self.roots[phone])

    def pdfs(self, left: int, phone: int, right: int) -> tuple[int, ...]:
        """The pdf-id of each HMM state of a phone in its context.

        Args:
            left: id of the phone before, 0 at the start of the utterance.
            phone: id of the phone.
            right: id of the phone after, 0 at the end of the utterance.

        Raises:
            SpeechError: if a phone id is unknown.
        """
        context = (left, phone, right)
        if not (0 < phone < self.num_phones) or not all(0 <= p < self.num_phones for p in context):
            raise SpeechError(
                f"tree: expected phone ids below {self.num_phones}, found {left} {phone} {right}"
            )
        found = []
        for root in self.roots[phone]:
            node = self.nodes[root]
            while isinstance(node, Split):
                yes = context[node.position] in node.phones
                node = self.nodes[node.yes if yes else node.no]
            found.append(node.pdf)
        return tuple(found)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The tree as arrays, for native code.

        Returns:
            ``position``, ``question``, ``yes``, ``no``, ``pdf``: int32 ``[nodes]``, of which
            leaves have a pdf-id and position -1; ``roots``: int32 ``[phones * states]``, -1 where
            a phone has no such state; ``member``: bool ``[questions * phones]``.
        """
        return {
            "position": np.ascontiguousarray(self._position),
            "question": np.ascontiguousarray(self._question),
            "yes": np.ascontiguousarray(self._yes),
            "no": np.ascontiguousarray(self._no),
            "pdf": np.ascontiguousarray(self._pdf),
            "roots": self._root_table.ravel(),
            "member": self._member.ravel(),
        }

    def lookup(
        self,
        left: npt.ArrayLike,
        phone: npt.ArrayLike,
        right: npt.ArrayLike,
        hmm_state: npt.ArrayLike,
    ) -> npt.NDArray[np.int32]:
        """`pdfs` for many states at once.

        Args:
            left: `[N]`, phone ids.
            phone: `[N]`, phone ids.
            right: `[N]`, phone ids.
            hmm_state: `[N]`.

        Returns:
            int32 `[N]`, pdf-ids.

        Raises:
            SpeechError: if a phone id or a state does not exist.
        """
        context = np.array(np.broadcast_arrays(left, phone, right, hmm_state), dtype=np.int64)
        state = context[3]
        good = (context[:3] >= 0).all(axis=0) & (context[:3] < self.num_phones).all(axis=0)
        good &= (state >= 0) & (state < self._root_table.shape[1])
        node = np.full(state.shape, -1, dtype=np.int64)
        node[good] = self._root_table[context[CENTRE][good], state[good]]
        if (node < 0).any():
            where = int(np.flatnonzero(node < 0)[0])
            raise SpeechError(
                f"tree: expected known phones and states, found {context[:, where].tolist()}"
            )
        open_ones = np.flatnonzero(self._position[node] >= 0)
        while open_ones.size:
            at = node[open_ones]
            asked = context[self._position[at], open_ones]
            yes = self._member[self._question[at], asked]
            node[open_ones] = np.where(yes, self._yes[at], self._no[at])
            open_ones = open_ones[self._position[node[open_ones]] >= 0]
        pdfs: npt.NDArray[np.int32] = self._pdf[node]
        return pdfs

    def tuples(self) -> tuple[tuple[int, int, int], ...]:
        """All (phone, HMM state, pdf) that some context gives, sorted.

        These are the transition-states of the transition model.
        """
        anything = frozenset(range(self.num_phones))
        found = set()
        for phone, states in enumerate(self.roots):
            for state, root in enumerate(states):
                stack = [(root, (anything, frozenset((phone,)), anything))]
                while stack:
                    index, context = stack.pop()
                    node = self.nodes[index]
                    if isinstance(node, Leaf):
                        found.add((phone, state, node.pdf))
                        continue
                    asked = context[node.position]
                    for child, rest in (
                        (node.yes, asked & node.phones),
                        (node.no, asked - node.phones),
                    ):
                        if rest:
                            narrowed = list(context)
                            narrowed[node.position] = rest
                            stack.append((child, (narrowed[0], narrowed[1], narrowed[2])))
        return tuple(sorted(found))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tree):
            return NotImplemented
        return self.nodes == other.nodes and self.roots == other.roots

    __hash__ = None  # type: ignore[assignment]

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the tree as JSON: a leaf is its pdf-id, a split [position, question, yes, no]."""
        number = {question: i for i, question in enumerate(self._questions)}
        nodes: list[Any] = [
            node.pdf
            if isinstance(node, Leaf)
            else [node.position, number[tuple(sorted(node.phones))], node.yes, node.no]
            for node in self.nodes
        ]
        value: dict[str, Any] = {
            "questions": [list(question) for question in self._questions],
            "nodes": nodes,
            "roots": [list(states) for states in self.roots],
        }
        write_json(path, _KIND, value)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Tree:
        """Reads a file of `write`.

        Raises:
            SpeechError: naming the file, if it is missing or no tree.
        """
        value = read_json(path, _KIND)
        try:
            questions = [frozenset(int(p) for p in phones) for phones in value["questions"]]
            nodes: list[Leaf | Split] = []
            for node in value["nodes"]:
                if isinstance(node, int):
                    nodes.append(Leaf(node))
                else:
                    position, question, yes, no = (int(field) for field in node)
                    nodes.append(Split(position, questions[question], yes, no))
            roots = [[int(node) for node in states] for states in value["roots"]]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise SpeechError(
                f"{path}: expected questions, nodes and roots of a tree, found {error!r}"
            ) from None
        try:
            return cls(nodes, roots)
        except SpeechError as error:
            raise SpeechError(f"{path}: {error}") from None


def monophone_tree(phones: PhoneTable, topology: Topology) -> Tree:
    """A tree without questions: one pdf for each base phone and HMM state."""
    nodes: list[Leaf | Split] = []
    root_of: dict[str, list[int]] = {}
    roots: list[list[int]] = [[]]
    for phone in phones.ids:
        base = phones.base(phone)
        if base not in root_of:
            first = len(nodes)
            nodes += [Leaf(first + i) for i in range(topology.num_states(phone))]
            root_of[base] = list(range(first, len(nodes)))
        roots.append(root_of[base])
    return Tree(nodes, roots)
