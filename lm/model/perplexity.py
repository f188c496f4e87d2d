"""Perplexity of text under a language model, with words outside its vocabulary counted."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.model.language_model import LanguageModel, State
from recognizer.lm.ngram.model import LOG_OF_10, UNKNOWN
from recognizer.lm.text.text_files import split_words

_LINES_PER_BATCH = 1 << 14


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
    def log10_prob(self) -> float:
        """Of all events, OOV words scored as `<unk>`; what KenLM's `score` sums to."""
        return (self.log_prob + self.oov_log_prob) / LOG_OF_10

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


def worth_loading(model: str | os.PathLike[str], texts: Iterable[str | os.PathLike[str]]) -> bool:
    """Whether an automaton is better read into memory (`NgramAutomaton.resident`) for some texts.

    Reading it takes about as long as asking the mapped file takes longer for a text of a twentieth
    of its size. Compressed text counts as it is, and standard input, whose size nobody knows, not
    at all. A file of more than half of the machine's memory stays mapped.
    """
    size = _size(model)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 2 * size <= memory and size <= 20 * sum(map(_size, texts))


def _size(path: str | os.PathLike[str]) -> int:
    """Bytes of a file, 0 of what is none."""
    return Path(path).stat().st_size if Path(path).is_file() else 0


def perplexity(model: LanguageModel[State], lines: Iterable[str]) -> Perplexity:
    """Score sentences (one a line, words separated by white space; an empty line is one without).

    The text is not held in memory. An `NgramAutomaton` scores it natively, many lines at a time.

    Args:
        model: the language model; its log probabilities have base 10.
        lines: sentences; each is scored with its end.

    Returns:
        Counts of sentences, words and unknown words, and sums of log10 probabilities.
    """
    if isinstance(model, NgramAutomaton):
        return total(_batches(model, lines))
    return total(_score(model, split_words(line)) for line in lines)


def total(parts: Iterable[Perplexity]) -> Perplexity:
    """What the model makes of several texts together."""
    sentences = words = oov = 0
    log_prob = oov_log_prob = 0.0
    for part in parts:
        sentences += part.sentences
        words += part.words
        oov += part.oov
        log_prob += part.log_prob
        oov_log_prob += part.oov_log_prob
    return Perplexity(sentences, words, oov, log_prob, oov_log_prob)


def _score(model: LanguageModel[State], words: list[str]) -> Perplexity:
    state = model.start()
    oov = 0
    log_prob = oov_log_prob = 0.0
    for word in words:
        gain, state = model.score(state, word)
        if word in model:
            log_prob += gain
        else:
            oov += 1
            oov_log_prob += gain
    return Perplexity(1, len(words), oov, log_prob + model.final(state), oov_log_prob)


def _batches(model: NgramAutomaton, lines: Iterable[str]) -> Iterator[Perplexity]:
    unknown = model.word_ids([UNKNOWN])[0]
    iterator = iter(lines)
    while chunk := list(islice(iterator, _LINES_PER_BATCH)):
        ids, offsets = model.sentence_ids(split_words(line) for line in chunk)
        words, ends = model.score_ids(ids, offsets)
        is_known = ids != unknown
        log_prob = words[is_known].sum(dtype=np.float64) + ends.sum(dtype=np.float64)
        oov_log_prob = words[~is_known].sum(dtype=np.float64)
        oov = len(ids) - int(is_known.sum())
        yield Perplexity(len(chunk), len(ids), oov, float(log_prob), float(oov_log_prob))
