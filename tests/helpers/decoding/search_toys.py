"""Small random graphs and lattices, and the enumeration of all their paths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import NamedTuple

import numpy as np

from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.lattice.lattice import CompactLattice, Lattice
from recognizer.decoding.search.search import SearchOptions

SYMBOLS = ("<eps>", "a", "b", "c", "d")
SCALE = 0.5
PDFS = np.array([-1, 0, 1, 1, 2], dtype=np.int32)
EVERYTHING = SearchOptions(
    beam=inf, lattice_beam=inf, max_active=10**6, min_active=0, acoustic_scale=SCALE
)


class Path(NamedTuple):
    words: tuple[int, ...]
    tids: tuple[int, ...]
    graph: float
    acoustic: float

    @property
    def cost(self) -> float:
        return self.graph + SCALE * self.acoustic

    @property
    def preference(self) -> tuple[object, ...]:
        """Sorts first what determinisation must choose among paths of the same words."""
        return (self.cost, self.graph, len(self.tids), tuple(-tid for tid in self.tids))


def best_by_words(paths: Iterator[Path]) -> dict[tuple[int, ...], Path]:
    best: dict[tuple[int, ...], Path] = {}
    for path in paths:
        if path.words not in best or path.preference < best[path.words].preference:
            best[path.words] = path
    return best


@dataclass(frozen=True)
class Arcs:
    """Rows (source, target, transition-id, word, graph cost), in no order."""

    rows: tuple[tuple[int, int, int, int, float], ...]
    finals: tuple[float, ...]

    def graph(self, start: int = 0) -> DecodingGraph:
        rows = sorted(self.rows, key=lambda row: (row[0], row[2] == 0))
        columns = [np.array([row[i] for row in rows]) for i in range(5)]
        states = np.arange(len(self.finals) + 1)
        emitting = np.bincount(columns[0][columns[2] > 0].astype(int), minlength=len(self.finals))
        return DecodingGraph(
            start=start,
            offsets=np.searchsorted(columns[0], states).astype(np.int64),
            num_emitting=emitting.astype(np.uint32),
            ilabels=columns[2].astype(np.int32),
            olabels=columns[3].astype(np.int32),
            costs=columns[4].astype(np.float32),
            next_states=columns[1].astype(np.int32),
            final_costs=np.array(self.finals, dtype=np.float32),
            words=SYMBOLS,
        )


def random_arcs(
    rng: np.random.Generator, *, states: int, arcs: int, tids: int, exact: bool = False
) -> Arcs:
    """Emitting arcs between any states, others only upwards; exact costs are likely to tie."""

    def cost() -> float:
        return float(rng.integers(0, 8)) / 4 if exact else float(np.float32(rng.uniform(0, 3)))

    rows = []
    for _ in range(arcs):
        source, target = (int(state) for state in rng.integers(0, states, 2))
        tid = int(rng.integers(1, tids + 1))
        if source < target and rng.random() < 0.4:
            tid = 0
        word = int(rng.integers(1, len(SYMBOLS))) if rng.random() < 0.4 else 0
        rows.append((source, target, tid, word, cost()))
    finals = [cost() if rng.random() < 0.5 else inf for _ in range(states)]
    return Arcs(tuple(rows), tuple(finals))


def graph_paths(
    arcs: Arcs, pdfs: np.ndarray, scores: np.ndarray, *, final: bool = True
) -> Iterator[Path]:
    """All paths of as many frames as scores; to final states or, at no cost, to any."""

    def walk(state: int, path: Path) -> Iterator[Path]:
        if len(path.tids) == len(scores):
            if not final:
                yield path
            elif arcs.finals[state] < inf:
                yield path._replace(graph=path.graph + arcs.finals[state])
        for source, target, tid, word, cost in arcs.rows:
            if source != state or (tid > 0 and len(path.tids) == len(scores)):
                continue
            longer = path._replace(graph=path.graph + cost)
            if word:
                longer = longer._replace(words=(*path.words, word))
            if tid:
                acoustic = path.acoustic - float(scores[len(path.tids), pdfs[tid]])
                longer = longer._replace(tids=(*path.tids, tid), acoustic=acoustic)
            yield from walk(target, longer)

    yield from walk(0, Path((), (), 0.0, 0.0))


def graph_of(seed: int, *, exact: bool = False) -> tuple[Arcs, np.ndarray]:
    """A small graph and scores that some path to its end fits."""
    while True:
        rng = np.random.default_rng(seed)
        arcs = random_arcs(
            rng, states=int(rng.integers(2, 6)), arcs=int(rng.integers(3, 11)), tids=4, exact=exact
        )
        frames = int(rng.integers(1, 5))
        if exact:
            scores = (rng.integers(-8, 8, (frames, 3)) / 4).astype(np.float32)
        else:
            scores = rng.normal(0, 2, (frames, 3)).astype(np.float32)
        if next(graph_paths(arcs, PDFS, scores), None) is not None:
            return arcs, scores
        seed += 1


def larger_graph(seed: int) -> tuple[DecodingGraph, np.ndarray, np.ndarray]:
    """A graph of some hundred states, pdfs of its transition-ids, scores of 60 frames."""
    rng = np.random.default_rng(seed)
    arcs = random_arcs(rng, states=400, arcs=4000, tids=150)
    pdfs = rng.integers(0, 40, 151).astype(np.int32)
    pdfs[1:41] = np.arange(40)
    scores = rng.normal(0, 3, (60, 40)).astype(np.float32)
    return arcs.graph(), pdfs, scores


def random_lattice(rng: np.random.Generator, *, states: int, arcs: int) -> Lattice:
    """An acyclic lattice with arcs of every kind; its paths differ in their number of frames."""
    rows = []
    for _ in range(arcs):
        source, target = sorted(rng.choice(states, 2, replace=False).tolist())
        tid = int(rng.integers(0, 4))
        word = int(rng.integers(1, 4)) if rng.random() < 0.5 else 0
        rows.append((source, target, tid, word, *(float(c) / 4 for c in rng.integers(0, 9, 2))))
    rows.sort(key=lambda row: row[0])
    finals = np.where(rng.random(states) < 0.3, rng.integers(0, 8, states) / 4, inf)
    finals[-1] = 0.25
    columns = list(zip(*rows, strict=True))
    return Lattice(
        state_frames=np.zeros(states, dtype=np.int32),
        sources=np.array(columns[0], dtype=np.int32),
        targets=np.array(columns[1], dtype=np.int32),
        tids=np.array(columns[2], dtype=np.int32),
        words=np.array(columns[3], dtype=np.int32),
        graph_costs=np.array(columns[4], dtype=np.float32),
        acoustic_costs=np.array(columns[5], dtype=np.float32),
        final_costs=finals.astype(np.float32),
        reached_final=True,
        symbols=SYMBOLS,
    )


def ladder(rungs: int) -> Lattice:
    """Two words to choose from at each of many places: 2 ** rungs word sequences."""
    sources = np.repeat(np.arange(rungs, dtype=np.int32), 2)
    words = np.tile(np.array([1, 2], dtype=np.int32), rungs)
    return Lattice(
        state_frames=np.arange(rungs + 1, dtype=np.int32),
        sources=sources,
        targets=sources + 1,
        tids=words,
        words=words,
        graph_costs=(words * np.float32(0.5)).astype(np.float32),
        acoustic_costs=np.ones(2 * rungs, dtype=np.float32),
        final_costs=np.array([inf] * rungs + [0.0], dtype=np.float32),
        reached_final=True,
        symbols=SYMBOLS,
    )


def lattice_paths(lattice: Lattice) -> Iterator[Path]:
    """All paths of a state-level lattice."""
    arcs = list(
        zip(
            lattice.sources.tolist(),
            lattice.targets.tolist(),
            lattice.tids.tolist(),
            lattice.words.tolist(),
            lattice.graph_costs.tolist(),
            lattice.acoustic_costs.tolist(),
            strict=True,
        )
    )
    finals = lattice.final_costs.tolist()

    def walk(state: int, path: Path) -> Iterator[Path]:
        if finals[state] < inf:
            yield path._replace(graph=path.graph + finals[state])
        for source, target, tid, word, graph, acoustic in arcs:
            if source == state:
                yield from walk(
                    target,
                    Path(
                        (*path.words, word) if word else path.words,
                        (*path.tids, tid) if tid else path.tids,
                        path.graph + graph,
                        path.acoustic + acoustic,
                    ),
                )

    yield from walk(0, Path((), (), 0.0, 0.0))


def compact_paths(lattice: CompactLattice) -> Iterator[Path]:
    """All paths of a compact lattice."""

    def walk(state: int, path: Path) -> Iterator[Path]:
        if lattice.final_graph_costs[state] < inf:
            first, last = lattice.final_tid_offsets[state : state + 2]
            yield path._replace(
                tids=(*path.tids, *lattice.final_tids[first:last].tolist()),
                graph=path.graph + float(lattice.final_graph_costs[state]),
                acoustic=path.acoustic + float(lattice.final_acoustic_costs[state]),
            )
        for arc in range(*lattice.arc_offsets[state : state + 2].tolist()):
            first, last = lattice.tid_offsets[arc : arc + 2]
            yield from walk(
                int(lattice.targets[arc]),
                Path(
                    (*path.words, int(lattice.words[arc])),
                    (*path.tids, *lattice.tids[first:last].tolist()),
                    path.graph + float(lattice.graph_costs[arc]),
                    path.acoustic + float(lattice.acoustic_costs[arc]),
                ),
            )

    if lattice.num_states:
        yield from walk(0, Path((), (), 0.0, 0.0))


def without_finals(arcs: Arcs) -> Arcs:
    return replace(arcs, finals=(inf,) * len(arcs.finals))
