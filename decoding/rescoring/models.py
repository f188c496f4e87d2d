"""Language models as native rescoring takes them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recognizer.decoding import _rescore
from recognizer.lm.automaton.automaton import COMPACT, NgramAutomaton
from recognizer.lm.model.language_model import LanguageModel
from recognizer.lm.model.mixture import LinearMixture
from recognizer.lm.ngram.model import UNKNOWN


@dataclass(frozen=True, eq=False)
class EpsilonBackoff:
    """An n-gram automaton as a search scores it that takes its back-off arcs for epsilons.

    Such a search, as that of a static graph, may back off where the longer n-gram is explicit, if
    that is better. The automaton itself stands for exact back-off.

    Attributes:
        automaton: the model of the first pass.
    """

    automaton: NgramAutomaton


def native_model(
    model: LanguageModel[Any] | EpsilonBackoff, symbols: Sequence[str]
) -> _rescore.Model:
    """A model as the native module takes it.

    Automata of both layouts, and linear mixtures of them, are queried natively, without the
    interpreter lock. Other engines are asked once for every (history, word) of a lattice, which
    takes the lock.

    Args:
        model: what scores words.
        symbols: word of each id of the lattices; what the model does not know is its `<unk>`.
    """
    if isinstance(model, LinearMixture):
        mixture = _rescore.MixtureModel()
        scoring = np.array([model.scoring(symbol) for symbol in symbols], dtype=np.bool_)
        for number, (part, weight) in enumerate(zip(model.models, model.weights, strict=True)):
            scores = np.ascontiguousarray(scoring[:, number])
            mixture.add(native_model(part, symbols), weight, scores)
        return mixture
    epsilon = isinstance(model, EpsilonBackoff)
    automaton = model.automaton if isinstance(model, EpsilonBackoff) else model
    if not isinstance(automaton, NgramAutomaton):
        engine: LanguageModel[Any] = automaton
        return _rescore.PythonModel(lambda: _NumberedHistories(engine, symbols), len(symbols))
    word_ids = automaton.word_ids([*symbols, UNKNOWN])
    unknown = word_ids[-1]
    word_ids = np.where(word_ids < 0, unknown, word_ids)[:-1].astype(np.int32)
    compact = automaton.layout == COMPACT
    kind = _rescore.CompactAutomatonModel if compact else _rescore.AutomatonModel
    return kind(automaton.arrays, word_ids, epsilon)


class _NumberedHistories:
    """A model's states as numbers, for one lattice."""

    def __init__(self, model: LanguageModel[Any], symbols: Sequence[str]) -> None:
        self._model = model
        self._symbols = symbols
        self._states: list[Hashable] = []
        self._numbers: dict[Hashable, int] = {}

    def start(self) -> int:
        """The history at the beginning of a sentence."""
        return self._number(self._model.start())

    def score(self, history: int, word: int) -> tuple[float, int]:
        """Log p(word | history), and the history after the word."""
        log_prob, state = self._model.score(self._states[history], self._symbols[word])
        return log_prob, self._number(state)

    def final(self, history: int) -> float:
        """Log p(end of sentence | history)."""
        return self._model.final(self._states[history])

    def _number(self, state: Hashable) -> int:
        number = self._numbers.setdefault(state, len(self._states))
        if number == len(self._states):
            self._states.append(state)
        return number
