"""The scales and the silence that decoding graphs and alignment graphs are built with."""

from __future__ import annotations

from dataclasses import dataclass

from recognizer.data.errors import UsageError


@dataclass(frozen=True)
class GraphOptions:
    """What a graph is built with, whether it is for decoding, training or forced alignment.

    The defaults are those of Kaldi's recipes for hybrid models.

    Attributes:
        self_loop_scale: of the log probabilities of self-loops, and of leaving a state.
        transition_scale: of the log probabilities of other transitions, where a state has several.
        silence_probability: of silence after each word and at the start, in [0, 1).
    """

    self_loop_scale: float = 0.1
    transition_scale: float = 1.0
    silence_probability: float = 0.5

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name, holds, expected in (
            ("self_loop_scale", self.self_loop_scale >= 0, "at least 0"),
            ("transition_scale", self.transition_scale >= 0, "at least 0"),
            ("silence_probability", 0 <= self.silence_probability < 1, "in [0, 1)"),
        ):
            if not holds:
                raise UsageError(
                    f"GraphOptions: {name}: expected {expected}, found {getattr(self, name)!r}"
                )
