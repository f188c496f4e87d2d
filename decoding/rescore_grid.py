"""Rescoring with many LM scales and penalties at once, for tuning.

Which histories a lattice's states split into does not depend on scales, so the lattice is
expanded once, and the best paths of all combinations are found side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from data.errors import UsageError
from decoding.lattice import CompactLattice
from decoding.rescore import RescoreOptions, rescore_lattice
from lm.language_model import LanguageModel

DoubleArray = npt.NDArray[np.float64]


def rescore_grid(
    lattice: CompactLattice,
    old: LanguageModel[Any],
    new: LanguageModel[Any],
    options: Sequence[RescoreOptions],
) -> list[tuple[str, ...]]:
    """The words of the best path under each of several options.

    As `decoding.rescore.rescore_lattice` with each of them, except that the beam (the widest of
    the options') is laid around the mean LM scale and penalty, where histories are dropped.

    Args:
        lattice: determinised on words.
        old: the model of the first pass's graph.
        new: the model to put in.
        options: LM scales and penalties; all with the same acoustic scale.

    Raises:
        UsageError: no options, or different acoustic scales.
        SpeechError: as `rescore_lattice`.
    """
    if not options or len({one.acoustic_scale for one in options}) != 1:
        raise UsageError("rescoring grid: expected options of one acoustic scale")
    lm_scales = np.array([one.lm_scale for one in options])
    penalties = np.array([one.word_insertion_penalty for one in options])
    middle = RescoreOptions(
        options[0].acoustic_scale,
        float(lm_scales.mean()),
        float(penalties.mean()),
        beam=max(one.beam for one in options),
        max_arcs=max(one.max_arcs for one in options),
    )
    expanded = rescore_lattice(lattice, old, new, middle).lattice
    arc_scores, final_scores = _scores(expanded, new)
    # What a path costs changes by this much for each nat of the new model and each word.
    scale_steps, penalty_steps = (
        middle.lm_scale - lm_scales,
        penalties - middle.word_insertion_penalty,
    )
    costs = expanded.graph_costs + middle.acoustic_scale * expanded.acoustic_costs
    arc_costs = costs[:, None] + arc_scores[:, None] * scale_steps + penalty_steps
    finals = expanded.final_graph_costs + middle.acoustic_scale * expanded.final_acoustic_costs
    final_costs = finals[:, None] + final_scores[:, None] * scale_steps
    return _best_words(expanded, arc_costs, final_costs)


def _scores(lattice: CompactLattice, model: LanguageModel[Any]) -> tuple[DoubleArray, DoubleArray]:
    """Log probabilities of the arcs' words ``[A]`` and of the states' sentence ends ``[N]``."""
    arc_scores = np.zeros(lattice.num_arcs)
    histories: list[Any] = [None] * lattice.num_states
    histories[0] = model.start()
    arcs = zip(
        lattice.sources.tolist(), lattice.targets.tolist(), lattice.words.tolist(), strict=True
    )
    for arc, (source, target, word) in enumerate(arcs):
        # All arcs into a state of an expanded lattice lead to the same history.
        arc_scores[arc], histories[target] = model.score(histories[source], lattice.symbols[word])
    final_scores = np.zeros(lattice.num_states)
    if lattice.reached_final:
        for state in np.flatnonzero(np.isfinite(lattice.final_graph_costs)).tolist():
            final_scores[state] = model.final(histories[state])
    return arc_scores, final_scores


def _best_words(
    lattice: CompactLattice, arc_costs: DoubleArray, final_costs: DoubleArray
) -> list[tuple[str, ...]]:
    """Best paths' words for each column of the costs, from the end to the start."""
    to_end = final_costs.copy()
    best_arc = np.full(to_end.shape, -1)
    columns = np.arange(to_end.shape[1])
    offsets, targets = lattice.arc_offsets.tolist(), lattice.targets
    for state in range(lattice.num_states - 1, -1, -1):
        first, last = offsets[state], offsets[state + 1]
        if first == last:
            continue
        costs = arc_costs[first:last] + to_end[targets[first:last]]
        choice = costs.argmin(axis=0)
        cost = costs[choice, columns]
        better = cost < to_end[state]
        to_end[state, better] = cost[better]
        best_arc[state, better] = first + choice[better]
    found = []
    for column in columns.tolist():
        words, state = [], 0
        while (arc := int(best_arc[state, column])) >= 0:
            words.append(lattice.symbols[int(lattice.words[arc])])
            state = int(targets[arc])
        found.append(tuple(words))
    return found
