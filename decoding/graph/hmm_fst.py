"""H and C's labels: phones in context as HMMs whose arcs carry transition-ids.

As Kaldi's `make-ilabel-transducer` and `make-h-transducer`: triphones whose HMMs are the same (the
same phone, with the same pdfs) are one physical unit, which makes the graph much smaller. H has no
weights and no self-loops: a transition's cost depends on its transition-id alone and is put on the
finished graph's arcs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.decision_tree import Tree
from recognizer.decoding.graph.fst_arrays import FstArrays, IntArray


@dataclass(frozen=True, eq=False)
class ContextLabels:
    """What the input labels of CLG stand for once triphones of one HMM have one label.

    Attributes:
        relabel: int32, new label of each label that the context composition made (0: epsilon).
        units: (phone, pdfs) of the labels 1..len(units).
        num_disambiguation: number of disambiguation symbols, whose labels follow the units'.
    """

    relabel: IntArray
    units: tuple[tuple[int, tuple[int, ...]], ...]
    num_disambiguation: int


def context_labels(contexts: Sequence[Sequence[int]], tree: Tree) -> ContextLabels:
    """Finds the physical units of the triphones in a CLG.

    Args:
        contexts: per label, as `kaldifst.compose_context` gives them: empty for epsilon, one
            number for a disambiguation symbol, else left phone, phone and right phone.
        tree: gives the pdfs.
    """
    lengths = np.fromiter(map(len, contexts), dtype=np.int64, count=len(contexts))
    where = np.flatnonzero(lengths == 3)
    triphones = np.array([contexts[i] for i in where.tolist()], dtype=np.int64).reshape(-1, 3)
    left, phone, right = triphones.T
    num_states = np.array([0, *(tree.num_states(i) for i in range(1, tree.num_phones))])[phone]
    most = int(num_states.max(initial=0))
    keys = np.full((len(where), 1 + most), -1, dtype=np.int64)
    keys[:, 0] = phone
    for state in range(most):
        has = np.flatnonzero(num_states > state)
        keys[has, 1 + state] = tree.lookup(left[has], phone[has], right[has], state)
    distinct, unit_of = np.unique(keys, axis=0, return_inverse=True)
    relabel = np.zeros(len(contexts), dtype=np.int32)
    relabel[where] = 1 + unit_of.reshape(-1)
    symbols = np.flatnonzero(lengths == 1)
    relabel[symbols] = 1 + len(distinct) + np.arange(len(symbols))
    units = tuple((row[0], tuple(pdf for pdf in row[1:] if pdf >= 0)) for row in distinct.tolist())
    return ContextLabels(relabel, units, len(symbols))


def hmm_fst(labels: ContextLabels, transitions: TransitionModel) -> FstArrays:
    """Builds H: from transition-ids to the units of CLG, without self-loops.

    Its state 0 is where units begin and end. Disambiguation symbols pass there; on the input side
    they follow the transition-ids.
    """
    arcs: list[tuple[int, int, int, int]] = []  # source, transition-id, unit, destination
    num_states = 1
    for unit, (phone, pdfs) in enumerate(labels.units, start=1):
        states = transitions.topology.states(phone)
        # HMM state 0 is never re-entered, so that its arcs can leave H's state 0 directly.
        place = [0, *range(num_states, num_states + len(states) - 1), 0]
        num_states += len(states) - 1
        for state, pdf in enumerate(pdfs):
            for arc, (to, _) in enumerate(states[state].transitions):
                if to != state:
                    label = transitions.transition_id(phone, state, pdf, arc)
                    arcs.append((place[state], label, 0 if state else unit, place[to]))
    for symbol in range(1, labels.num_disambiguation + 1):
        arcs.append((0, transitions.num_transition_ids + symbol, len(labels.units) + symbol, 0))
    finals = np.full(num_states, np.inf)
    finals[0] = 0.0
    table: npt.NDArray[np.int32] = np.array(arcs, dtype=np.int32).reshape(-1, 4)
    return FstArrays.from_arcs(
        table[:, 0], table[:, 1], table[:, 2], np.zeros(len(arcs)), table[:, 3], finals
    )
