"""Rare words and phrases with a bonus: how many more are found, and what that costs."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from benchmarks.common.report import Row
from benchmarks.vocabulary.spoken import Passes, Spoken, measure
from benchmarks.vocabulary.words import wide
from recognizer.decoding.vocabulary.phrases import WeightedPhrase
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.recognizer import Recognizer
from recognizer.vocabulary.phrases import BONUS_OF_A_WORD

_FREQUENT = 20_000  # words; the others are rare
_OTHERS = 2  # boosted words that nobody says, for each one that somebody says


def rare_words(lm: NgramAutomaton, words: Sequence[str]) -> list[str]:
    """The words of a graph that are not among the likeliest ones of the language model."""
    known = [word for word in words if word in lm]
    log_probs = np.array([lm.score(0, word)[0] for word in known])
    order = np.argsort(-log_probs, kind="stable")
    return [known[i] for i in order[_FREQUENT:].tolist()]


def boost(
    recognizer: Recognizer, spoken: Sequence[Spoken], bonuses: Sequence[float], seed: int
) -> list[Row]:
    """All rare words that are said, and twice as many others, by the bonus of a word."""
    bundle = recognizer.bundle
    rare = rare_words(bundle.first_pass_lm, bundle.graph.words[1:])
    uttered = {word for one in spoken for word in one.words}
    said = [word for word in rare if word in uttered]
    not_said = [word for word in rare if word not in uttered]
    others = random.Random(seed).sample(not_said, min(len(not_said), _OTHERS * len(said)))
    words = [*said, *others]
    rows: list[Row] = []
    for bonus in bonuses:
        phrases = [WeightedPhrase((word,), bonus) for word in words if bonus]
        passes = Passes(recognizer, phrases=phrases)
        rows.append({"bonus": bonus, **measure(f"{len(words)} rare", passes, spoken, set(words))})
    phrases = [WeightedPhrase((word,), BONUS_OF_A_WORD) for word in words]
    passes = Passes(recognizer, phrases=phrases, search=wide(recognizer.search))
    found = measure(f"{len(words)} rare, wide beams", passes, spoken, set(words))
    rows.append({"bonus": BONUS_OF_A_WORD, **found})
    return rows
