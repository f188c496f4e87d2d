"""Combination of several systems' lattices by minimum Bayes risk.

Xu, Povey, Mangu and Zhu, "Minimum Bayes Risk decoding and system combination based on a recursion
for edit distance", Computer Speech and Language 25 (2011), section 6: a word sequence is as likely
as the weighted mean of what the systems' lattices say, so that the lattices become branches of one
lattice, whose words of least expected error are taken. As Kaldi's ``lattice-combine`` and
``lattice-mbr-decode``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, log

import numpy as np

from recognizer.data.errors import UsageError
from recognizer.decoding.lattice.arc_times import ArcTimes
from recognizer.decoding.lattice.lattice import CompactLattice, scaled_costs
from recognizer.decoding.lattice.mbr import DoubleArray, IntArray, MbrResult, TimedArcs
from recognizer.decoding.lattice.paths import best_path
from recognizer.decoding.lattice.posteriors import posteriors

_NOT_THERE = -1  # id of words that no lattice has


@dataclass(frozen=True, eq=False)
class SystemLattice:
    """What one system says of an utterance.

    Attributes:
        lattice: determinised on words.
        acoustic_scale: factor of its acoustic costs.
        weight: of the system, above 0; only the ratios of weights matter.
        frame_shift: seconds from one frame to the next.
        times: of the arcs' words; None takes those of the states, which lie near them.
    """

    lattice: CompactLattice
    acoustic_scale: float
    weight: float = 1.0
    frame_shift: float = 0.01
    times: ArcTimes | None = None

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in ("weight", "frame_shift"):
            value = getattr(self, name)
            if not (isfinite(value) and value > 0.0):
                raise UsageError(f"{name}: expected a finite number > 0, found {value}")


def combine(systems: Sequence[SystemLattice], confidence_scale: float = 1.0) -> MbrResult:
    """The words that minimise the expected number of word errors over all systems.

    The recursion starts at the best path of each system in turn, and the result of least risk is
    taken; of equal ones that of the system that comes first.

    Args:
        systems: lattices of the same utterance, at least one.
        confidence_scale: factor of all costs for the confidences, which are too high where the
            models take frames for more independent than they are; the words are chosen at 1.

    Returns:
        Words, confidences and bins as of `recognizer.decoding.lattice.mbr.mbr`, times in seconds.

    Raises:
        UsageError: no system, or an impossible scale.
        SpeechError: a lattice has no complete path.
    """
    if not systems:
        raise UsageError("expected at least one system, found none")
    if not (isfinite(confidence_scale) and confidence_scale > 0.0):
        raise UsageError(f"confidence_scale: expected a number > 0, found {confidence_scale}")
    whole = _union(systems, 1.0)
    ids = {symbol: index for index, symbol in enumerate(whole.symbols)}
    starts = dict.fromkeys(best_path(one.lattice, one.acoustic_scale).words for one in systems)
    found = [whole.sausage(_ids(words, ids), decode=True) for words in starts]
    best = min(found, key=lambda one: one.risk)
    if confidence_scale == 1.0:
        return best
    flatter = _union(systems, confidence_scale).sausage(_ids(best.words, ids), decode=False)
    # A word of no path at all keeps its name: symbols are the same in both.
    return replace(flatter, risk=best.risk)


def _ids(words: Sequence[str], ids: dict[str, int]) -> IntArray:
    return np.array([ids.get(word, _NOT_THERE) for word in words], dtype=np.int32)


def _union(systems: Sequence[SystemLattice], scale: float) -> TimedArcs:
    """All lattices behind one start, each with the probability of its system."""
    symbols: dict[str, int] = {"<eps>": 0}
    total = sum(one.weight for one in systems)
    first = 1  # the first state of the lattice that comes next
    sources = [np.zeros(len(systems), dtype=np.int32)]
    targets, words = [], [np.zeros(len(systems), dtype=np.int32)]
    entries, starts = [], []
    costs, finals = [], [np.array([inf])]
    begins: list[DoubleArray] = [np.zeros(len(systems))]
    ends: list[DoubleArray] = [np.zeros(len(systems))]
    final_begins: list[DoubleArray] = [np.zeros(1)]
    final_ends: list[DoubleArray] = [np.zeros(1)]
    for one in systems:
        lattice = one.lattice
        arc_costs, final_costs = scaled_costs(lattice, scale * one.acoustic_scale, scale)
        # The paths of a lattice sum to the weight of its system.
        log_prob = posteriors(lattice, scale * one.acoustic_scale, scale).log_prob
        entries.append(log_prob - log(one.weight / total))
        starts.append(first)
        sources.append(lattice.sources + np.int32(first))
        targets.append(lattice.targets + np.int32(first))
        used = np.unique(lattice.words)
        numbers = [symbols.setdefault(lattice.symbols[w], len(symbols)) for w in used.tolist()]
        words.append(np.array(numbers, dtype=np.int32)[np.searchsorted(used, lattice.words)])
        costs.append(arc_costs)
        finals.append(final_costs)
        frames = lattice.state_frames.astype(np.float64) * one.frame_shift
        if one.times is None:
            begins.append(frames[lattice.sources])
            ends.append(frames[lattice.targets])
        else:
            begins.append(one.times.begins.astype(np.float64) * one.frame_shift)
            ends.append(one.times.ends.astype(np.float64) * one.frame_shift)
        final_begins.append(frames)
        final_ends.append(frames + np.diff(lattice.final_tid_offsets) * one.frame_shift)
        first += lattice.num_states
    return TimedArcs(
        sources=np.concatenate(sources),
        targets=np.concatenate([np.array(starts, dtype=np.int32), *targets]),
        words=np.concatenate(words),
        costs=np.concatenate([np.array(entries), *costs]),
        final_costs=np.concatenate(finals),
        begins=np.concatenate(begins),
        ends=np.concatenate(ends),
        final_begins=np.concatenate(final_begins),
        final_ends=np.concatenate(final_ends),
        symbols=tuple(symbols),
    )
