"""What a keyword index keeps of a lattice: its arcs, each with time and probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from recognizer.decoding.lattice.arc_times import ArcTimes
from recognizer.decoding.lattice.lattice import CompactLattice
from recognizer.decoding.lattice.posteriors import posteriors

IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Postings:
    """The arcs of one lattice or many: K of them, of which the words are spoken somewhere.

    Attributes:
        words: int32 ``[K]``, word ids.
        sources: int64 ``[K]``, states, which tell only what may follow what.
        targets: int64 ``[K]``.
        begins: int32 ``[K]``, first frame of the word.
        ends: int32 ``[K]``, the frame after its last one.
        posteriors: float32 ``[K]``, probability that a path has the arc.
        continuations: float32 ``[K]``, probability that a path has the arc if it comes to the
            arc's source.
    """

    words: IntArray
    sources: LongArray
    targets: LongArray
    begins: IntArray
    ends: IntArray
    posteriors: FloatArray
    continuations: FloatArray

    def __len__(self) -> int:
        return len(self.words)

    def part(self, kept: npt.NDArray[np.bool_]) -> Postings:
        """Those that are marked in ``[K]``."""
        return Postings(*(getattr(self, one.name)[kept] for one in fields(self)))

    def moved(self, states: int, frames: int) -> Postings:
        """The same behind so many other states and frames."""
        return replace(
            self,
            sources=self.sources + states,
            targets=self.targets + states,
            begins=self.begins + np.int32(frames),
            ends=self.ends + np.int32(frames),
        )


def concatenated(parts: Sequence[Postings]) -> Postings:
    """The postings of all parts, one after the other; there is at least one part."""
    names = [one.name for one in fields(Postings)]
    return Postings(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def lattice_postings(
    lattice: CompactLattice,
    times: ArcTimes,
    acoustic_scale: float,
    graph_scale: float = 1.0,
    min_posterior: float = 0.0,
) -> Postings:
    """The postings of a lattice.

    Args:
        lattice: determinised on words.
        times: of its arcs' words.
        acoustic_scale: factor of the acoustic costs.
        graph_scale: factor of the graph costs.
        min_posterior: arcs that are less likely are left out, and with them what occurs less often
            than that of every phrase that they belong to.

    Raises:
        UsageError: a scale that is not finite or below 0.
        SpeechError: the lattice has no complete path.
    """
    found = posteriors(lattice, acoustic_scale, graph_scale)
    # What comes to a state goes on by one of its arcs, or ends there.
    at_state = found.finals + np.bincount(
        lattice.sources, weights=found.arcs, minlength=lattice.num_states
    )
    kept = np.flatnonzero((found.arcs >= min_posterior) & (found.arcs > 0.0))
    sources = lattice.sources[kept]
    return Postings(
        words=lattice.words[kept],
        sources=sources.astype(np.int64),
        targets=lattice.targets[kept].astype(np.int64),
        begins=times.begins[kept],
        ends=times.ends[kept],
        posteriors=np.minimum(found.arcs[kept], 1.0).astype(np.float32),
        continuations=np.minimum(found.arcs[kept] / at_state[sources], 1.0).astype(np.float32),
    )
