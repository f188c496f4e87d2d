"""Perplexity of a neural language model, alone and mixed with an n-gram model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.model.interpolate import mixture_weights
from recognizer.lm.model.language_model import LanguageModel
from recognizer.lm.model.perplexity import Perplexity
from recognizer.lm.neural.word_model import NeuralLanguageModel
from recognizer.lm.text.text_files import split_words

DoubleArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MixedPerplexity:
    """A text under a neural model, an n-gram model, and their linear mixture.

    Words that either model lacks are out of the vocabulary of all three.

    Attributes:
        neural: of the neural model.
        ngram: of the n-gram model.
        mixed: of the mixture.
        weights: of the neural model in the mixture, for the sentences of odd and of even number.
    """

    neural: Perplexity
    ngram: Perplexity
    mixed: Perplexity
    weights: tuple[float, float]


def neural_perplexity(
    model: NeuralLanguageModel, lines: Iterable[str], *, carry: bool = False
) -> Perplexity:
    """Score sentences, one a line; an empty line is one without words.

    Args:
        model: scores them.
        lines: are held in memory.
        carry: whether a sentence continues the one before it.
    """
    sentences = [split_words(line) for line in lines]
    scores = model.score_sentences(sentences, carry=carry)
    known = [np.array([word in model for word in words], bool) for words in sentences]
    return _perplexity(sentences, scores, known)


def mixed_perplexity(
    model: NeuralLanguageModel,
    ngram: LanguageModel[Any],
    lines: Iterable[str],
    *,
    weight: float | None = None,
    carry: bool = False,
) -> MixedPerplexity:
    """Score sentences with both models and with their linear mixture.

    Args:
        model: the neural model.
        ngram: the other one.
        lines: sentences, one a line; are held in memory.
        weight: of the neural model. None: each half of the text, sentences of odd and of even
            number, is scored with the weight that suits the other half best (expectation
            maximisation), so that no sentence has chosen its own weight.
        carry: whether a sentence continues the one before it, for the neural model.

    Raises:
        SpeechError: there is no weight, and fewer than two sentences to find it on.
    """
    sentences = [split_words(line) for line in lines]
    if weight is None and len(sentences) < 2:
        raise SpeechError(
            f"text to find the weight on: expected two sentences, found {len(sentences)}"
        )
    neural = [scores.astype(np.float64) for scores in model.score_sentences(sentences, carry=carry)]
    other = ngram_log_probs(ngram, sentences)
    known = [
        np.array([word in model and word in ngram for word in words], bool) for words in sentences
    ]
    if weight is None:
        halves = [_best_weight(neural[half::2], other[half::2], known[half::2]) for half in (1, 0)]
    else:
        halves = [weight, weight]
    with np.errstate(divide="ignore"):
        logs = np.log(halves), np.log1p(-np.array(halves))
    mixed = [
        np.logaddexp(logs[0][number % 2] + one, logs[1][number % 2] + two)
        for number, (one, two) in enumerate(zip(neural, other, strict=True))
    ]
    return MixedPerplexity(
        _perplexity(sentences, neural, known),
        _perplexity(sentences, other, known),
        _perplexity(sentences, mixed, known),
        (halves[0], halves[1]),
    )


def ngram_log_probs(
    model: LanguageModel[Any], sentences: Sequence[Sequence[str]]
) -> list[DoubleArray]:
    """Log probabilities of the words of each sentence and of its end, natural logs."""
    if isinstance(model, NgramAutomaton):
        ids, offsets = model.sentence_ids(sentences)
        words, ends = model.score_ids(ids, offsets)
        return [
            np.append(words[first:end], last).astype(np.float64)
            for first, end, last in zip(offsets[:-1], offsets[1:], ends, strict=True)
        ]
    found = []
    for sentence in sentences:
        state, scores = model.start(), []
        for word in sentence:
            score, state = model.score(state, word)
            scores.append(score)
        found.append(np.array([*scores, model.final(state)]))
    return found


def _best_weight(
    neural: Sequence[DoubleArray], other: Sequence[DoubleArray], known: Sequence[npt.NDArray[Any]]
) -> float:
    events = np.concatenate([np.append(one, True) for one in known]).astype(bool)
    log_probs = np.stack([np.concatenate(neural), np.concatenate(other)], axis=1)[events]
    return float(mixture_weights(np.exp(log_probs - log_probs.max(axis=1, keepdims=True)))[0])


def _perplexity(
    sentences: Sequence[Sequence[str]],
    scores: Sequence[npt.NDArray[np.floating[Any]]],
    known: Sequence[npt.NDArray[Any]],
) -> Perplexity:
    log_prob = oov_log_prob = 0.0
    for one, is_known in zip(scores, known, strict=True):
        log_prob += float(one[:-1][is_known].sum(dtype=np.float64)) + float(one[-1])
        oov_log_prob += float(one[:-1][~is_known].sum(dtype=np.float64))
    words = sum(len(sentence) for sentence in sentences)
    oov = words - sum(int(one.sum()) for one in known)
    return Perplexity(len(sentences), words, oov, log_prob, oov_log_prob)
