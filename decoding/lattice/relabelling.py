"""Lattices in which one word has several ids: one id for each word, and one path for each sentence.

A word that is in a class of the language model as well as in its vocabulary has two ids in a graph,
for each is scored in its own way. Once scores are final, the difference is of no interest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

import numpy as np
import numpy.typing as npt

from recognizer.decoding.lattice.assembly import FileArc, FileEnd, assemble_state_level
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.lattice import CompactLattice

IntArray = npt.NDArray[np.int32]


def first_labels(symbols: Sequence[str]) -> IntArray | None:
    """For each id the first one of the same word, int32 ``[N]``; None: all words are distinct.

    Args:
        symbols: word of each of N ids.
    """
    if len(set(symbols)) == len(symbols):
        return None
    first: dict[str, int] = {}
    labels = [first.setdefault(word, index) for index, word in enumerate(symbols)]
    return np.array(labels, dtype=np.int32)


def relabelled(lattice: CompactLattice, labels: IntArray, acoustic_scale: float) -> CompactLattice:
    """The lattice with other word ids; of paths that then have the same words the best remains.

    Args:
        lattice: determinised on words.
        labels: the new id of each word id.
        acoustic_scale: factor of the acoustic costs in comparisons.
    """
    words = labels[lattice.words]
    if np.array_equal(words, lattice.words):
        return lattice
    if len(np.unique(np.stack([lattice.sources, words]), axis=1).T) == lattice.num_arcs:
        return replace(lattice, words=words)
    offsets, tids = lattice.tid_offsets.tolist(), lattice.tids.tolist()
    arcs = [
        FileArc(source, target, word, graph, acoustic, tuple(tids[offsets[row] : offsets[row + 1]]))
        for row, (source, target, word, graph, acoustic) in enumerate(
            zip(
                lattice.sources.tolist(),
                lattice.targets.tolist(),
                words.tolist(),
                lattice.graph_costs.tolist(),
                lattice.acoustic_costs.tolist(),
                strict=True,
            )
        )
    ]
    offsets, tids = lattice.final_tid_offsets.tolist(), lattice.final_tids.tolist()
    ends = [
        FileEnd(state, graph, acoustic, tuple(tids[offsets[state] : offsets[state + 1]]))
        for state, (graph, acoustic) in enumerate(
            zip(
                lattice.final_graph_costs.tolist(),
                lattice.final_acoustic_costs.tolist(),
                strict=True,
            )
        )
        if isfinite(graph)
    ]
    # Determinisation counts frames itself.
    frames = dict(enumerate(lattice.state_frames.tolist()))
    states = assemble_state_level(0, arcs, ends, lattice.symbols, "lattice", frames=frames)
    found = determinize(states, acoustic_scale, lattice.beam)
    return replace(found, reached_final=lattice.reached_final)
