"""Small transducers with epsilon arcs."""

from __future__ import annotations

import numpy as np

from recognizer.decoding.graph.fst_arrays import FstArrays


def random_fst(seed: int) -> FstArrays:
    """Epsilon arcs lead to states of greater numbers only, so that they make no cycle."""
    rng = np.random.default_rng(seed)
    states, arcs = int(rng.integers(2, 9)), int(rng.integers(1, 14))
    sources, targets = rng.integers(0, states, arcs), rng.integers(0, states, arcs)
    ilabels = np.where((rng.random(arcs) < 0.6) & (sources < targets), 0, rng.integers(1, 3, arcs))
    olabels = np.where(rng.random(arcs) < 0.6, 0, rng.integers(1, 3, arcs))
    finals = np.where(rng.random(states) < 0.4, rng.integers(0, 64, states) / 8, np.inf)
    costs = rng.integers(0, 64, arcs) / 8
    start = int(rng.integers(states))
    return FstArrays.from_arcs(sources, ilabels, olabels, costs, targets, finals, start)


def chain(ilabels: list[int], olabels: list[int], finals: list[float]) -> FstArrays:
    states = np.arange(len(ilabels))
    return FstArrays.from_arcs(states, ilabels, olabels, states + 1.0, states + 1, finals)
