from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_models import FALLBACK, as_dict, distribution, histories, log10_prob, random_model, text
from recognizer.data.errors import SpeechError, UsageError
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.estimation.estimate import EstimateOptions, estimate_ngrams
from recognizer.lm.model.interpolate import interpolate_ngrams, tune_weights
from recognizer.lm.model.perplexity import perplexity
from recognizer.lm.model.prune import prune_ngrams
from recognizer.lm.ngram.model import BEGIN, END, UNKNOWN, NgramLevel, NgramModel

KITCHEN = {
    "who": ["the cook", "my aunt", "the baker", "a guest"],
    "did": ["peeled", "roasted", "tasted", "burnt", "served"],
    "what": ["the onions", "a pie", "the soup", "two loaves", "the carrots"],
    "when": ["at noon", "before supper", "slowly", "with butter", "again"],
}
HARBOUR = {
    "who": ["the pilot", "the captain", "my aunt", "a guest", "the gull"],
    "did": ["watched", "moored", "followed", "left", "served"],
    "what": ["the ferry", "a barge", "the tide", "two boats", "the soup"],
    "when": ["at noon", "before the storm", "slowly", "in the fog", "again"],
}


def sentences(subject: dict[str, list[str]], seed: int, count: int) -> list[str]:
    """Made-up text about a subject."""
    rng = random.Random(seed)
    chosen = [[rng.choice(part) for part in subject.values()] for _ in range(count)]
    return [" ".join(parts[: rng.randint(3, 4)]) for parts in chosen]


def model_of(lines: Sequence[str], order: int = 3) -> NgramModel:
    return estimate_ngrams(lines, options=EstimateOptions(order, discount_fallback=FALLBACK)).model


def other_words(seed: int, order: int, words: str) -> NgramModel:
    return random_model(seed, order=order, words=words, lines=40)


def seen_by(model: NgramModel, words: Sequence[str]) -> tuple[str, ...]:
    return tuple(word if word in model.word_ids else UNKNOWN for word in words)


def weighted_sum(models: Sequence[NgramModel], weights: Sequence[float], *words: str) -> float:
    """The definition of the mixture: p(last word | the others)."""
    total = 0.0
    for model, weight in zip(models, weights, strict=True):
        if words[-1] in model.word_ids:
            *history, word = seen_by(model, words)
            total += weight * 10 ** log10_prob(as_dict(model), tuple(history), word)
    return total


@settings(max_examples=50)
@given(
    seeds=st.tuples(st.integers(0, 99), st.integers(0, 99)),
    orders=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    vocabularies=st.sampled_from([("abcd", "abcd"), ("abc", "cde"), ("ab", "xy"), ("ba", "abz")]),
    weight=st.floats(0.01, 0.99),
    keep=st.integers(0, 40),
)
def test_explicit_ngrams_have_the_weighted_sum_and_all_histories_sum_to_1(
    seeds, orders, vocabularies, weight, keep
) -> None:
    models = [other_words(*each) for each in zip(seeds, orders, vocabularies, strict=True)]
    models[1] = prune_ngrams(models[1], ngrams=keep)  # suffixes may be missing
    weights = (weight, 1 - weight)
    mixture = interpolate_ngrams(models, weights)
    ngrams = as_dict(mixture)
    assert ngrams.keys() == as_dict(models[0]).keys() | as_dict(models[1]).keys()
    for ngram, (log10, _) in ngrams.items():
        assert 10**log10 == pytest.approx(weighted_sum(models, weights, *ngram), rel=1e-9)
    for history in histories(mixture):
        assert sum(distribution(mixture, history).values()) == pytest.approx(1, abs=2e-6)


def test_three_models_of_different_orders() -> None:
    models = [other_words(1, 2, "abc"), other_words(2, 4, "bcd"), other_words(3, 1, "ae")]
    weights = (0.2, 0.3, 0.5)
    mixture = interpolate_ngrams(models, weights)
    assert mixture.order == 4
    assert mixture.vocabulary[: len(models[0].vocabulary)] == models[0].vocabulary
    for ngram, (log10, _) in as_dict(mixture).items():
        assert 10**log10 == pytest.approx(weighted_sum(models, weights, *ngram), rel=1e-9)


def test_a_word_that_a_model_lacks_gets_nothing_from_it_and_is_unknown_in_its_histories() -> None:
    with_unknown = model_with_unknown_history()
    other = model_of(["c d", "c a", "d a c"], order=2)
    mixture = as_dict(interpolate_ngrams([with_unknown, other], (0.5, 0.5)))
    lower = as_dict(other)
    assert 10 ** mixture["d",][0] == pytest.approx(0.5 * 10 ** lower["d",][0], rel=1e-6)
    # `c` is <unk> to the first model, which has a bigram `<unk> a`.
    expected = 0.5 * 10**-0.25 + 0.5 * 10 ** lower["c", "a"][0]
    assert 10 ** mixture["c", "a"][0] == pytest.approx(expected, rel=1e-6)
    assert 10 ** mixture[UNKNOWN,][0] == pytest.approx(
        0.5 * 10**-0.5 + 0.5 * 10 ** lower[UNKNOWN,][0], rel=1e-6
    )


def model_with_unknown_history() -> NgramModel:
    """P(a | <unk>) is explicit: 10 ** -0.25."""
    unigrams = NgramLevel(
        np.arange(4, dtype=np.int32),
        np.full(4, -1, dtype=np.int64),
        np.array([-0.5, -99.0, -0.6, -0.37]),
        np.array([-0.1, 0.0, 0.0, 0.0]),
    )
    bigrams = NgramLevel(
        np.array([3], dtype=np.int32),
        np.array([0], dtype=np.int64),
        np.array([-0.25]),
        np.array([0.0]),
    )
    return NgramModel((UNKNOWN, BEGIN, END, "a"), (unigrams, bigrams))


def test_weights_of_0_and_1() -> None:
    one, two = other_words(1, 3, "abc"), other_words(2, 3, "cde")
    mixture = as_dict(interpolate_ngrams([one, two], (1.0, 0.0)))
    expected = as_dict(one)
    assert mixture.keys() == expected.keys()
    for ngram, (log10, backoff) in expected.items():
        assert mixture[ngram] == pytest.approx((log10, backoff), abs=1e-4)


def test_mixing_a_model_with_itself_changes_nothing() -> None:
    model = model_of(text())
    mixture = as_dict(interpolate_ngrams([model, model], (0.3, 0.7)))
    for ngram, values in as_dict(model).items():
        assert mixture[ngram] == pytest.approx(values, abs=1e-5)


@pytest.mark.parametrize("weights", [(0.5, 0.6), (1.5, -0.5), (1.0,), (), (float("nan"), 0.5)])
def test_impossible_weights(weights) -> None:
    model = other_words(1, 2, "ab")
    with pytest.raises(UsageError, match="interpolation weights: expected"):
        interpolate_ngrams([model, model], weights)


def test_weights_of_few_digits_are_scaled() -> None:
    model = other_words(1, 2, "ab")
    mixture = interpolate_ngrams([model] * 3, (0.333, 0.333, 0.333))
    unigrams = 10 ** mixture.levels[0].log10_probs
    assert unigrams.sum() - unigrams[mixture.word_ids[BEGIN]] == pytest.approx(1, abs=1e-6)


def log_prob_of_mixture(
    models: Sequence[NgramModel], weights: Sequence[float], lines: Sequence[str]
) -> float:
    """Natural log probability of the words that some model has, from the definition."""
    orders = max(model.order for model in models)
    known = set().union(*(model.vocabulary for model in models))
    total = 0.0
    for line in lines:
        history = [BEGIN]
        for word in [*line.split(), END]:
            if word in known:
                total += np.log(weighted_sum(models, weights, *history[-orders + 1 :], word))
            history.append(word)
    return total


def test_tuned_weights_equal_a_grid_search() -> None:
    models = [model_of(sentences(KITCHEN, 1, 20), 2), model_of(sentences(HARBOUR, 2, 20), 2)]
    lines = sentences(KITCHEN, 3, 8) + sentences(HARBOUR, 4, 3) + ["a walrus served the soup"]
    found = tune_weights(
        [NgramAutomaton.from_model(model) for model in models], [line.split() for line in lines]
    )
    assert found.sum() == pytest.approx(1)
    # The mixture's event probabilities by model, once; then a fine grid over the weight.
    events = np.array(
        [[weighted_sum(models, one, *event) for one in ((1, 0), (0, 1))] for event in known(lines)]
    )
    events = events[events.any(axis=1)]
    grid = np.linspace(0, 1, 10_001)[1:-1]
    totals = np.log(events @ np.stack([grid, 1 - grid])).sum(axis=0)
    assert found[0] == pytest.approx(grid[totals.argmax()], abs=1e-3)
    assert 0.5 < found[0] < 0.95
    best = log_prob_of_mixture(models, found, lines)
    assert best == pytest.approx(totals.max(), abs=1e-3)


def known(lines: Sequence[str]) -> list[tuple[str, ...]]:
    """The bigrams of a text, ends of sentences among them."""
    pairs = []
    for line in lines:
        words = [BEGIN, *line.split(), END]
        pairs += pairwise(words)
    return pairs


def test_three_tuned_weights_equal_a_grid_search() -> None:
    parts = [sentences(KITCHEN, 1, 30), sentences(HARBOUR, 2, 30), text()[:60]]
    models = [model_of(lines, 2) for lines in parts]
    lines = sentences(KITCHEN, 5, 6) + sentences(HARBOUR, 6, 9) + text()[60:70]
    found = tune_weights(
        [NgramAutomaton.from_model(model) for model in models], [line.split() for line in lines]
    )
    corners = np.eye(3)
    events = np.array(
        [[weighted_sum(models, one, *event) for one in corners] for event in known(lines)]
    )
    events = events[events.any(axis=1)]

    def best(centre: np.ndarray, width: float) -> np.ndarray:
        steps = np.linspace(-width, width, 41)
        first, second = np.meshgrid(centre[0] + steps, centre[1] + steps)
        points = np.stack([first.ravel(), second.ravel(), 1 - (first + second).ravel()])
        points = points[:, (points > 0).all(axis=0)]
        return points[:, np.log(events @ points).sum(axis=0).argmax()]

    centre = np.full(3, 1 / 3)
    for width in (0.7, 0.1, 0.02, 0.004):
        centre = best(centre, width)
    assert found == pytest.approx(centre, abs=1e-3)


def test_the_mixture_is_better_than_both_parts() -> None:
    kitchen, harbour = model_of(sentences(KITCHEN, 1, 150)), model_of(sentences(HARBOUR, 2, 150))
    dev = sentences(KITCHEN, 3, 30) + sentences(HARBOUR, 4, 60)
    automata = [NgramAutomaton.from_model(model) for model in (kitchen, harbour)]
    weights = tune_weights(automata, [line.split() for line in dev])
    mixture = NgramAutomaton.from_model(interpolate_ngrams([kitchen, harbour], weights.tolist()))
    mixed = perplexity(mixture, dev)
    assert mixed.oov == 0
    for part in automata:
        alone = perplexity(part, dev)
        assert alone.oov > 0
        assert mixed.perplexity < 0.9 * alone.perplexity_with_oov
    # And with the vocabulary the same, so that the numbers count the same events.
    words = sorted({word for line in dev for word in line.split()})
    options = EstimateOptions(3, discount_fallback=FALLBACK)
    parts = [
        estimate_ngrams(sentences(subject, seed, 150), words, options).model
        for subject, seed in ((KITCHEN, 1), (HARBOUR, 2))
    ]
    mixture = NgramAutomaton.from_model(interpolate_ngrams(parts, weights.tolist()))
    for part in parts:
        alone = perplexity(NgramAutomaton.from_model(part), dev)
        assert perplexity(mixture, dev).perplexity < alone.perplexity


def test_nothing_to_tune_on() -> None:
    automaton = NgramAutomaton.from_model(other_words(1, 2, "ab"))
    with pytest.raises(SpeechError, match="expected words, found none"):
        tune_weights([automaton], [])
    with pytest.raises(UsageError, match="expected models, found none"):
        tune_weights([], [["a"]])
    assert tune_weights([automaton], [["a"]]).tolist() == [1.0]
