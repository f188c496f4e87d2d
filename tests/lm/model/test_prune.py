from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from backoff_models import BackoffModel
from lm_models import FALLBACK, as_dict, distribution, histories, log10_prob, random_model, text
from recognizer.data.errors import UsageError
from recognizer.lm.estimation.estimate import EstimateOptions, estimate_ngrams
from recognizer.lm.model.perplexity import perplexity
from recognizer.lm.model.prune import history_probs, prune_ngrams, pruning_losses
from recognizer.lm.ngram.model import BEGIN, END, NgramModel


def losses_without(model: NgramModel, order: int, row: int) -> list[np.ndarray]:
    """Losses that make prune_ngrams(threshold=1) take out this n-gram alone."""
    losses = [np.full(count, np.inf, dtype=np.float32) for count in model.counts]
    losses[order - 1][row] = 0
    return losses


def brute_force_loss(model: NgramModel, order: int, row: int, history_prob: float) -> float:
    """exp(KL divergence) - 1 over the whole vocabulary."""
    history = tuple(model.vocabulary[i] for i in model.ngrams(order, row, row + 1)[0][:-1])
    pruned = prune_ngrams(model, threshold=1, losses=losses_without(model, order, row))
    before, after = distribution(model, history), distribution(pruned, history)
    divergence = sum(p * np.log(p / after[word]) for word, p in before.items())
    return float(np.expm1(history_prob * divergence))


@pytest.mark.parametrize("seed", [1, 2])
def test_losses_of_the_highest_order_equal_brute_force(seed: int) -> None:
    model = random_model(seed)
    losses = pruning_losses(model)[2]
    probs = history_probs(model)[1]
    for row in range(len(losses)):
        expected = brute_force_loss(model, 3, row, probs[model.levels[2].parents[row]])
        assert losses[row] == pytest.approx(expected, rel=1e-3, abs=1e-8)


def test_losses_equal_brute_force_where_suffixes_are_missing() -> None:
    # Pruning by random losses leaves n-grams whose suffixes are gone.
    model = random_model(3, order=4)
    rng = np.random.default_rng(3)
    scores = [rng.random(count).astype(np.float32) for count in model.counts]
    scores[0][:] = 2
    for order in (4, 3, 2):  # prefixes must stay
        parents = model.levels[order - 1].parents
        np.maximum.at(scores[order - 2], parents, scores[order - 1])
    model = prune_ngrams(model, threshold=0.7, losses=scores)
    assert model.order == 4
    levels = np.searchsorted(model.offsets, model.suffixes[3], side="right")
    assert set(levels.tolist()) >= {2, 3}
    losses, probs = pruning_losses(model), history_probs(model)
    for row in range(model.counts[3]):
        expected = brute_force_loss(model, 4, row, probs[2][model.levels[3].parents[row]])
        assert losses[3][row] == pytest.approx(expected, rel=1e-3, abs=1e-8)


def test_a_history_loses_as_much_as_its_extensions() -> None:
    model = random_model(4, order=4)
    losses = pruning_losses(model)
    for order in (2, 3, 4):
        parents = model.levels[order - 1].parents
        assert (losses[order - 2][parents] >= losses[order - 1]).all()


@pytest.mark.parametrize("ngrams", [0, 1, 17, 60])
def test_pruned_to_a_number_of_ngrams(ngrams: int) -> None:
    model = random_model(5)
    pruned = prune_ngrams(model, ngrams=ngrams)
    kept, before = as_dict(pruned), as_dict(model)
    assert sum(pruned.counts[1:]) == min(ngrams, sum(model.counts[1:]))
    assert kept.keys() <= before.keys()
    assert all(kept[ngram][0] == before[ngram][0] for ngram in kept)
    assert all(ngram[:-1] in kept for ngram in kept if len(ngram) > 1)
    for history in histories(pruned):
        assert sum(distribution(pruned, history).values()) == pytest.approx(1, abs=1e-6)


def test_threshold_and_number_agree() -> None:
    model = random_model(6)
    losses = pruning_losses(model)
    by_number = prune_ngrams(model, ngrams=25, losses=losses)
    least = min(
        float(losses[order - 1][row])
        for order in (2, 3)
        for row in range(model.counts[order - 1])
        if tuple(model.vocabulary[i] for i in model.ngrams(order)[row]) in as_dict(by_number)
    )
    assert as_dict(prune_ngrams(model, threshold=least)).keys() == as_dict(by_number).keys()
    assert prune_ngrams(model, threshold=0).counts == model.counts
    assert prune_ngrams(model, threshold=1e9).counts == model.counts[:1]


def test_perplexity_grows_as_ngrams_go() -> None:
    lines = text()
    options = EstimateOptions(4, discount_fallback=FALLBACK)
    result = estimate_ngrams(lines, options=options)
    absolute = estimate_ngrams(lines, options=replace(options, continuation_counts=False)).model
    losses = pruning_losses(result.model, history_probs(result.model, absolute))
    sizes = (3000, 1000, 300, 100, 0)
    values = [
        perplexity(
            BackoffModel(prune_ngrams(result.model, ngrams=n, losses=losses)), lines
        ).perplexity
        for n in sizes
    ]
    assert all(before < after for before, after in pairwise(values))


def test_history_probs_follow_the_chain_rule() -> None:
    model = random_model(7)
    unigrams, bigrams = history_probs(model)
    ngrams = as_dict(model)
    assert unigrams[model.word_ids["<s>"]] == pytest.approx(10 ** ngrams[("</s>",)][0])
    a, b = (np.array([model.word_ids[word]]) for word in ("a", "b"))
    (row,) = model.find(2, a, b)
    expected = 10 ** (ngrams[("a",)][0] + ngrams[("a", "b")][0])
    assert bigrams[row] == pytest.approx(expected)


def test_wrong_use() -> None:
    model = random_model(8)
    for arguments in ({}, {"threshold": 1.0, "ngrams": 3}, {"threshold": -1.0}, {"ngrams": -1}):
        with pytest.raises(UsageError, match="pruning: expected"):
            prune_ngrams(model, **arguments)
    with pytest.raises(UsageError, match="history probabilities: expected"):
        pruning_losses(model, history_probs(model)[:1])


def test_history_probabilities_by_another_model() -> None:
    lines = text()
    options = EstimateOptions(order=4, discount_fallback=FALLBACK)
    model = estimate_ngrams(lines, options=options).model
    absolute = EstimateOptions(order=3, discount_fallback=FALLBACK, continuation_counts=False)
    other = estimate_ngrams(lines, options=absolute).model
    ngrams = as_dict(other)
    found = history_probs(model, other)
    assert [len(probs) for probs in found] == list(model.counts[:-1])
    for order, probs in enumerate(found, start=1):
        for prob, ids in zip(probs, model.ngrams(order), strict=True):
            words = tuple(model.vocabulary[i] for i in ids)
            expected = 1.0
            for end, word in enumerate(words):
                predicted = END if word == BEGIN else word
                expected *= 10 ** log10_prob(ngrams, words[:end], predicted)
            assert prob == pytest.approx(expected, rel=1e-5)
    own = history_probs(model, model)
    for one, same in zip(history_probs(model), own, strict=True):
        assert one == pytest.approx(same, rel=1e-9)


def test_another_models_history_probabilities_prune_kneser_ney_better() -> None:
    lines = text()
    train, dev = lines[:180], lines[180:]
    options = EstimateOptions(order=4, discount_fallback=FALLBACK)
    model = estimate_ngrams(train, options=options).model
    absolute = EstimateOptions(order=4, discount_fallback=FALLBACK, continuation_counts=False)
    losses = {
        name: pruning_losses(model, history_probs(model, other))
        for name, other in (
            ("own", None),
            ("other", estimate_ngrams(train, options=absolute).model),
        )
    }
    found = {
        name: perplexity(BackoffModel(prune_ngrams(model, ngrams=300, losses=each)), dev).perplexity
        for name, each in losses.items()
    }
    assert found["other"] < found["own"]
