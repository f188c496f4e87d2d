"""A lattice as a picture over time, or as text for Graphviz."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recognizer.data.errors import UsageError
from recognizer.data.io.figures import PICTURES, picture
from recognizer.data.io.files import replace_text
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.lattice import CompactLattice
from recognizer.decoding.lattice.paths import best_path
from recognizer.decoding.lattice.posteriors import posteriors
from recognizer.decoding.lattice.slf import read_slf

DOT = "dot"
"""Ending of text for Graphviz."""

_INCHES_A_SECOND = 2.5
_WIDEST = 200.0
_LANE = 0.45

_SLF_FRAME_SHIFT = 0.01
"""Seconds that times of SLF files are rounded to."""

_SLF_BEAM = 10.0
"""Beam for determinising lattices of other programs."""


@dataclass(frozen=True)
class LatticeNode:
    """A state of a lattice.

    Attributes:
        time: seconds from the recording's beginning.
        lane: its height in the picture; 0 is the best path.
    """

    time: float
    lane: int


@dataclass(frozen=True)
class LatticeEdge:
    """An arc of a lattice.

    Attributes:
        source: index of the node that it leaves.
        target: index of the node that it enters.
        word: its word.
        posterior: how likely a path of the lattice uses it.
        best: whether the best path does.
    """

    source: int
    target: int
    word: str
    posterior: float
    best: bool


@dataclass(frozen=True)
class LatticeDrawing:
    """What is drawn of a lattice: its likely arcs, and the states at their ends by time."""

    nodes: tuple[LatticeNode, ...]
    edges: tuple[LatticeEdge, ...]


def draw_lattice(
    lattice: CompactLattice,
    acoustic_scale: float,
    frame_shift: float,
    *,
    least_posterior: float = 0.01,
) -> LatticeDrawing:
    """Choose the likely arcs of a lattice and lay them out.

    Args:
        lattice: the lattice.
        acoustic_scale: factor of the acoustic costs.
        frame_shift: seconds between the frames of the lattice.
        least_posterior: arcs that fewer paths use, by probability, are left out, unless they are
            on the best path.

    Raises:
        UsageError: a least posterior outside of [0, 1].
        SpeechError: the lattice has no complete path.
    """
    if not 0 <= least_posterior <= 1:
        raise UsageError(f"least posterior: expected a number in [0, 1], found {least_posterior}")
    probabilities = posteriors(lattice, acoustic_scale).arcs.tolist()
    best = set(_best_arcs(lattice, acoustic_scale))
    sources, targets = lattice.sources.tolist(), lattice.targets.tolist()
    likely = [
        arc
        for arc in range(lattice.num_arcs)
        if arc in best or probabilities[arc] >= least_posterior
    ]
    # Only arcs on whole paths of likely arcs; states are in topological order, arcs by source.
    begun = {0}
    for arc in likely:
        if sources[arc] in begun:
            begun.add(targets[arc])
    ended = set(np.flatnonzero(np.isfinite(lattice.final_graph_costs)).tolist())
    for arc in reversed(likely):
        if targets[arc] in ended:
            ended.add(sources[arc])
    chosen = [arc for arc in likely if sources[arc] in begun and targets[arc] in ended]
    states = sorted({0} | {end for arc in chosen for end in (sources[arc], targets[arc])})
    number = {state: index for index, state in enumerate(states)}
    times = [float(lattice.state_frames[state]) * frame_shift for state in states]
    edges = tuple(
        LatticeEdge(
            number[sources[arc]],
            number[targets[arc]],
            lattice.symbols[int(lattice.words[arc])],
            probabilities[arc],
            arc in best,
        )
        for arc in chosen
    )
    lanes = _lanes(times, edges)
    nodes = tuple(LatticeNode(time, lane) for time, lane in zip(times, lanes, strict=True))
    return LatticeDrawing(nodes, edges)


def slf_lattice(path: str | Path) -> tuple[str, CompactLattice, float, float]:
    """Read a lattice of any program in HTK's SLF.

    Returns:
        The utterance (the file's name where the file does not say), the lattice (determinised
        where it was not), its acoustic scale, and the seconds between its frames.

    Raises:
        SpeechError: a malformed file.
    """
    read = read_slf(path, _SLF_FRAME_SHIFT)
    lattice = read.lattice
    if not isinstance(lattice, CompactLattice):
        lattice = determinize(lattice, read.acoustic_scale, _SLF_BEAM)
    name = read.utterance or Path(path).name.split(".")[0]
    return name, lattice, read.acoustic_scale, _SLF_FRAME_SHIFT


def check_output(output: str | Path) -> str:
    """The ending of a file's name that can be written; a `UsageError` if it is another one."""
    kind = Path(output).suffix.removeprefix(".")
    if kind not in (*PICTURES, DOT):
        raise UsageError(f"{output}: expected a name ending in .{', .'.join((*PICTURES, DOT))}")
    return kind


def write_lattice(drawing: LatticeDrawing, output: str | Path, title: str = "") -> None:
    """Write a lattice as a picture or, for a name that ends in ``.dot``, as text for Graphviz.

    In the picture time goes to the right, the best path is red and straight, and the thicker an
    arc is, the likelier.

    Args:
        drawing: of `draw_lattice`.
        output: file to write.
        title: what is written above it.

    Raises:
        UsageError: another ending of the name.
        SpeechError: matplotlib is missing, or the file cannot be written.
    """
    if check_output(output) == DOT:
        with replace_text(output) as stream:
            stream.writelines(dot_lines(drawing, title))
        return
    times = [node.time for node in drawing.nodes]
    lanes = [node.lane for node in drawing.nodes]
    width = min(max(6.0, _INCHES_A_SECOND * (max(times) - min(times))), _WIDEST)
    height = 1.5 + _LANE * (max(lanes) - min(lanes) + 2)
    with picture(output, width, height) as figure:
        axes = figure.subplots()
        axes.scatter(times, lanes, s=14, color="0.2", zorder=3)
        for edge, bend in _bent(drawing.edges):
            source, target = drawing.nodes[edge.source], drawing.nodes[edge.target]
            color = "C3" if edge.best else "0.45"
            axes.annotate(
                "",
                xy=(target.time, target.lane),
                xytext=(source.time, source.lane),
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": color,
                    "linewidth": 0.5 + 1.5 * edge.posterior,
                    "connectionstyle": f"arc3,rad={bend * 0.15}",
                },
            )
            # Near the end that is farther from the best path, whose words stand at half way.
            share = 0.5 if source.lane == target.lane else 0.28
            share = share if abs(source.lane) >= abs(target.lane) else 1 - share
            axes.annotate(
                f"{edge.word} {edge.posterior:.2f}",
                xy=(
                    source.time + share * (target.time - source.time),
                    source.lane + share * (target.lane - source.lane),
                ),
                xytext=(0, 3 - 11 * bend),
                textcoords="offset points",
                ha="center",
                fontsize="x-small",
                color=color,
                zorder=4 if edge.best else 2,
            )
        axes.set_ylim(min(lanes) - 1, max(lanes) + 1)
        axes.set_yticks([])
        axes.set_xlabel("seconds")
        axes.set_title(title, fontsize="medium")


def dot_lines(drawing: LatticeDrawing, title: str = "") -> Iterator[str]:
    """The lattice in Graphviz's language, for ``dot -Tsvg``."""
    yield "digraph lattice {\n  rankdir=LR;\n  node [shape=circle, fontsize=10];\n"
    yield f"  label={_quoted(title)};\n"
    for index, node in enumerate(drawing.nodes):
        yield f"  {index} [label={_quoted(f'{node.time:.2f}')}];\n"
    for edge in drawing.edges:
        look = f"penwidth={0.5 + 1.5 * edge.posterior:.2f}" + ", color=red" * edge.best
        label = _quoted(f"{edge.word} {edge.posterior:.2f}")
        yield f"  {edge.source} -> {edge.target} [label={label}, {look}];\n"
    yield "}\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _best_arcs(lattice: CompactLattice, acoustic_scale: float) -> Iterator[int]:
    """The arcs of the best path; words tell them, for lattices are deterministic on words."""
    state = 0
    for word in best_path(lattice, acoustic_scale).word_ids.tolist():
        begin, end = lattice.arc_offsets[state : state + 2].tolist()
        arc = next(arc for arc in range(begin, end) if lattice.words[arc] == word)
        yield arc
        state = int(lattice.targets[arc])


def _lanes(times: Sequence[float], edges: Sequence[LatticeEdge]) -> list[int]:
    """A lane for each state: 0 on the best path, else the nearest one that is free around it.

    A lane is taken by a state from the earliest state before it to the latest one after it.
    """
    begins, ends = list(times), list(times)
    best = {0}
    for edge in edges:
        begins[edge.target] = min(begins[edge.target], times[edge.source])
        ends[edge.source] = max(ends[edge.source], times[edge.target])
        if edge.best:
            best |= {edge.source, edge.target}
    free_from: dict[int, float] = {}
    last: dict[int, float] = {}
    lanes = []
    for state in range(len(times)):
        if state in best:
            lanes.append(0)
            continue
        lane = next(
            lane
            for distance in range(1, len(times) + 1)
            for lane in (distance, -distance)
            if free_from.get(lane, 0.0) <= begins[state] and last.get(lane, -1.0) < times[state]
        )
        free_from[lane], last[lane] = ends[state], times[state]
        lanes.append(lane)
    return lanes


def _bent(edges: Sequence[LatticeEdge]) -> Iterator[tuple[LatticeEdge, int]]:
    """Edges, each with how much it is bent: those between the same two states lie apart."""
    seen: dict[tuple[int, int], int] = {}
    for edge in sorted(edges, key=lambda edge: (not edge.best, -edge.posterior)):
        before = seen.get((edge.source, edge.target), 0)
        seen[edge.source, edge.target] = before + 1
        yield edge, before
