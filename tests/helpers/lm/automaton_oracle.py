"""The automaton's arrays from their definition, by dictionaries: what the builder must equal."""

from __future__ import annotations

import numpy as np

from recognizer.lm.ngram.model import BEGIN, END, LOG_OF_10, NgramModel

Ngram = tuple[int, ...]


def natural(log10: float) -> np.float32:
    return np.float32(np.float64(log10) * LOG_OF_10) + np.float32(0)  # no negative zero


def automaton_arrays(model: NgramModel) -> tuple[list[str], dict[str, np.ndarray]]:
    """The automaton's words, and the arrays of its fast layout."""
    begin, end = model.word_ids[BEGIN], model.word_ids[END]
    ngrams: dict[Ngram, tuple[float, float]] = {}
    for order, level in enumerate(model.levels, start=1):
        for row, ids in enumerate(model.ngrams(order).tolist()):
            values = (level.log10_probs[row], level.log10_backoffs[row])
            ngrams[tuple(ids)] = (float(values[0]), float(values[1]))

    def can_be_history(ngram: Ngram) -> bool:
        return end not in ngram and begin not in ngram[1:]

    used = {ngram[:-1] for ngram in ngrams if ngram[-1] != begin}
    states = [(), (begin,)]
    states += [
        ngram
        for ngram, (_, backoff) in ngrams.items()
        if ngram != (begin,)
        and can_be_history(ngram)
        and (ngram in used or (len(ngram) < model.order and backoff != 0))
    ]
    # Shortest first; of one length those after `<s>` first; then by the words' ids.
    states.sort(key=lambda history: (len(history), history[:1] != (begin,), history))
    number = {history: index for index, history in enumerate(states)}

    def longest(ngram: Ngram) -> int:
        while ngram not in number:
            ngram = ngram[1:]
        return number[ngram]

    words = [index for index in range(len(model.vocabulary)) if index not in (begin, end)]
    by_history: dict[Ngram, list[int]] = {}
    for ngram in ngrams:
        by_history.setdefault(ngram[:-1], []).append(ngram[-1])
    new_ids = {index: place for place, index in enumerate(words)}
    rows, arcs, finals = [], [], []
    for history in states:
        weight = natural(ngrams[history][1]) if history else np.float32(0)
        target = longest(history[1:]) if history else 0
        rows.append((len(arcs), int(weight.view(np.uint32)) | target << 32))
        for word in sorted(by_history.get(history, [])):
            if word in new_ids:
                ngram = (*history, word)
                log_prob = natural(ngrams[ngram][0])
                arcs.append((new_ids[word], int(log_prob.view(np.uint32)), longest(ngram)))
        finals.append(natural(ngrams[(*history, end)][0]) if (*history, end) in ngrams else np.nan)
    rows.append((len(arcs), 0))
    return [model.vocabulary[index] for index in words], {
        "states": np.array(rows, dtype=np.uint64),
        "arcs": np.array(arcs, dtype=np.uint32),
        "finals": np.array(finals, dtype=np.float32),
    }
