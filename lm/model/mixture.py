"""Linear interpolation of language models while they are asked: no n-gram is computed in advance.

The exact mixture, where `recognizer.lm.model.interpolate.interpolate_ngrams` makes a back-off model
that approximates it. It suits large models that are asked for the words of a lattice only.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

from recognizer.data.errors import UsageError
from recognizer.lm.model.language_model import LanguageModel

State = tuple[Hashable, ...]


class LinearMixture:
    """p(w | h) is the weighted sum of what several models say; satisfies `LanguageModel`.

    A model that does not have a word gives it probability 0, and reads it as `<unk>` in histories,
    as in `interpolate_ngrams`. A word that no model has is `<unk>` to all of them.

    Attributes:
        models: the models.
        weights: one for each, above 0, of sum 1.

    Raises:
        UsageError: no models, or impossible weights.
    """

    def __init__(self, models: Sequence[LanguageModel[Any]], weights: Sequence[float]) -> None:
        if not models or len(weights) != len(models):
            raise UsageError(
                f"mixture: expected a weight for each of {len(models)} models (at least one), "
                f"found {len(weights)}"
            )
        if not all(weight > 0.0 for weight in weights) or abs(math.fsum(weights) - 1.0) > 1e-6:
            raise UsageError(
                f"mixture: expected weights above 0 of sum 1, found {' '.join(map(str, weights))}"
            )
        self.models = tuple(models)
        self.weights = tuple(weights)

    def scoring(self, word: str) -> tuple[bool, ...]:
        """Which models give a word its probability: those that have it; all where none has."""
        has = tuple(word in model for model in self.models)
        return has if any(has) else (True,) * len(has)

    def start(self) -> State:
        """The state at the beginning of a sentence."""
        return tuple(model.start() for model in self.models)

    def score(self, state: State, word: str) -> tuple[float, State]:
        """Log p(word | state), and the state after the word."""
        answers = [model.score(one, word) for model, one in zip(self.models, state, strict=True)]
        log_probs = [
            log_prob if counts else -math.inf
            for (log_prob, _), counts in zip(answers, self.scoring(word), strict=True)
        ]
        return self._sum(log_probs), tuple(after for _, after in answers)

    def final(self, state: State) -> float:
        """Log p(end of sentence | state)."""
        return self._sum([model.final(one) for model, one in zip(self.models, state, strict=True)])

    def __contains__(self, word: object) -> bool:
        """Whether one of the models has the word."""
        return any(word in model for model in self.models)

    def _sum(self, log_probs: Sequence[float]) -> float:
        best = max(log_probs)
        if best == -math.inf:
            return best
        return best + math.log(
            math.fsum(
                weight * math.exp(log_prob - best)
                for weight, log_prob in zip(self.weights, log_probs, strict=True)
            )
        )
