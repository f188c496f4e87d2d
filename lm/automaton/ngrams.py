"""The n-grams of an automaton: back from states and arcs to what an ARPA file lists."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError, UsageError
from recognizer.lm import _builder
from recognizer.lm.arpa.files import create_arpa
from recognizer.lm.automaton.automaton import COMPACT, NgramAutomaton
from recognizer.lm.ngram.model import (
    BEGIN,
    END,
    LOG_OF_10,
    NO_NODE,
    NgramLevel,
    NgramModel,
    trie_keys,
)

LongArray = npt.NDArray[np.int64]

_BEGIN_LOG10_PROB = -99.0  # of `<s>`, which is never predicted; what everybody writes
_START = 1  # the state of `<s>`


def save_arpa(
    automaton: NgramAutomaton,
    path: str | os.PathLike[str],
    *,
    decimals: int | None = None,
    on_write: Callable[[int], None] | None = None,
) -> None:
    """Write the ARPA file of an automaton, gzipped if the name ends in `.gz`, whole or not at all.

    N-grams stand in the order of the words of the vocabulary, from the first word on. Of the model
    that the automaton was built of, all comes back but n-grams that say nothing of any sentence
    and back-off weights of n-grams that are no history. The automaton is read from front to back;
    little memory is taken.

    Args:
        automaton: of either layout.
        path: where to; an existing file is replaced when the new one is complete.
        decimals: digits after the point of log10 values, 0 to 9; None: as few as it takes for the
            same automaton to be built of the file again.
        on_write: called with the number of bytes written (before they are compressed) each time.

    Raises:
        SpeechError: the file cannot be written, or the automaton is damaged.
    """
    if decimals is not None and not 0 <= decimals <= 9:
        raise UsageError(f"decimals of an ARPA file: expected 0 to 9, found {decimals}")
    metadata = automaton.metadata
    words = automaton.num_words
    with create_arpa(path) as stream:

        def write(text: bytes) -> None:
            stream.write(text)
            if on_write is not None:
                on_write(len(text))

        try:
            _builder.write_arpa(
                automaton.arrays,
                automaton.layout == COMPACT,
                automaton.vocabulary,
                automaton.order,
                int(metadata.get("begin", words)),
                int(metadata.get("end", words + 1)),
                float(metadata.get("begin_log10_prob", _BEGIN_LOG10_PROB)),
                -1 if decimals is None else decimals,
                write,
            )
        except ValueError as error:
            raise SpeechError(f"{path}: cannot be written: {error}") from None


def ngram_model(automaton: NgramAutomaton) -> NgramModel:
    """The model whose automaton this is.

    `NgramAutomaton.from_model` makes the same automaton of it again. The vocabulary is the
    automaton's words, then `<s>` and `</s>`.
    """
    fast = automaton.fast()
    states, arcs, finals = (fast.arrays[name] for name in ("states", "arcs", "finals"))
    bounds = states[:, 0].astype(np.int64)
    sources = np.repeat(np.arange(fast.num_states, dtype=np.int64), np.diff(bounds))
    words, targets = arcs[:, 0].astype(np.int64), arcs[:, 2].astype(np.int64)
    log_probs = np.ascontiguousarray(arcs[:, 1]).view(np.float32).astype(np.float64)
    halves = np.ascontiguousarray(states[:-1, 1]) & np.uint64(0xFFFFFFFF)
    backoffs = halves.astype(np.uint32).view(np.float32).astype(np.float64)

    entries = _entries(targets, fast.num_states)
    lengths = _lengths(sources, entries)
    # What an arc's n-gram weighs as a history: nothing, if the arc leads to a shorter history.
    is_entry = np.zeros(len(arcs), dtype=np.bool_)
    is_entry[entries[entries != NO_NODE]] = True
    arc_backoffs = np.where(is_entry, backoffs[targets], 0.0)

    begin, end = len(automaton.words), len(automaton.words) + 1
    levels: list[NgramLevel] = []
    rows = np.full(fast.num_states, NO_NODE, dtype=np.int64)  # of the states' own n-grams
    for length in range(int(lengths.max()) + 1):
        chosen = np.flatnonzero(lengths[sources] == length)
        ends = np.flatnonzero((lengths == length) & ~np.isnan(finals))
        parents = np.concatenate((rows[sources[chosen]], rows[ends]))
        labels = np.concatenate((words[chosen], np.full(len(ends), end)))
        probs = np.concatenate((log_probs[chosen], finals[ends].astype(np.float64)))
        weights = np.concatenate((arc_backoffs[chosen], np.zeros(len(ends))))
        if length == 0:
            parents = np.append(parents, NO_NODE)
            labels = np.append(labels, begin)
            probs = np.append(probs, _BEGIN_LOG10_PROB * LOG_OF_10)
            weights = np.append(weights, backoffs[_START])
        by_key = np.argsort(trie_keys(parents + 1, labels))
        levels.append(
            NgramLevel(
                labels[by_key].astype(np.int32),
                parents[by_key],
                probs[by_key] / LOG_OF_10,
                weights[by_key] / LOG_OF_10,
            )
        )
        places = np.empty(len(by_key), dtype=np.int64)
        places[by_key] = np.arange(len(by_key))
        row_of_arc = np.full(len(arcs), NO_NODE, dtype=np.int64)
        row_of_arc[chosen] = places[: len(chosen)]
        below = np.flatnonzero((lengths == length + 1) & (entries != NO_NODE))
        rows[below] = row_of_arc[entries[below]]
        if length == 0:
            rows[_START] = begin
    return NgramModel((*automaton.words, BEGIN, END), tuple(levels))


def _entries(targets: LongArray, num_states: int) -> LongArray:
    """The arc to each state that its own n-gram makes; -1 for the empty history and `<s>`.

    States are numbered by length and arcs sorted by source; n-grams that lead to a state because
    their own has none are longer than it, so their arcs come later.
    """
    entries = np.full(num_states, NO_NODE, dtype=np.int64)
    found, first = np.unique(targets, return_index=True)
    entries[found] = first
    entries[: _START + 1] = NO_NODE
    return entries


def _lengths(sources: LongArray, entries: LongArray) -> LongArray:
    """Words in each state's history."""
    lengths = np.full(len(entries), -1, dtype=np.int64)
    lengths[0], lengths[_START] = 0, 1
    parents = np.where(entries == NO_NODE, 0, sources[entries])
    while (open_ := np.flatnonzero((lengths < 0) & (lengths[parents] >= 0))).size:
        lengths[open_] = lengths[parents[open_]] + 1
    return lengths
