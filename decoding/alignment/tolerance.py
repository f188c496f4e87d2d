"""Tolerant alignment: transcripts that are not quite what was said.

Words of the transcript may be skipped, and between any two of them something else may have been
said: a loop over all phones, which says when, though not what. What is spoken stays in the
transcript's order, and costs say what each departure from it costs.

Others decode with a language model of the transcript and compare afterwards: Kaldi's
``steps/cleanup`` with a 4-gram of it (``make_one_biased_lm.py``) and, if wanted, a phone model for
the unknown word (``utils/lang/make_unk_lm.sh``); Gentle with a bigram of it that has an unknown
word between any two (``language_model.py``). The Montreal Forced Aligner's segmentation lets
listed interjections stand between words, each at a cost of 10.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.contexts import convert_alignment
from recognizer.am.tree.decision_tree import Tree
from recognizer.data.errors import UsageError
from recognizer.decoding.alignment.phone_scores import MeanLikelihoods

IntArray = npt.NDArray[np.int32]

GARBAGE = "<garbage>"
"""The label of what was said without being in the transcript."""


@dataclass(frozen=True)
class Tolerance:
    """What departures from the transcript cost (natural log, beside scaled acoustic scores).

    The default costs are those with the most damage found in mini-librispeech's training set, at
    its own speed, 0.87 and 1.15 of it, among those with at most one departure found in 1,000 words
    of correct transcripts (``benchmarks.alignment.tolerance``; figures in
    ``docs/guides/alignment.md``). Lower costs find more, and more that is not there.

    Attributes:
        skip_cost: of each word that is skipped.
        garbage_cost: of each stretch of garbage.
        phone_cost: of each phone of garbage.
        beam: of the search, in place of the beams of `AlignOptions`; where it finds no path, a
            search without beam follows.
    """

    skip_cost: float = 2.0
    garbage_cost: float = 3.0
    phone_cost: float = 1.0
    beam: float = 20.0

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in ("skip_cost", "garbage_cost", "phone_cost"):
            if not 0.0 <= getattr(self, name) < float("inf"):
                raise UsageError(f"{name}: expected a number >= 0, found {getattr(self, name)}")
        if not self.beam > 0.0:
            raise UsageError(f"beam: expected a number > 0, found {self.beam}")


class PhoneLoop:
    """All phones of speech in any order, without context.

    A state of a phone without context scores as the average likelihood of the pdfs that the tree
    has for it in any context. These states are the columns that `scores` adds to those of the pdfs;
    their transitions are labels beyond the transition-ids (`num_labels`).

    Attributes:
        columns: int32 ``[G]``, column (0-based among those added) of each added label.
        transition_ids: int32 ``[G]``, a transition-id of the same phone, HMM state and arc.
        loops: int32 ``[G]``, the label of the self-loop of the same HMM state, 0 where it has none.
        forward: for one variant of each phone, per HMM state, the labels that are no self-loops,
            each with the HMM state it leads to.
        scores: gives the columns of the phones without context, ``[T, M]``.
    """

    def __init__(self, phones: PhoneTable, transitions: TransitionModel) -> None:
        self._table = phones
        self._transitions = transitions
        pdfs: dict[tuple[str, int], set[int]] = {}
        for phone, state, pdf in transitions.tuples:
            pdfs.setdefault((phones.base(phone), state), set()).add(pdf)
        self.forward: dict[int, list[list[tuple[int, int]]]] = {}
        first = transitions.num_transition_ids + 1
        columns: list[int] = []
        tids: list[int] = []
        loops: list[int] = []
        members: list[list[int]] = []
        self._any_pdf = {(phone, state): pdf for phone, state, pdf in transitions.tuples}
        for base_phone in phones.base_phones:
            phone = phones.variants(base_phone)[-1]
            self.forward[phone] = []
            for state, topology in enumerate(transitions.topology.states(phone)):
                pdf = self._any_pdf[phone, state]
                arcs = [to for to, _ in topology.transitions]
                label = first + len(tids)
                loop = label + arcs.index(state) if state in arcs else 0
                self.forward[phone].append(
                    [(label + arc, to) for arc, to in enumerate(arcs) if to != state]
                )
                for arc in range(len(arcs)):
                    tids.append(transitions.transition_id(phone, state, pdf, arc))
                    columns.append(len(members))
                    loops.append(loop)
                members.append(sorted(pdfs[base_phone, state]))
        self.columns: IntArray = np.array(columns, dtype=np.int32)
        self.transition_ids: IntArray = np.array(tids, dtype=np.int32)
        self.loops: IntArray = np.array(loops, dtype=np.int32)
        self.scores = MeanLikelihoods(members)

    @property
    def num_labels(self) -> int:
        """Transition-ids and the labels added to them; labels are 1 .. num_labels."""
        return self._transitions.num_transition_ids + len(self.transition_ids)

    def is_garbage(self, labels: IntArray) -> npt.NDArray[np.bool_]:
        """Which labels ``[T]`` are of the loop."""
        result: npt.NDArray[np.bool_] = labels > self._transitions.num_transition_ids
        return result

    def in_context(self, labels: IntArray, tree: Tree) -> IntArray:
        """The transition-ids ``[T]`` of a path's labels.

        Every stretch of garbage becomes a word: its first phone gets the position _B, its last one
        _E, so that it looks like any word. All phones get the pdfs of the context they stand in.
        """
        transitions = self._transitions
        garbage = self.is_garbage(labels)
        tids = labels.copy()
        tids[garbage] = self.transition_ids[labels[garbage] - transitions.num_transition_ids - 1]
        starts = np.flatnonzero(
            (transitions.hmm_state[tids] == 0) & ~transitions.is_self_loop[tids]
        )
        ends = np.append(starts[1:], len(tids))
        inside = np.concatenate(([False], garbage[starts], [False])).tolist()
        for index in np.flatnonzero(garbage[starts]).tolist():
            opens, closes = not inside[index], not inside[index + 2]
            position = "S" if opens and closes else "B" if opens else "E" if closes else "I"
            for frame in range(starts[index], ends[index]):
                tids[frame] = self._in_position(int(tids[frame]), position)
        return convert_alignment(tids, transitions, transitions, tree)

    def _in_position(self, tid: int, position: str) -> int:
        """A transition-id of the same HMM state and arc in another position of a word."""
        transitions, table = self._transitions, self._table
        phone = table.id(f"{table.base(int(transitions.phone[tid]))}_{position}")
        state, arc = int(transitions.hmm_state[tid]), int(transitions.arc[tid])
        return transitions.transition_id(phone, state, self._any_pdf[phone, state], arc)
