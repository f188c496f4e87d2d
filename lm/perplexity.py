"""Perplexity of text under a language model, with words outside its vocabulary counted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from lm.language_model import LanguageModel, State


@dataclass(frozen=True)
class Perplexity:
    """What a model makes of a text.

    Attributes:
        sentences: number of sentences; each adds one `</s>` to the events.
        words: number of words.
        oov: number of words outside the vocabulary (among `words`).
        log_prob: natural log probability of all words and sentence ends but the OOV words.
        oov_log_prob: what the OOV words add to it, scored as `<unk>`.
    """

    sentences: int
    words: int
    oov: int
    log_prob: float
    oov_log_prob: float

    @property
    def perplexity(self) -> float:
        """Per word and sentence end, OOV words excluded (as KenLM's `query` and SRILM give it)."""
        events = self.words + self.sentences - self.oov
        return math.exp(-self.log_prob / events) if events else math.nan

    @property
    def perplexity_with_oov(self) -> float:
        """Per word and sentence end, OOV words scored as `<unk>`."""
        events = self.words + self.sentences
        return math.exp(-(self.log_prob + self.oov_log_prob) / events) if events else math.nan

    @property
    def oov_rate(self) -> float:
        """Share of the words that are outside the vocabulary."""
        return self.oov / self.words if self.words else 0.0


def perplexity(model: LanguageModel[State], lines: Iterable[str]) -> Perplexity:
    """Score sentences (one a line, words separated by white space)."""
    sentences = words = oov = 0
    log_prob = oov_log_prob = 0.0
    for line in lines:
        state = model.start()
        for word in line.split():
            gain, state = model.score(state, word)
            words += 1
            if word in model:
                log_prob += gain
            else:
                oov += 1
                oov_log_prob += gain
        log_prob += model.final(state)
        sentences += 1
    return Perplexity(sentences, words, oov, log_prob, oov_log_prob)
