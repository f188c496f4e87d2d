"""A decoding graph without epsilon arcs, for searches that know emitting arcs only.

Each emitting arc is repeated for every state that epsilon arcs lead to from its target, with their
costs added and their words appended. Removal on the source's side, as OpenFst's `RmEpsilon` does
it, would give every history of a back-off grammar a copy of all arcs of the shorter ones; on the
target's side a graph grows by the few back-off steps behind each word only, and a search has the
same active states as one that follows epsilon arcs itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.decoding.graph.fst_arrays import FloatArray, FstArrays, IntArray, LongArray


class WordSequences:
    """Word sequences by number: 0 is the empty one, below `num_words` stand single words."""

    def __init__(self, num_words: int) -> None:
        self._num_words = num_words
        self._longer: list[tuple[int, ...]] = []
        self._numbers: dict[tuple[int, ...], int] = {}

    def __getitem__(self, number: int) -> tuple[int, ...]:
        if number >= self._num_words:
            return self._longer[number - self._num_words]
        return (number,) if number else ()

    def is_longer(self, numbers: IntArray) -> npt.NDArray[np.bool_]:
        """Which sequences have more than one word."""
        return numbers >= self._num_words

    def join(self, first: IntArray, second: IntArray) -> IntArray:
        """Numbers of the sequences that begin with `first` and go on with `second`."""
        joined = np.maximum(first, second)  # right where one of them is empty
        both = np.flatnonzero((first > 0) & (second > 0))
        if len(both):
            pairs = np.stack((first[both], second[both]), axis=1)
            unique, places = np.unique(pairs, axis=0, return_inverse=True)
            numbers = [self._number(self[a] + self[b]) for a, b in unique.tolist()]
            joined[both] = np.array(numbers, dtype=np.int32)[places.reshape(-1)]
        return joined

    def _number(self, sequence: tuple[int, ...]) -> int:
        if sequence not in self._numbers:
            self._numbers[sequence] = self._num_words + len(self._longer)
            self._longer.append(sequence)
        return self._numbers[sequence]


@dataclass(frozen=True, eq=False)
class EpsilonFreeGraph:
    """The graph of N states and A arcs; state 0 is the start, is not final and has no arc in.

    Attributes:
        sources: int32 `[A]`, ascending.
        tids: int32 `[A]`, transition-id, never 0.
        words: int32 `[A]`, number of the arc's word sequence in `sequences`.
        costs: float32 `[A]`, negated natural logs.
        next_states: int32 `[A]`.
        final_costs: float32 `[N]`, inf where a state is not final.
        sequences: the word sequences.
    """

    sources: IntArray
    tids: IntArray
    words: IntArray
    costs: FloatArray
    next_states: IntArray
    final_costs: FloatArray
    sequences: WordSequences

    @property
    def num_states(self) -> int:
        """Number of states N."""
        return len(self.final_costs)

    @property
    def num_arcs(self) -> int:
        """Number of arcs A."""
        return len(self.sources)


def remove_epsilons(fst: FstArrays, num_words: int) -> EpsilonFreeGraph:
    """The same paths of at least one frame, with the same words and costs.

    Of parallel ways by epsilon arcs with the same words only the best one is there.

    Args:
        fst: transducer from transition-ids to word ids (`DecodingGraph.to_arrays`).
        num_words: all word ids are below.

    Raises:
        SpeechError: epsilon arcs form a cycle.
    """
    sequences = WordSequences(num_words)
    # States with nothing but epsilon arcs are passed through, never stopped at.
    stops = np.isfinite(fst.final_costs)
    stops[fst.sources[fst.ilabels > 0]] = True
    silent = fst.ilabels == 0
    every = _Paths(fst.sources, fst.next_states, fst.olabels, fst.costs.astype(np.float64))
    behind = _closures(every.select(np.flatnonzero(silent)), sequences, stops)
    emitting = every.select(np.flatnonzero(~silent))
    arcs, arc_tids = _extended(emitting, fst.ilabels[~silent], behind, sequences, stops)
    # The start takes the arcs of all states that epsilon arcs lead to from it. It is a state of
    # its own, since arcs into the old one must not see them again.
    first = behind.select(np.flatnonzero(behind.origins == fst.start))
    starts = _Paths(
        np.zeros(1 + len(first), dtype=np.int32),
        np.append(np.int32(fst.start), first.targets),
        np.append(np.int32(0), first.words),
        np.append(0.0, first.costs),
    )
    path, arc = _pairs(starts.targets, arcs.origins, fst.num_states)
    origins = np.concatenate((np.zeros(len(arc), dtype=np.int32), arcs.origins + 1))
    targets = np.concatenate((arcs.targets[arc], arcs.targets)) + 1
    words = np.concatenate((sequences.join(starts.words[path], arcs.words[arc]), arcs.words))
    costs = np.concatenate((starts.costs[path] + arcs.costs[arc], arcs.costs))
    tids = np.concatenate((arc_tids[arc], arc_tids))
    finals = np.append(np.float32(np.inf), fst.final_costs)
    used = np.zeros(len(finals), dtype=np.bool_)
    used[0] = True
    used[origins] = True
    used[targets] = True
    number = (np.cumsum(used) - 1).astype(np.int32)
    return EpsilonFreeGraph(
        sources=number[origins],
        tids=tids,
        words=words,
        costs=costs.astype(np.float32),
        next_states=number[targets],
        final_costs=finals[used],
        sequences=sequences,
    )


@dataclass(frozen=True, eq=False)
class _Paths:
    """Arcs, or paths of arcs, with their word sequences and costs."""

    origins: IntArray
    targets: IntArray
    words: IntArray
    costs: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.origins)

    def select(self, indices: LongArray) -> _Paths:
        return _Paths(
            self.origins[indices],
            self.targets[indices],
            self.words[indices],
            self.costs[indices],
        )

    def best(self) -> _Paths:
        """Sorted by origin; of paths with the same ends and words the cheapest one."""
        order = np.lexsort((self.costs, self.words, self.targets, self.origins))
        paths = self.select(order)
        new = np.ones(len(paths), dtype=np.bool_)
        new[1:] = np.diff(paths.origins) != 0
        new[1:] |= np.diff(paths.targets) != 0
        new[1:] |= np.diff(paths.words) != 0
        return paths.select(np.flatnonzero(new))


def _pairs(values: IntArray, keys: IntArray, end: int) -> tuple[LongArray, LongArray]:
    """All (i, k) with values[i] == keys[k], by i; keys ascend and are below `end`."""
    offsets = np.searchsorted(keys, np.arange(end + 1))
    counts = offsets[values + 1] - offsets[values]
    left = np.repeat(np.arange(len(values)), counts)
    within = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts)
    return left, offsets[values[left]] + within


def _joined(first: _Paths, second: _Paths, sequences: WordSequences, end: int) -> _Paths:
    """Paths of `first` that go on with one of `second`, which is sorted by origin."""
    left, right = _pairs(first.targets, second.origins, end)
    return _Paths(
        first.origins[left],
        second.targets[right],
        sequences.join(first.words[left], second.words[right]),
        first.costs[left] + second.costs[right],
    )


def _closures(epsilons: _Paths, sequences: WordSequences, stops: npt.NDArray[np.bool_]) -> _Paths:
    """The best path of one or more epsilon arcs for all ends that stop and all words."""
    _check_acyclic(epsilons)
    closures = paths = epsilons
    while len(paths):
        paths = _joined(paths, epsilons, sequences, len(stops)).best()
        closures = _Paths(
            np.concatenate((closures.origins, paths.origins)),
            np.concatenate((closures.targets, paths.targets)),
            np.concatenate((closures.words, paths.words)),
            np.concatenate((closures.costs, paths.costs)),
        )
    return closures.select(np.flatnonzero(stops[closures.targets])).best()


def _check_acyclic(epsilons: _Paths) -> None:
    """Takes away arcs from states without arcs in, until none or only cycles are left."""
    sources, targets = epsilons.origins, epsilons.targets
    while len(sources):
        enclosed = np.isin(sources, targets)
        if enclosed.all():
            raise SpeechError(
                f"decoding graph: expected no cycle of epsilon arcs, "
                f"found one that can be reached from state {int(sources[0])}"
            )
        sources, targets = sources[enclosed], targets[enclosed]


def _extended(
    arcs: _Paths,
    tids: IntArray,
    behind: _Paths,
    sequences: WordSequences,
    stops: npt.NDArray[np.bool_],
) -> tuple[_Paths, IntArray]:
    """Emitting arcs and their continuations by epsilon arcs, sorted by origin."""
    kept = np.flatnonzero(stops[arcs.targets])
    left, right = _pairs(arcs.targets, behind.origins, len(stops))
    order = np.argsort(np.concatenate((kept, left)), kind="stable")
    longer = sequences.join(arcs.words[left], behind.words[right])
    every = _Paths(
        np.concatenate((arcs.origins[kept], arcs.origins[left])),
        np.concatenate((arcs.targets[kept], behind.targets[right])),
        np.concatenate((arcs.words[kept], longer)),
        np.concatenate((arcs.costs[kept], arcs.costs[left] + behind.costs[right])),
    )
    return every.select(order), np.concatenate((tids[kept], tids[left]))[order]
