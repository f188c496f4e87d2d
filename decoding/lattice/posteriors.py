"""Posteriors of a lattice's arcs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.decoding import _lattice
from recognizer.decoding.lattice.lattice import CompactLattice, Lattice, scaled_costs

DoubleArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Posteriors:
    """How likely a path of a lattice uses each arc and ends in each state.

    Attributes:
        arcs: float64 ``[A]``, probabilities.
        finals: float64 ``[N]``, probabilities; they sum to one.
        log_prob: natural log of the sum over all paths.
    """

    arcs: DoubleArray
    finals: DoubleArray
    log_prob: float


def posteriors(
    lattice: Lattice | CompactLattice, acoustic_scale: float, graph_scale: float = 1.0
) -> Posteriors:
    """Forward-backward over all paths, in double precision.

    In a state-level lattice the arcs that take the same frame, silence included, sum to one; in a
    compact one those that cover it, together with the final states that hold it.

    Args:
        lattice: either kind.
        acoustic_scale: factor of the acoustic costs.
        graph_scale: factor of the graph costs.

    Raises:
        UsageError: a scale that is not finite or below 0.
        SpeechError: the lattice has no complete path.
    """
    arcs, finals = scaled_costs(lattice, acoustic_scale, graph_scale)
    try:
        forward, backward = _lattice.forward_backward(
            lattice.sources, lattice.targets, lattice.words, arcs, finals
        )
    except ValueError as error:
        raise SpeechError(str(error)) from error
    total = backward[0]
    # Where no path leads, the cost is infinite.
    arc_posteriors = np.exp(total - forward[lattice.sources] - arcs - backward[lattice.targets])
    return Posteriors(arc_posteriors, np.exp(total - forward - finals), -float(total))
