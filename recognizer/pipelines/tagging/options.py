"""How a tagger is trained."""

from __future__ import annotations

from dataclasses import dataclass

from recognizer.data.errors import UsageError


@dataclass(frozen=True)
class TaggerTrainingOptions:
    """Training on stretches of text, with Adam; the learning rate falls linearly to 0.

    The tagger has an exponential average of the weights (Polyak and Juditsky 1992), so that one of
    a training that was ended early is a good one, too.

    Attributes:
        words: how many words are read in all.
        vocabulary: most words that have vectors of their own.
        endings: most endings that have vectors.
        batch_words: words of a batch.
        min_length: words of the shortest stretches.
        max_length: words of the longest ones.
        learning_rate: at the beginning.
        clip: the greatest norm of all gradients together.
        averaging: share of the average that stays at each update; at the beginning it is less.
        dropout: probability of leaving out an element of what a layer reads.
        evaluate_every: words between tests on the held-out text.
        seed: of the weights and of the choice of stretches.
        threads: of torch; 0 leaves its own choice.

    Raises:
        UsageError: an impossible value.
    """

    words: int = 20_000_000
    vocabulary: int = 13_000
    endings: int = 3_000
    batch_words: int = 2048
    min_length: int = 3
    max_length: int = 128
    learning_rate: float = 4e-3
    clip: float = 1.0
    averaging: float = 0.998
    dropout: float = 0.1
    evaluate_every: int = 2_000_000
    seed: int = 1
    threads: int = 0

    def __post_init__(self) -> None:
        for name in (
            "words",
            "vocabulary",
            "endings",
            "batch_words",
            "min_length",
            "max_length",
            "evaluate_every",
        ):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected a number above 0, found {getattr(self, name)}")
        if self.min_length > self.max_length:
            raise UsageError(
                f"min_length: expected at most max_length {self.max_length}, "
                f"found {self.min_length}"
            )
        for name in ("learning_rate", "clip"):
            if not 0 < getattr(self, name) < float("inf"):
                raise UsageError(
                    f"{name}: expected a finite number above 0, found {getattr(self, name)}"
                )
        for name in ("averaging", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name}: expected 0 to below 1, found {getattr(self, name)}")
        for name in ("seed", "threads"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name}: expected at least 0, found {getattr(self, name)}")
