"""Minimum-Bayes-risk paths and word confidences.

Xu, Povey, Mangu and Zhu, "Minimum Bayes Risk decoding and system combination based on a recursion
for edit distance", Computer Speech and Language 25 (2011): the words that minimise the expected
number of word errors, and how likely each of them is. As Kaldi's ``lattice-mbr-decode`` and
``lattice-to-ctm-conf``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.decoding import _lattice
from recognizer.decoding.lattice.lattice import (
    BestPath,
    CompactLattice,
    lattice_words,
    scaled_costs,
)
from recognizer.decoding.lattice.paths import best_path

IntArray = npt.NDArray[np.int32]
DoubleArray = npt.NDArray[np.float64]

_NOT_THERE = -1  # id of words that no arc has


@dataclass(frozen=True)
class Bin:
    """One place of a sausage: at most one of these words was spoken there.

    Attributes:
        words: what may stand here, the likeliest first; None for no word.
        posteriors: their probabilities, which sum to one.
        times: expected begin and end of each, in frames.
    """

    words: tuple[str | None, ...]
    posteriors: tuple[float, ...]
    times: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class MbrResult:
    """Words with their confidences, and the sausage they were taken from.

    Attributes:
        words: the words.
        confidences: of each word, in ``[0, 1]``: the probability that it stands in its place.
        times: of each word, expected begin and end in frames: means over the lattice's arcs, whose
            ends lie near the words'. Exact times of a path are in
            `recognizer.decoding.lattice.word_times`.
        bins: the sausage: a bin for each word, and one before, between and after them.
        risk: expected number of word errors.
    """

    words: tuple[str, ...]
    confidences: tuple[float, ...]
    times: tuple[tuple[float, float], ...]
    bins: tuple[Bin, ...]
    risk: float


def mbr(lattice: CompactLattice, acoustic_scale: float, graph_scale: float = 1.0) -> MbrResult:
    """The words that minimise the expected number of word errors.

    The search starts at the best path and takes the likeliest word in every bin until nothing
    changes, so the result is at least as good as the best path.

    Args:
        lattice: determinised on words; of a rescored one the graph costs hold the language model's
            scale and the word penalty already.
        acoustic_scale: factor of the acoustic costs.
        graph_scale: factor of the graph costs.

    Raises:
        UsageError: a scale that is not finite or below 0.
        SpeechError: the lattice has no complete path.
    """
    words = best_path(lattice, acoustic_scale).word_ids
    return _sausage(lattice, words, acoustic_scale, graph_scale, decode=True)


def confidences(
    lattice: CompactLattice,
    words: BestPath | Sequence[str],
    acoustic_scale: float,
    graph_scale: float = 1.0,
) -> MbrResult:
    """Confidences of given words, such as those of the best path; the words stay as they are.

    As ``lattice-to-ctm-conf --decode-mbr=false``: the words are aligned with all paths of the
    lattice at once, and each one's confidence is the probability of paths that have it there.

    Args:
        lattice: as for `mbr`.
        words: a path of the lattice, or any words.
        acoustic_scale: factor of the acoustic costs.
        graph_scale: factor of the graph costs.

    Raises:
        UsageError: a scale that is not finite or below 0.
        SpeechError: the lattice has no complete path.
    """
    if isinstance(words, BestPath):
        words = words.words
    known = lattice_words(lattice)
    ids = np.array([known.get(word, _NOT_THERE) for word in words], dtype=np.int32)
    result = _sausage(lattice, ids, acoustic_scale, graph_scale, decode=False)
    return replace(result, words=tuple(words))


def _sausage(
    lattice: CompactLattice,
    words: IntArray,
    acoustic_scale: float,
    graph_scale: float,
    *,
    decode: bool,
) -> MbrResult:
    arcs, finals = scaled_costs(lattice, acoustic_scale, graph_scale)
    frames = lattice.state_frames.astype(np.float64)
    network = TimedArcs(
        sources=lattice.sources,
        targets=lattice.targets,
        words=lattice.words,
        costs=arcs,
        final_costs=finals,
        begins=frames[lattice.sources],
        ends=frames[lattice.targets],
        final_begins=frames,
        final_ends=frames + np.diff(lattice.final_tid_offsets),
        symbols=lattice.symbols,
    )
    return network.sausage(words, decode=decode)


@dataclass(frozen=True, eq=False)
class TimedArcs:
    """What minimum Bayes risk needs of a lattice, or of several lattices in one.

    Attributes:
        sources: int32 ``[A]``, sorted; states are in topological order, state 0 is the start.
        targets: int32 ``[A]``.
        words: int32 ``[A]``, word ids, 0 for none.
        costs: float64 ``[A]``, scaled.
        final_costs: float64 ``[N]``, inf where a state is not final.
        begins: float64 ``[A]``, when the arcs' words begin, in any unit.
        ends: float64 ``[A]``.
        final_begins: float64 ``[N]``, of what is spoken after a final state without a word.
        final_ends: float64 ``[N]``.
        symbols: word of each id.
    """

    sources: IntArray
    targets: IntArray
    words: IntArray
    costs: DoubleArray
    final_costs: DoubleArray
    begins: DoubleArray
    ends: DoubleArray
    final_begins: DoubleArray
    final_ends: DoubleArray
    symbols: tuple[str, ...]

    def sausage(self, words: IntArray, *, decode: bool) -> MbrResult:
        """The recursion of the paper.

        Args:
            words: int32, the word ids to begin with.
            decode: change the words until they have the least risk near by; otherwise they are
                only aligned.

        Raises:
            SpeechError: there is no complete path.
        """
        try:
            risk, chosen, offsets, bin_words, posteriors, begins, ends = (
                _lattice.minimum_bayes_risk(
                    self.sources,
                    self.targets,
                    self.words,
                    self.costs,
                    self.final_costs,
                    self.begins,
                    self.ends,
                    self.final_begins,
                    self.final_ends,
                    np.ascontiguousarray(words, dtype=np.int32),
                    decode,
                )
            )
        except ValueError as error:
            raise SpeechError(str(error)) from error
        symbols = (None, *self.symbols[1:])
        bins = []
        found: list[tuple[str, float, tuple[float, float]]] = []
        for word, first, last in zip(chosen.tolist(), offsets[:-1], offsets[1:], strict=True):
            members = bin_words[first:last].tolist()
            times = tuple(zip(begins[first:last].tolist(), ends[first:last].tolist(), strict=True))
            bins.append(
                Bin(
                    tuple(symbols[member] for member in members),
                    tuple(posteriors[first:last].tolist()),
                    times,
                )
            )
            if word == 0:
                continue
            if word in members:
                place = members.index(word)
                found.append((self.symbols[word], bins[-1].posteriors[place], times[place]))
            else:
                # No path has the word here: its time is that of what paths have instead.
                found.append((self.symbols[word], 0.0, times[0]))
        return MbrResult(
            words=tuple(word for word, _, _ in found),
            confidences=tuple(confidence for _, confidence, _ in found),
            times=tuple(span for _, _, span in found),
            bins=tuple(bins),
            risk=risk,
        )
