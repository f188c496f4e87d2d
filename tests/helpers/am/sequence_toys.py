"""Small denominator and numerator graphs, and what they must give, by sums over all paths."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

from recognizer.am.training.criteria.denominator_graph import DenominatorGraph
from recognizer.am.training.criteria.targets import StateLattice, SupervisionGraph

Array = npt.NDArray[np.float64]


def random_denominator(
    rng: np.random.Generator, states: int, arcs: int, outputs: int
) -> DenominatorGraph:
    """A ring through all states, so that each is reached and left, and random arcs."""
    ring = np.arange(states)
    sources = np.append(ring, rng.integers(0, states, arcs))
    destinations = np.append((ring + 1) % states, rng.integers(0, states, arcs))
    occupancy = rng.random(states) + 0.1
    return DenominatorGraph(
        sources.astype(np.int32),
        destinations.astype(np.int32),
        rng.integers(0, outputs, states + arcs).astype(np.int32),
        np.log(rng.random(states + arcs) + 0.05).astype(np.float32),
        (occupancy / occupancy.sum()).astype(np.float32),
        start=int(rng.integers(states)),
        outputs=outputs,
    )


def transition_matrix(graph: DenominatorGraph, logits: Array) -> Array:
    """Sums of the arcs' probabilities in a frame with logits ``[S]``: ``[V, V]``."""
    matrix = np.zeros((graph.num_states, graph.num_states))
    scores = np.exp(graph.log_probs.astype(np.float64) + logits[graph.pdfs])
    np.add.at(matrix, (graph.sources, graph.destinations), scores)
    return matrix


def denominator_log_prob(graph: DenominatorGraph, logits: Array, leak: float) -> float:
    """The leaky HMM of a whole utterance ``[T, S]``, by its formula in matrices."""
    alpha = np.eye(graph.num_states)[graph.start]
    jump = np.outer(np.ones(graph.num_states), np.float32(leak) * graph.occupancy)
    for row in logits:
        alpha = alpha @ (np.eye(graph.num_states) + jump) @ transition_matrix(graph, row)
    return float(np.log(alpha.sum()))


def denominator_paths(graph: DenominatorGraph, logits: Array) -> float:
    """The same without a leak, as the sum over every sequence of arcs."""
    total = -np.inf
    for arcs in product(range(graph.num_arcs), repeat=len(logits)):
        state, score = graph.start, 0.0
        for row, arc in zip(logits, arcs, strict=True):
            if graph.sources[arc] != state:
                break
            score += float(graph.log_probs[arc]) + row[graph.pdfs[arc]]
            state = int(graph.destinations[arc])
        else:
            total = np.logaddexp(total, score)
    return float(total)


def random_numerator(
    rng: np.random.Generator, denominator: DenominatorGraph, frames: int
) -> SupervisionGraph:
    """Some of the denominator's paths of so many frames, some arcs in windows of frames.

    Its state 0 is the denominator's start; the arcs of one random path are open in all frames.
    """
    order = np.roll(np.arange(denominator.num_states), -denominator.start)
    number = np.argsort(order)
    state, kept = denominator.start, set()
    for _ in range(frames):
        arc = int(rng.choice(np.flatnonzero(denominator.sources == state)))
        kept.add(arc)
        state = int(denominator.destinations[arc])
    others = [a for a in range(denominator.num_arcs) if a not in kept and rng.random() < 0.5]
    arcs = np.array([*sorted(kept), *others])
    first = np.zeros(len(arcs), dtype=np.int64)
    last = np.full(len(arcs), frames - 1)
    first[len(kept) :] = rng.integers(0, frames, len(others))
    last[len(kept) :] = rng.integers(first[len(kept) :], frames)
    finals = np.where(rng.random(denominator.num_states) < 0.5, 0.0, -np.inf)
    finals[number[state]] = 0.0
    return SupervisionGraph(
        number[denominator.sources[arcs]].astype(np.int32),
        number[denominator.destinations[arcs]].astype(np.int32),
        denominator.pdfs[arcs],
        denominator.log_probs[arcs],
        first.astype(np.int32),
        last.astype(np.int32),
        finals.astype(np.float32),
        frames,
    )


def numerator_paths(graph: SupervisionGraph, logits: Array) -> float:
    """Log of the sum over every sequence of arcs of its probability ``[T, S]``."""
    total = -np.inf
    for arcs in product(range(len(graph.sources)), repeat=len(logits)):
        state, score = 0, 0.0
        for t, arc in enumerate(arcs):
            inside = graph.first_frames[arc] <= t <= graph.last_frames[arc]
            if graph.sources[arc] != state or not inside:
                break
            score += float(graph.log_probs[arc]) + logits[t, graph.labels[arc]]
            state = int(graph.destinations[arc])
        else:
            total = np.logaddexp(total, score + float(graph.final_log_probs[state]))
    return float(total)


def numerator_log_prob(graph: SupervisionGraph, logits: Array) -> float:
    """The same by the forward algorithm."""
    alpha = np.full(len(graph.final_log_probs), -np.inf)
    alpha[0] = 0.0
    for t, row in enumerate(logits):
        after = np.full_like(alpha, -np.inf)
        for arc in np.flatnonzero((graph.first_frames <= t) & (t <= graph.last_frames)):
            to = graph.destinations[arc]
            score = alpha[graph.sources[arc]] + graph.log_probs[arc] + row[graph.labels[arc]]
            after[to] = np.logaddexp(after[to], score)
        alpha = after
    return float(np.logaddexp.reduce(alpha + graph.final_log_probs))


def random_state_lattice(
    rng: np.random.Generator, frames: int, outputs: int, width: int = 3
) -> StateLattice:
    """Up to ``width`` states after each frame, and arcs without frames among these."""
    sizes = [1, *rng.integers(1, width + 1, frames)]
    first = np.concatenate(([0], np.cumsum(sizes)))
    rows = []
    for t, size in enumerate(sizes):
        for state in range(first[t], first[t] + size):
            for other in range(state + 1, first[t] + size):
                if rng.random() < 0.4:
                    rows.append((state, other, -1))
            if t < frames:
                for other in range(first[t + 1], first[t + 2]):
                    if rng.random() < 0.7 or (state, other) == (first[t], first[t + 1]):
                        rows.append((state, other, int(rng.integers(outputs))))
    arcs = np.array(rows, dtype=np.int32).reshape(-1, 3)
    state_frames = np.repeat(np.arange(frames + 1), sizes)
    finals = np.full(len(state_frames), -np.inf)
    finals[first[frames] :] = np.where(
        rng.random(sizes[-1]) < 0.7, rng.normal(size=sizes[-1]), -np.inf
    )
    finals[first[frames]] = rng.normal()
    references = rng.integers(-1, outputs, frames).astype(np.int32)
    right = (arcs[:, 2] >= 0) & (arcs[:, 2] == np.append(references, -2)[state_frames[arcs[:, 0]]])
    return StateLattice(
        arcs[:, 0].copy(), arcs[:, 1].copy(), arcs[:, 2].copy(),
        rng.normal(size=len(arcs)).astype(np.float32), right.astype(np.float32),
        state_frames.astype(np.int32), finals.astype(np.float32), references,
    )  # fmt: skip


def expected_accuracy(lattice: StateLattice, scores: np.ndarray) -> float:
    """Over every path of the lattice, one by one."""
    weights: list[float] = []
    rights: list[float] = []

    def walk(state: int, weight: float, right: float) -> None:
        if lattice.final_log_probs[state] > -np.inf:
            weights.append(weight + float(lattice.final_log_probs[state]))
            rights.append(right)
        for arc in np.flatnonzero(lattice.sources == state):
            label = lattice.labels[arc]
            score = scores[lattice.state_frames[state], label] if label >= 0 else 0.0
            walk(
                int(lattice.destinations[arc]),
                weight + float(lattice.log_probs[arc]) + float(score),
                right + float(lattice.accuracies[arc]),
            )

    walk(0, 0.0, 0.0)
    shares = np.exp(np.array(weights) - np.logaddexp.reduce(weights))
    return float(shares @ np.array(rights))


def differences(function: object, x: Array, step: float = 1e-5) -> Array:
    """Central finite differences of a function of an array."""
    assert callable(function)
    slopes = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        high, low = x.copy(), x.copy()
        high[index] += step
        low[index] -= step
        slopes[index] = (function(high) - function(low)) / (2 * step)
    return slopes
