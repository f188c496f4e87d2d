"""Static linear interpolation of back-off models, and the weights that suit a text best."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from recognizer.data.errors import SpeechError, UsageError
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.ngram.backoff_weights import with_backoff_weights
from recognizer.lm.ngram.model import LOG_OF_10, NO_NODE, UNKNOWN, NgramLevel, NgramModel, trie_keys
from recognizer.lm.ngram.scores import NgramScorer

_SUM_TOLERANCE = 1e-3
"""Weights are typed with few digits: 0.333 0.333 0.333 is meant to sum to 1."""

_MAX_ROUNDS = 10_000
_GAIN_LEFT = 1e-9
_SMALLEST_PROB = 1e-99


def tune_weights(
    models: Sequence[NgramAutomaton], sentences: Iterable[Sequence[str]]
) -> NDArray[np.float64]:
    """The weights of a linear mixture that give a text the highest probability.

    Expectation maximisation (Jelinek and Mercer, 1980) from equal weights. The log probability is
    concave in the weights, so there is one maximum; rounds end when less than 1e-9 (nats per
    event) can be left to gain.

    An event is a word or a sentence's end. Words that a model does not have get nothing from it,
    as in `interpolate_ngrams`; words that no model has are left out, as from perplexities.

    Args:
        models: at least one.
        sentences: words of each, without `<s>` and `</s>`; held in memory as `[events, models]`.

    Returns:
        float64 `[models]`, which sum to 1.

    Raises:
        UsageError: there are no models.
        SpeechError: there is no event.
    """
    if not models:
        raise UsageError("interpolation: expected models, found none")
    probs = _event_probs(models, sentences)
    if not len(probs):
        raise SpeechError("text to tune interpolation weights on: expected words, found none")
    return mixture_weights(probs)


def mixture_weights(probs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights of a linear mixture by expectation maximisation, as `tune_weights` finds them.

    Args:
        probs: what each model gives each event, `[events, models]`, at least one event; an
            event's may all be multiplied by the same number.

    Returns:
        float64 `[models]`, which sum to 1.
    """
    weights = np.full(probs.shape[1], 1 / probs.shape[1])
    for _ in range(_MAX_ROUNDS):
        # By what factor each weight grows: where all are at most 1, no other weights do better,
        # and the logarithm of the greatest bounds what is left to gain.
        growth = (probs / (probs @ weights)[:, None]).mean(axis=0)
        weights *= growth
        weights /= weights.sum()
        if growth.max() - 1 < _GAIN_LEFT:
            break
    return weights


def _event_probs(
    models: Sequence[NgramAutomaton], sentences: Iterable[Sequence[str]]
) -> NDArray[np.float64]:
    """Probability of each event by model: `[events, models]`, without those that none can give.

    Each is divided by the greatest of its event, which changes no weights and cannot underflow.
    """
    sentences = list(sentences)
    columns = []
    for model in models:
        ids, offsets = model.sentence_ids(sentences)
        words, ends = model.score_ids(ids, offsets)
        words[ids == model.word_ids([UNKNOWN])[0]] = -np.inf
        columns.append(np.concatenate([words, ends]))
    log_probs = np.stack(columns, axis=1).astype(np.float64)
    best = log_probs.max(axis=1)
    possible = np.isfinite(best)
    result: NDArray[np.float64] = np.exp(log_probs[possible] - best[possible, None])
    return result


def interpolate_ngrams(models: Sequence[NgramModel], weights: Sequence[float]) -> NgramModel:
    """One back-off model that mixes several, as SRILM's `ngram -mix-lm` makes it.

    It has every n-gram that one of the models has. Its probability is the weighted sum of what all
    models give it, each by exact back-off; back-off weights are then computed so that all words
    sum to 1 after every history. For n-grams that no model has, back-off in the mixture
    approximates the mixture of the models' own back-offs.

    Vocabularies may differ. A model gives probability 0 to a word that it does not have, so that
    the words of all models sum to 1, and it reads such a word in a history as `<unk>`. The
    mixture's `<unk>`, for words that no model has, is the weighted sum of theirs. Models of
    weight 0 leave no trace, neither n-grams nor words.

    Takes about 80 bytes per n-gram of the parts and of the mixture, theirs included.

    Args:
        models: of any orders; the mixture's is the highest.
        weights: one for each model, not negative, of sum 1 (within 0.001; then scaled to 1).

    Returns:
        The mixture, with float64 log10 values; words by id are the first model's, then those
        that each next one adds.

    Raises:
        UsageError: no models, or impossible weights.
    """
    shares = _checked(models, weights)
    models = [model for model, share in zip(models, shares, strict=True) if share > 0]
    shares = shares[shares > 0]
    ids: dict[str, int] = {}
    for model in models:
        for word in model.vocabulary:
            ids.setdefault(word, len(ids))
    vocabulary = tuple(ids)
    scorers = [NgramScorer(model, vocabulary) for model in models]
    own_words = [np.array([ids[w] for w in m.vocabulary], dtype=np.int32) for m in models]
    rows: list[NDArray[np.integer]] = list(own_words)
    words = np.arange(len(vocabulary), dtype=np.int32)
    parents = np.full(len(words), NO_NODE, dtype=np.int64)
    levels: list[NgramLevel] = []
    for order in range(1, max(model.order for model in models) + 1):
        if order > 1:
            keys, rows = _united(models, order, rows, own_words)
            parents, words = keys >> 32, (keys & 0xFFFFFFFF).astype(np.int32)
            del keys
        probs = np.zeros(len(words))
        for scorer, share in zip(scorers, shares, strict=True):
            scores = scorer.next_order(parents, words)
            np.exp(scores * LOG_OF_10, out=scores)
            probs += np.where(scorer.known[words], share * scores, 0.0)
        np.log10(np.clip(probs, _SMALLEST_PROB, 1.0), out=probs)
        levels.append(NgramLevel(words, parents, probs, np.zeros(len(words))))
    return with_backoff_weights(NgramModel(vocabulary, tuple(levels)))


def _checked(models: Sequence[NgramModel], weights: Sequence[float]) -> NDArray[np.float64]:
    """The weights, scaled to sum to 1."""
    shares = np.asarray(weights, dtype=np.float64)
    shown = " ".join(f"{share:g}" for share in shares.ravel()) or "none"
    if not models or shares.shape != (len(models),):
        expected = f"one for each of {len(models)} models (at least one)"
        raise UsageError(f"interpolation weights: expected {expected}, found {shown}")
    if not (shares >= 0).all() or abs(shares.sum() - 1) > _SUM_TOLERANCE:
        raise UsageError(f"interpolation weights: expected a sum of 1, none below 0, found {shown}")
    scaled: NDArray[np.float64] = shares / shares.sum()
    return scaled


def _united(
    models: Sequence[NgramModel],
    order: int,
    rows: Sequence[NDArray[np.integer]],
    own_words: Sequence[NDArray[np.int32]],
) -> tuple[NDArray[np.int64], list[NDArray[np.integer]]]:
    """Keys of the n-grams of an order that some model has; where those of each model stand.

    Args:
        models: the models.
        order: words in the n-grams.
        rows: by model, where its n-grams of the order below stand in the mixture.
        own_words: by model, the mixture's id of each of its words.
    """
    keys = []
    for model, below, own in zip(models, rows, own_words, strict=True):
        if order <= model.order:
            level = model.levels[order - 1]
            keys.append(trie_keys(below[level.parents], own[level.words]))
        else:
            keys.append(np.empty(0, dtype=np.int64))
    united = np.unique(np.concatenate(keys))
    return united, [np.searchsorted(united, own) for own in keys]
