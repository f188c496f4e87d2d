"""How a neural language model is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from recognizer.data.errors import UsageError

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class WordTrainingOptions:
    """Training by truncated back-propagation through time, with Adam.

    The learning rate falls linearly to 0 over the words that are planned.

    Attributes:
        words: how many words and sentence ends are read in all, in as many passes through the
            text as it takes.
        streams: sentences, or pieces of the text, that are read side by side.
        steps: words after which gradients are cut off, while the state goes on.
        learning_rate: at the beginning.
        clip: the greatest norm of all gradients together.
        dropout: probability of leaving out an element of the core's inputs and outputs.
        carry: read the text as one long recording: the state goes on from a sentence to the next.
        evaluate_every: words between tests on the held-out text.
        patience: training ends after so many tests in a row that were no better than the best.
        precision: of the matrix products, "float32" or "bfloat16". Weights, their updates, the
            cost and the core of a Turing Machine stay in float32.
        seed: of the weights and of the order of the sentences.
        threads: of torch; 0 leaves its own choice.
    """

    words: int = 20_000_000
    streams: int = 64
    steps: int = 35
    learning_rate: float = 2e-3
    clip: float = 1.0
    dropout: float = 0.0
    carry: bool = False
    evaluate_every: int = 1_000_000
    patience: int = 5
    precision: Precision = "float32"
    seed: int = 1
    threads: int = 0

    def __post_init__(self) -> None:
        for name in ("words", "streams", "steps", "evaluate_every", "patience"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected a number above 0, found {getattr(self, name)}")
        for name in ("learning_rate", "clip"):
            if not 0 < getattr(self, name) < float("inf"):
                raise UsageError(
                    f"{name}: expected a finite number above 0, found {getattr(self, name)}"
                )
        if not 0 <= self.dropout < 1:
            raise UsageError(f"dropout: expected 0 to below 1, found {self.dropout}")
        if self.precision not in get_args(Precision):
            raise UsageError(f"precision: expected float32 or bfloat16, found {self.precision!r}")
        for name in ("seed", "threads"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name}: expected at least 0, found {getattr(self, name)}")
