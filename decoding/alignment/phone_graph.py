"""The phones of a transcript without context, and how each of them can be reached."""

from __future__ import annotations

from dataclasses import dataclass, field

Predecessor = tuple[int, float]
"""A phone, a junction or `EDGE`, and the score of going on from it."""

EDGE = -1
"""The edge of the utterance: before its first and after its last phone. Junctions are below it."""


@dataclass(frozen=True)
class PhoneGraph:
    """The phones of a transcript without context, in topological order.

    Junctions are points between words that departures from the transcript go through. They break
    the context: phones before and after them take silence for their neighbour.

    Attributes:
        phones: phone ids.
        words: per phone, the number (from 1) of the word that begins with it, or 0.
        predecessors: per phone, how it can be reached.
        junctions: per junction, how it can be reached.
        loops: per stretch of garbage, the junctions before and after it.
        ends: how the utterance can end.
    """

    phones: list[int] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    predecessors: list[list[Predecessor]] = field(default_factory=list)
    junctions: list[list[Predecessor]] = field(default_factory=list)
    loops: list[tuple[int, int]] = field(default_factory=list)
    ends: list[Predecessor] = field(default_factory=list)

    def phone(self, phone: int, predecessors: list[Predecessor], word: int = 0) -> int:
        """Adds a phone; returns its number."""
        self.phones.append(phone)
        self.predecessors.append(predecessors)
        self.words.append(word)
        return len(self.phones) - 1

    def junction(self, predecessors: list[Predecessor]) -> int:
        """Adds a junction; returns its number, which is below `EDGE`."""
        self.junctions.append(predecessors)
        return EDGE - len(self.junctions)
