"""The HMM states of a transcript's graph, phone by phone, and the arcs between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class HmmBlock:
    """The nodes of one phone in context, numbered from 0.

    Attributes:
        forward: transition-id of each node.
        successors: nodes of the same phone that each node leads to.
        entries: nodes of HMM state 0.
        exits: nodes from which the phone ends.
    """

    forward: tuple[int, ...]
    successors: tuple[tuple[int, ...], ...]
    entries: tuple[int, ...]
    exits: tuple[int, ...]

    @classmethod
    def of_phone(cls, states: Sequence[Sequence[tuple[int, int]]]) -> HmmBlock:
        """The block of a phone whose states have these (forward transition-id, destination)."""
        forward = [label for state in states for label, _ in state]
        destinations = [to for state in states for _, to in state]
        first = [0]
        for state in states:
            first.append(first[-1] + len(state))
        nodes = [tuple(range(begin, end)) for begin, end in pairwise(first)]
        final = len(states)
        return cls(
            forward=tuple(forward),
            successors=tuple(nodes[to] if to < final else () for to in destinations),
            entries=nodes[0],
            exits=tuple(node for node, to in enumerate(destinations) if to == final),
        )


class GraphStates:
    """The states of a graph and the arcs between them, self-loops apart.

    Attributes:
        labels: the label of every arc that enters a state from another one; 0 for junctions.
        sources, targets, scores, words: of the arcs; words as the graph's output labels.
    """

    def __init__(self, junctions: int) -> None:
        self.labels = [0] * junctions
        self.sources: list[int] = []
        self.targets: list[int] = []
        self.scores: list[float] = []
        self.words: list[int] = []

    def junction(self) -> int:
        """Adds a state that is entered without taking a frame."""
        self.labels.append(0)
        return len(self.labels) - 1

    def block(self, block: HmmBlock) -> int:
        """Adds a phone; returns the number of its first node."""
        base = len(self.labels)
        self.labels += block.forward
        for node, successors in enumerate(block.successors, start=base):
            for successor in successors:
                self.arc(node, base + successor)
        return base

    def arc(self, source: int, target: int, score: float = 0.0, word: int = 0) -> None:
        """Adds an arc."""
        self.sources.append(source)
        self.targets.append(target)
        self.scores.append(score)
        self.words.append(word)
