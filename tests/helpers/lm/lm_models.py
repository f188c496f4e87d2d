"""Small models and slow, plain computations for the tests of lm/."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter, defaultdict

import numpy as np

from places import FIXTURES as _F
from recognizer.lm.estimation.estimate import EstimateOptions, estimate_ngrams
from recognizer.lm.ngram.model import BEGIN, END, UNKNOWN, NgramModel

FIXTURES = _F / "lm"
FALLBACK = (0.5, 1.0, 1.5)


def text() -> list[str]:
    return (FIXTURES / "text.txt").read_text().splitlines()


def random_lines(seed: int, words: str = "abcde", lines: int = 60) -> list[str]:
    rng = random.Random(seed)
    weights = [1 / (rank + 1) for rank in range(len(words))]
    return [" ".join(rng.choices(list(words), weights, k=rng.randint(1, 8))) for _ in range(lines)]


def random_model(seed: int, order: int = 3, words: str = "abcde", lines: int = 60) -> NgramModel:
    options = EstimateOptions(order=order, discount_fallback=FALLBACK)
    return estimate_ngrams(random_lines(seed, words, lines), options=options).model


def as_dict(model: NgramModel) -> dict[tuple[str, ...], tuple[float, float]]:
    """(log10 probability, log10 back-off) by n-gram."""
    result = {}
    for order, level in enumerate(model.levels, start=1):
        for row, ids in enumerate(model.ngrams(order)):
            ngram = tuple(model.vocabulary[i] for i in ids)
            result[ngram] = (float(level.log10_probs[row]), float(level.log10_backoffs[row]))
    return result


def log10_prob(ngrams: dict, history: tuple[str, ...], word: str) -> float:
    """The definition of a back-off model, word for word."""
    if (*history, word) in ngrams:
        return ngrams[(*history, word)][0]
    backoff = ngrams[history][1] if history in ngrams else 0.0
    return backoff + log10_prob(ngrams, history[1:], word)


def distribution(model: NgramModel, history: tuple[str, ...]) -> dict[str, float]:
    ngrams = as_dict(model)
    return {w: 10 ** log10_prob(ngrams, history, w) for w in model.vocabulary if w != BEGIN}


def histories(model: NgramModel) -> list[tuple[str, ...]]:
    """Every history of the model that can be continued, and the empty one."""
    ngrams = [ngram for ngram in as_dict(model) if len(ngram) < model.order]
    return [(), *(ngram for ngram in ngrams if not {END, UNKNOWN} & set(ngram))]


def kneser_ney(
    lines: list[str], order: int, *, continuation_counts: bool = True
) -> dict[tuple[str, ...], float]:
    """Probabilities of interpolated modified Kneser-Ney from its equations, with dictionaries.

    As in lmplz, of the n-grams that are last in suffix order (words by first occurrence), those
    below the highest order add their occurrences to the counts of counts.
    """
    ids = {word: i for i, word in enumerate(dict.fromkeys([BEGIN, END, *" ".join(lines).split()]))}
    raw: list[Counter[tuple[str, ...]]] = [Counter() for _ in range(order + 1)]
    for line in lines:
        words = [BEGIN, *line.split(), END]
        for end in range(1, len(words)):
            for n in range(1, min(order, end + 1) + 1):
                raw[n][tuple(words[end + 1 - n : end + 1])] += 1
    counts: list[dict[tuple[str, ...], int]] = [{} for _ in range(order + 1)]
    counts[order] = dict(raw[order])
    for n in range(order - 1, 0, -1):
        before = Counter(ngram[1:] for ngram in raw[n + 1])
        use_raw = not continuation_counts
        counts[n] = {g: c if use_raw or g[0] == BEGIN else before[g] for g, c in raw[n].items()}
    padded = [[BEGIN] * (order - 1) + [*line.split(), END] for line in lines]
    windows = [words[end - order : end] for words in padded for end in range(order, len(words) + 1)]
    last = max(windows, key=lambda ngram: [ids[word] for word in reversed(ngram)])
    types = {ngram[0] for ngram in raw[1]} | {UNKNOWN}
    probs: dict[tuple[str, ...], float] = {}
    for n in range(1, order + 1):
        suffix = tuple(last[-n:])
        discounts = _discounts({**counts[n], suffix: raw[n].get(suffix, 0)})
        total: dict[tuple[str, ...], int] = defaultdict(int)
        freed: dict[tuple[str, ...], float] = defaultdict(float)
        for ngram, count in counts[n].items():
            total[ngram[:-1]] += count
            freed[ngram[:-1]] += discounts[min(count, 3)]
        events = counts[n] if n > 1 else {**counts[1], (UNKNOWN,): 0}
        for ngram, count in events.items():
            history = ngram[:-1]
            lower = probs[ngram[1:]] if n > 1 else 1 / len(types)
            own = (count - discounts[min(count, 3)]) / total[history]
            probs[ngram] = own + freed[history] / total[history] * lower
    return probs


def _discounts(counts: dict[tuple[str, ...], int]) -> list[float]:
    n = Counter(counts.values())
    if not (n[1] and n[2] and n[3]):
        return [0.0, *FALLBACK]
    y = n[1] / (n[1] + 2 * n[2])
    result = [0.0] + [j - (j + 1) * y * n[j + 1] / n[j] for j in (1, 2, 3)]
    return result if all(0 <= result[j] <= j for j in (1, 2, 3)) else [0.0, *FALLBACK]


def best_epsilon_path(model: NgramModel, words: list[str]) -> float:
    """Natural log probability of the best path through the grammar, all paths enumerated."""
    ngrams = as_dict(model)
    vocabulary = set(model.vocabulary)
    events = [w if w in vocabulary else UNKNOWN for w in words] + [END]

    def longest(history: tuple[str, ...]) -> tuple[str, ...]:
        while history and (len(history) >= model.order or history not in ngrams):
            history = history[1:]
        return history

    def best(history: tuple[str, ...], position: int) -> float:
        if position == len(events):
            return 0.0
        options = []
        for cut in itertools.count():
            shortened = history[cut:]
            cost = 0.0
            for k in range(cut):
                cost += ngrams[history[k:]][1] if history[k:] in ngrams else 0.0
            ngram = (*shortened, events[position])
            if ngram in ngrams:
                gain = cost + ngrams[ngram][0]
                options.append(gain + best(longest(ngram), position + 1))
            if not shortened:
                break
        return max(options)

    return best((BEGIN,), 0) * math.log(10)


def compare(expected: NgramModel, found: NgramModel) -> float:
    """The greatest difference of log10 values; the n-grams must be the same."""
    one, other = as_dict(expected), as_dict(found)
    assert one.keys() == other.keys()
    return float(max(np.abs(np.subtract(one[ngram], other[ngram])).max() for ngram in one))
