"""What a grammar says of an utterance."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GrammarMatch:
    """How what was said goes with the grammar of the recogniser.

    Attributes:
        rejected: something was said that is not in the grammar.
        tags: those of the sentence that was said, in order.
    """

    rejected: bool
    tags: tuple[str, ...] = ()
