"""Small random lattices whose states have times, trees of words, and their paths as arcs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import exp, inf, log

import numpy as np

from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.lattice import CompactLattice, Lattice, scaled_costs
from search_toys import SYMBOLS


def timed_lattice(seed: int, *, frames: int = 4, exact: bool = False) -> Lattice:
    """A lattice as the search makes it: every state at one frame, arcs to the next one or none.

    Every second arc has a word. Exact costs are likely to tie.
    """
    rng = np.random.default_rng(seed)
    widths = [1, *rng.integers(1, 4, frames).tolist()]
    first = np.concatenate([[0], np.cumsum(widths)]).tolist()
    state_frames = np.repeat(np.arange(frames + 1), widths)
    rows = []

    def add(source: int, target: int, tid: int) -> None:
        word = int(rng.integers(1, len(SYMBOLS))) if rng.random() < 0.5 else 0
        costs = rng.integers(0, 9, 2) / 4 if exact else rng.normal(0.0, 1.0, 2)
        rows.append((source, target, tid, word, *costs.tolist()))

    for frame in range(frames + 1):
        here = range(first[frame], first[frame + 1])
        if frame < frames:
            after = range(first[frame + 1], first[frame + 2])
            for target in after:  # so that every state is reached, and none is an end
                add(int(rng.choice(here)), target, int(rng.integers(1, 5)))
            for source in here:
                add(source, int(rng.choice(after)), int(rng.integers(1, 5)))
        for source in here:
            for target in range(source + 1, here.stop):
                if rng.random() < 0.3:
                    add(source, target, 0)
    rows.sort(key=lambda row: row[:2])
    columns = list(zip(*rows, strict=True))
    finals = np.where(state_frames == frames, rng.integers(0, 8, len(state_frames)) / 4, inf)
    return Lattice(
        state_frames=state_frames.astype(np.int32),
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


def word_tree(weights: Mapping[tuple[int, ...], float]) -> CompactLattice:
    """Word sequences with their probabilities as a tree: no two of them share a state's past."""
    prefixes = sorted({words[:n] for words in weights for n in range(len(words) + 1)})
    number = {prefix: state for state, prefix in enumerate(prefixes)}
    arcs = sorted((number[prefix[:-1]], number[prefix], prefix[-1]) for prefix in prefixes[1:])
    states = len(prefixes)
    return CompactLattice(
        state_frames=np.array([len(prefix) for prefix in prefixes], dtype=np.int32),
        sources=np.array([source for source, _, _ in arcs], dtype=np.int32),
        targets=np.array([target for _, target, _ in arcs], dtype=np.int32),
        words=np.array([word for _, _, word in arcs], dtype=np.int32),
        graph_costs=np.zeros(len(arcs)),
        acoustic_costs=np.zeros(len(arcs)),
        tid_offsets=np.arange(len(arcs) + 1, dtype=np.int64),
        tids=np.ones(len(arcs), dtype=np.int32),
        final_graph_costs=np.array(
            [-log(weights[prefix]) if prefix in weights else inf for prefix in prefixes]
        ),
        final_acoustic_costs=np.zeros(states),
        final_tid_offsets=np.zeros(states + 1, dtype=np.int64),
        final_tids=np.zeros(0, dtype=np.int32),
        beam=inf,
        reached_final=True,
        symbols=SYMBOLS,
    )


def compact(seed: int, *, scale: float = 1.0, frames: int = 4) -> CompactLattice:
    """A random lattice, determinised, with all its word sequences."""
    return determinize(timed_lattice(seed, frames=frames), scale, inf)


def arc_paths(lattice: Lattice | CompactLattice) -> Iterator[tuple[int, ...]]:
    """All complete paths as arcs."""
    _, finals = scaled_costs(lattice, 1.0)
    sources, targets = lattice.sources.tolist(), lattice.targets.tolist()

    def walk(state: int, path: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if finals[state] < inf:
            yield path
        for arc, source in enumerate(sources):
            if source == state:
                yield from walk(targets[arc], (*path, arc))

    yield from walk(0, ())


def path_probabilities(
    lattice: Lattice | CompactLattice, acoustic_scale: float, graph_scale: float = 1.0
) -> dict[tuple[int, ...], float]:
    """Probability of each path, by enumeration."""
    arcs, finals = scaled_costs(lattice, acoustic_scale, graph_scale)
    weights = {
        path: exp(-sum(arcs[list(path)]) - finals[lattice.targets[path[-1]] if path else 0])
        for path in arc_paths(lattice)
    }
    total = sum(weights.values())
    return {path: weight / total for path, weight in weights.items()}


def path_words(lattice: Lattice | CompactLattice, path: tuple[int, ...]) -> tuple[str, ...]:
    """The words along a path."""
    return tuple(SYMBOLS[word] for word in lattice.words[list(path)].tolist() if word)
