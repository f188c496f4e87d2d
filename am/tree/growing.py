"""Growing the decision tree from alignment statistics (Kaldi's `build-tree`)."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.tree.decision_tree import CENTRE, LEFT, RIGHT, Leaf, Split, Tree
from recognizer.am.tree.questions import Questions, make_questions
from recognizer.am.tree.statistics import FloatArray, StatsTable, TreeStats, gaussian_log_likelihood
from recognizer.data.errors import SpeechError, UsageError

# Two questions may part the same data alike; their gains then differ by rounding only, and the
# first of them is taken whatever the machine's order of summation.
_TIE = 1e-9


@dataclass(frozen=True)
class TreeOptions:
    """Options of growing the tree.

    Attributes:
        num_leaves: number of pdfs at most, those of silence included.
        min_count: frames that each side of a split needs at least.
        min_gain: log likelihood (natural) that a split must gain at least.
        variance_floor: smallest variance in the likelihoods.
        right_context: whether nodes may ask for the phone to the right. Without, the tree is of
            left biphones, as Kaldi's chain recipes have it: graphs are smaller, and so is what
            lattice-free MMI sums over.
    """

    num_leaves: int = 2000
    min_count: float = 100.0
    min_gain: float = 0.0
    variance_floor: float = 0.01
    right_context: bool = True

    def __post_init__(self) -> None:
        for name, holds, expected in (
            ("num_leaves", self.num_leaves >= 1, "at least 1"),
            ("min_count", self.min_count >= 0, "at least 0"),
            ("min_gain", self.min_gain >= 0, "at least 0"),
            ("variance_floor", self.variance_floor > 0, "positive"),
        ):
            if not holds:
                raise UsageError(
                    f"TreeOptions: {name}: expected {expected}, found {getattr(self, name)!r}"
                )


@dataclass
class _Node:
    """A node while growing: the rows of the table that reach it, and its split once made."""

    rows: npt.NDArray[np.int64]
    split: _Candidate | None = None
    yes: _Node | None = None
    no: _Node | None = None


@dataclass(frozen=True)
class _Candidate:
    """A possible split of a node."""

    gain: float
    position: int
    phones: frozenset[int]


def build_tree(
    stats: TreeStats | StatsTable,
    phones: PhoneTable,
    topology: Topology,
    options: TreeOptions | None = None,
    questions: Questions | None = None,
) -> Tree:
    """Grows a tree: always the split of any leaf that gains the most likelihood, till enough.

    Each base phone and HMM state has its own root, shared by the word-position variants. Silence
    and spoken noise are not split. A leaf models its data by one diagonal Gaussian.

    Args:
        stats: statistics of the states in context.
        phones: the phone table.
        topology: the HMM topology.
        options: when to stop.
        questions: what nodes may ask; by default made from the statistics (`make_questions`).

    Returns:
        The tree, the same for the same statistics. Phones never seen keep unsplit roots.

    Raises:
        SpeechError: if the statistics hold phones or states that the tables lack, or none at all.
    """
    options = TreeOptions() if options is None else options
    table = stats.table() if isinstance(stats, TreeStats) else stats
    _check_table(table, phones, topology)
    if questions is None:
        questions = make_questions(table, phones, variance_floor=options.variance_floor)
    finder = _SplitFinder(table, len(phones), questions, options)
    bases = dict.fromkeys(phones.base(i) for i in phones.ids)
    roots: dict[str, list[_Node]] = {}
    heap: list[tuple[float, int, _Node]] = []
    leaves = 0
    for base in bases:
        variants = phones.variants(base)
        of_base = np.isin(table.phone, variants)
        roots[base] = []
        for state in range(topology.num_states(variants[0])):
            node = _Node(np.flatnonzero(of_base & (table.hmm_state == state)))
            roots[base].append(node)
            leaves += 1
            if variants[0] not in phones.silence:
                _consider(node, finder, heap)
    while heap and leaves < options.num_leaves:
        _, _, node = heapq.heappop(heap)
        node.yes, node.no = (_Node(rows) for rows in finder.parts(node))
        leaves += 1
        for child in (node.yes, node.no):
            _consider(child, finder, heap)
    return _number(roots, phones)


def _check_table(table: StatsTable, phones: PhoneTable, topology: Topology) -> None:
    if not len(table):
        raise SpeechError("tree statistics: expected at least one frame, found none")
    highest = max(int(table.phone.max()), int(table.left.max()), int(table.right.max()))
    if highest >= len(phones) or table.phone.min() < 1:
        raise SpeechError(
            f"tree statistics: expected phones of the table's 1..{len(phones) - 1}, "
            f"found {highest if highest >= len(phones) else int(table.phone.min())}"
        )
    num_states = np.array([0, *(topology.num_states(i) for i in phones.ids)])
    if (table.hmm_state >= num_states[table.phone]).any():
        row = int(np.flatnonzero(table.hmm_state >= num_states[table.phone])[0])
        phone = int(table.phone[row])
        raise SpeechError(
            f"tree statistics: phone {phones.symbols[phone]}: expected states below "
            f"{num_states[phone]}, found {table.hmm_state[row]}"
        )


def _consider(node: _Node, finder: _SplitFinder, heap: list[tuple[float, int, _Node]]) -> None:
    node.split = finder.best(node.rows)
    if node.split is not None:
        # Rows are disjoint between open leaves, so the first row breaks ties for good.
        heapq.heappush(heap, (-node.split.gain, int(node.rows[0]), node))


class _SplitFinder:
    """Finds the best split of a set of rows: one matrix product per position of the context."""

    def __init__(
        self, table: StatsTable, num_phones: int, questions: Questions, options: TreeOptions
    ) -> None:
        self._options = options
        self._dim = table.sums.shape[1]
        self._rows: FloatArray = np.concatenate(
            [table.counts[:, None], table.sums, table.squares], axis=1
        )
        self._context = {LEFT: table.left, CENTRE: table.phone}
        if options.right_context:
            self._context[RIGHT] = table.right
        self._questions: dict[int, Sequence[frozenset[int]]] = {
            LEFT: questions.context,
            CENTRE: questions.centre,
            RIGHT: questions.context,
        }
        self._member = {
            position: _membership(sets, num_phones) for position, sets in self._questions.items()
        }

    def _score(self, stats: FloatArray) -> FloatArray:
        return gaussian_log_likelihood(
            stats[..., 0],
            stats[..., 1 : 1 + self._dim],
            stats[..., 1 + self._dim :],
            self._options.variance_floor,
        )

    def best(self, rows: npt.NDArray[np.int64]) -> _Candidate | None:
        """The split of most gain within the limits of the options, or None."""
        if len(rows) < 2:
            return None
        stats = self._rows[rows]
        total = stats.sum(axis=0)
        if total[0] < 2 * self._options.min_count:
            return None
        whole = float(self._score(total))
        best: _Candidate | None = None
        for position, context in self._context.items():
            found = self._best_at(position, context[rows], stats, total, whole)
            if found is not None and (best is None or found.gain > best.gain + _TIE * abs(whole)):
                best = found
        return best

    def _best_at(
        self,
        position: int,
        asked: npt.NDArray[np.int64],
        stats: FloatArray,
        total: FloatArray,
        whole: float,
    ) -> _Candidate | None:
        order = np.argsort(asked, kind="stable")
        ordered = asked[order]
        starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        if len(starts) < 2:
            return None
        by_phone = np.add.reduceat(stats[order], starts, axis=0)
        yes = self._member[position][:, ordered[starts]] @ by_phone
        no = total - yes
        least = max(self._options.min_count, 0.5)
        usable = np.flatnonzero((yes[:, 0] >= least) & (no[:, 0] >= least))
        if not usable.size:
            return None
        gains = self._score(yes[usable]) + self._score(no[usable]) - whole
        tie = _TIE * abs(whole)
        top = float(gains.max())
        if top <= tie or top < self._options.min_gain:
            return None
        chosen = int(usable[np.flatnonzero(gains >= top - tie)[0]])
        return _Candidate(top, position, self._questions[position][chosen])

    def parts(self, node: _Node) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The node's rows for which its split says yes, and the others."""
        split = node.split
        assert split is not None
        yes = np.isin(self._context[split.position][node.rows], sorted(split.phones))
        return node.rows[yes], node.rows[~yes]


def _membership(sets: Sequence[frozenset[int]], num_phones: int) -> FloatArray:
    member = np.zeros((len(sets), num_phones))
    for i, phones in enumerate(sets):
        member[i, sorted(phones)] = 1.0
    return member


def _number(roots: dict[str, list[_Node]], phones: PhoneTable) -> Tree:
    """Numbers nodes and pdfs root by root, the yes side first."""
    nodes: list[Leaf | Split | None] = []
    pdfs = 0
    root_of: dict[str, list[int]] = {}
    for base, states in roots.items():
        root_of[base] = []
        for root in states:
            root_of[base].append(len(nodes))
            nodes.append(None)
            stack = [(root, len(nodes) - 1)]
            while stack:
                node, index = stack.pop()
                if node.yes is None or node.no is None or node.split is None:
                    nodes[index] = Leaf(pdfs)
                    pdfs += 1
                    continue
                yes, no = len(nodes), len(nodes) + 1
                nodes += [None, None]
                nodes[index] = Split(node.split.position, node.split.phones, yes, no)
                stack += [(node.no, no), (node.yes, yes)]
    done = [node for node in nodes if node is not None]
    return Tree(done, [[], *(root_of[phones.base(i)] for i in phones.ids)])
