"""Local removal of epsilon arcs, where that makes a graph smaller.

As Kaldi's `fstrmepslocal`: an arc without input label merges with its neighbours where the state
between them has no other arc in, or no other arc out. General epsilon removal would multiply the
arcs of a back-off grammar; this never adds one. In the tropical semiring paths keep their costs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from recognizer.decoding.graph.fst_arrays import FloatArray, FstArrays, IntArray


def remove_epsilons_locally(fst: FstArrays) -> FstArrays:
    """The same transducer with fewer epsilon arcs and states; unreached states disappear.

    An arc with an output label but no input label merges too, if its neighbours have no output
    label. Expects no cycle of epsilon arcs.
    """
    work = _Arcs(fst)
    while work.merge_forwards() + work.merge_backwards():
        pass
    return work.result()


class _Arcs:
    """Arcs in no order, and final costs, in the course of removal."""

    def __init__(self, fst: FstArrays) -> None:
        self.start = fst.start
        self.sources: IntArray = fst.sources.copy()
        self.ilabels: IntArray = fst.ilabels
        self.olabels: IntArray = fst.olabels.copy()
        self.costs: FloatArray = fst.costs.copy()
        self.targets: IntArray = fst.next_states.copy()
        self.finals: FloatArray = fst.final_costs.copy()

    @property
    def num_states(self) -> int:
        return len(self.finals)

    def merge_forwards(self) -> int:
        """Arcs into a state with nothing but an epsilon arc out skip it; how many states did."""
        leaving = np.bincount(self.sources, minlength=self.num_states)
        arcs = np.flatnonzero((self.ilabels == 0) & (leaving[self.sources] == 1))
        arcs = arcs[np.isinf(self.finals[self.sources[arcs]])]
        arcs = arcs[self.sources[arcs] != self.start]
        # The arc's word must not meet a word on the arcs before it.
        speaking = np.zeros(self.num_states, dtype=np.bool_)
        speaking[self.targets[self.olabels > 0]] = True
        arcs = arcs[(self.olabels[arcs] == 0) | ~speaking[self.sources[arcs]]]
        # Of a chain of such arcs the last one goes first; the others take their turn later.
        skipped = np.zeros(self.num_states, dtype=np.bool_)
        skipped[self.sources[arcs]] = True
        arcs = arcs[~skipped[self.targets[arcs]]]
        arc_of = np.full(self.num_states, -1, dtype=np.int64)
        arc_of[self.sources[arcs]] = arcs
        into = np.flatnonzero(arc_of[self.targets] >= 0)
        onward = arc_of[self.targets[into]]
        self.costs[into] += self.costs[onward]
        self.olabels[into] = np.maximum(self.olabels[into], self.olabels[onward])
        self.targets[into] = self.targets[onward]
        self._drop(arcs)
        return len(arcs)

    def merge_backwards(self) -> int:
        """A state entered by one epsilon arc only gives its arcs to the state before; how many."""
        entering = np.bincount(self.targets, minlength=self.num_states)
        entering[self.start] += 1
        arcs = np.flatnonzero((self.ilabels == 0) & (entering[self.targets] == 1))
        speaking = np.isfinite(self.finals)
        speaking[self.sources[self.olabels > 0]] = True
        arcs = arcs[(self.olabels[arcs] == 0) | ~speaking[self.targets[arcs]]]
        # Of a chain of such arcs the first one goes first.
        emptied = np.zeros(self.num_states, dtype=np.bool_)
        emptied[self.targets[arcs]] = True
        arcs = arcs[~emptied[self.sources[arcs]]]
        arc_of = np.full(self.num_states, -1, dtype=np.int64)
        arc_of[self.targets[arcs]] = arcs
        out = np.flatnonzero(arc_of[self.sources] >= 0)
        before = arc_of[self.sources[out]]
        self.costs[out] += self.costs[before]
        self.olabels[out] = np.maximum(self.olabels[out], self.olabels[before])
        self.sources[out] = self.sources[before]
        ends = self.costs[arcs] + self.finals[self.targets[arcs]]
        np.minimum.at(self.finals, self.sources[arcs], ends)
        self.finals[self.targets[arcs]] = np.inf
        self._drop(arcs)
        return len(arcs)

    def _drop(self, arcs: npt.NDArray[np.int64]) -> None:
        keep = np.ones(len(self.sources), dtype=np.bool_)
        keep[arcs] = False
        self.sources, self.targets = self.sources[keep], self.targets[keep]
        self.ilabels, self.olabels = self.ilabels[keep], self.olabels[keep]
        self.costs = self.costs[keep]

    def result(self) -> FstArrays:
        used = np.zeros(self.num_states, dtype=np.bool_)
        used[self.start] = True
        used[self.sources] = True
        used[self.targets] = True
        number = (np.cumsum(used) - 1).astype(np.int32)
        return FstArrays.from_arcs(
            number[self.sources],
            self.ilabels,
            self.olabels,
            self.costs,
            number[self.targets],
            self.finals[used],
            start=int(number[self.start]),
        )


def without_labels(fst: FstArrays, first: int) -> FstArrays:
    """Input labels from `first` on (disambiguation symbols) become epsilon."""
    return replace(fst, ilabels=np.where(fst.ilabels >= first, 0, fst.ilabels).astype(np.int32))
