"""Linear mixtures: the sum of what the models say, word for word."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_models import random_model
from recognizer.data.errors import UsageError
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.model.mixture import LinearMixture
from recognizer.lm.ngram.model import UNKNOWN

# Each has words that the other lacks; nobody knows "z".
MODELS = [
    NgramAutomaton.from_model(random_model(1, 3, "abcd")),
    NgramAutomaton.from_model(random_model(2, 2, "cdef")),
]


@given(st.lists(st.sampled_from("abcdefz"), max_size=8), st.floats(0.01, 0.99))
def test_probabilities_are_weighted_sums(words: list[str], weight: float) -> None:
    mixture = LinearMixture(MODELS, (1.0 - weight, weight))
    state, states = mixture.start(), [model.start() for model in MODELS]
    for word in words:
        log_prob, state = mixture.score(state, word)
        expected = 0.0
        for number, model in enumerate(MODELS):
            own, states[number] = model.score(states[number], word)
            if word in model or word == "z":
                expected += mixture.weights[number] * math.exp(own)
        assert log_prob == pytest.approx(math.log(expected), abs=1e-6)
        assert word == "z" or word in mixture
    expected = sum(
        share * math.exp(model.final(one))
        for share, model, one in zip(mixture.weights, MODELS, states, strict=True)
    )
    assert mixture.final(state) == pytest.approx(math.log(expected), abs=1e-6)


@given(st.lists(st.sampled_from("abcdef"), max_size=4))
def test_all_words_and_the_end_sum_to_one(words: list[str]) -> None:
    mixture = LinearMixture(MODELS, (0.3, 0.7))
    state = mixture.start()
    for word in words:
        _, state = mixture.score(state, word)
    total = math.exp(mixture.final(state))
    for word in ("a", "b", "c", "d", "e", "f", UNKNOWN):
        total += math.exp(mixture.score(state, word)[0])
    assert total == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("weights", [(), (1.0,), (0.0, 1.0), (0.4, 0.4), (1.5, -0.5)])
def test_impossible_weights_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match=r"^mixture: expected "):
        LinearMixture(MODELS, weights)
