"""A grammar as the search on the fly takes it: with the language model behind it.

The grammar's states stand beside the histories of the n-gram automaton, and back off to the empty
one, at a cost: what is not in the grammar is searched as anything else that is said. As backing off
is exact, a sentence of the grammar has the grammar's cost and no other, and every other sentence
left the grammar for good at the first word that it does not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError, UsageError
from recognizer.lm.automaton.automaton import FAST, NgramAutomaton
from recognizer.lm.automaton.layouts import FIRST_ARC_MASK
from recognizer.lm.grammar.acceptor import Acceptor
from recognizer.lm.ngram.model import UNKNOWN


def grammar_automaton(
    acceptor: Acceptor, lm: NgramAutomaton, symbols: Sequence[str], rejection_cost: float
) -> NgramAutomaton:
    """The automaton of a grammar, and of a language model for what lies outside.

    Args:
        acceptor: the grammar; its words are among the symbols.
        lm: the language model, in the fast layout. Of `<unk>`, it has the words that it lacks.
        symbols: word of each id of the graph, `<eps>` first.
        rejection_cost: of leaving the grammar, natural log; may be negative.

    Raises:
        UsageError: a cost that is not finite.
        SpeechError: the grammar has a word that is not among the symbols.
    """
    if not -inf < rejection_cost < inf:
        raise UsageError(f"rejection_cost: expected a finite number, found {rejection_cost}")
    if lm.layout != FAST:
        raise UsageError(f"language model: expected the layout {FAST!r}, found {lm.layout!r}")
    unigrams = lm.num_words
    lacking = 1 + np.flatnonzero(lm.word_ids(symbols)[1:] < 0)
    more = [symbols[index] for index in lacking.tolist()]
    ids_of_more = {word: unigrams + index for index, word in enumerate(more)}
    known = lm.word_ids(acceptor.words)
    label_ids = np.array(
        [
            index if index >= 0 else ids_of_more.get(word, -1)
            for word, index in zip(acceptor.words, known.tolist(), strict=True)
        ],
        np.int64,
    )
    for label in np.flatnonzero(label_ids < 0)[:1]:
        raise SpeechError(
            f"grammar: expected words that can be recognised, found {acceptor.words[label]!r}"
        )

    # Of the language model, state 0 stays; the start's number goes to the grammar's start.
    states, arcs, finals = lm.arrays["states"], lm.arrays["arcs"], lm.arrays["finals"]
    first_arcs = (states[:, 0] & np.uint64(FIRST_ARC_MASK)).astype(np.int64)
    backoffs = states[:-1, 1].astype(np.uint64)
    history = backoffs >> np.uint64(32)
    weights = (backoffs & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    histories = len(finals)
    lm_arcs = arcs.copy()
    lm_arcs[:, 2] += lm_arcs[:, 2] > 0
    unknown = lm.word_ids([UNKNOWN])[0]
    lowest = arcs[:unigrams, 1].view(np.float32).min()
    of_unknown = lowest if unknown < 0 else arcs[unknown, 1].view(np.float32)
    added = _arcs(
        unigrams + np.arange(len(more)), np.full(len(more), of_unknown), np.zeros(len(more))
    )

    # Of the grammar, the start is state 1 and the others follow the histories.
    number = np.arange(acceptor.num_states) + histories
    number[0] = 1
    sources = np.repeat(np.arange(acceptor.num_states), np.diff(acceptor.offsets))
    order = np.lexsort((label_ids[acceptor.labels], sources))
    own = _arcs(
        label_ids[acceptor.labels[order]],
        -acceptor.costs[order],
        number[acceptor.next_states[order]],
    )
    of_start = int(acceptor.offsets[1])
    ends = np.where(np.isinf(acceptor.final_costs), np.nan, -acceptor.final_costs)

    counts = np.diff(first_arcs)
    counts[0] += len(more)
    grammar_counts = np.diff(acceptor.offsets)
    all_counts = np.concatenate((counts[:1], grammar_counts[:1], counts[1:], grammar_counts[1:]))
    cost = np.array([-rejection_cost], np.float32).view(np.uint32)
    start, others = np.uint64(cost[0]), acceptor.num_states - 1
    history += (history > 0).astype(np.uint64)
    records = history << np.uint64(32) | weights.astype(np.uint64)
    arrays: dict[str, npt.NDArray[Any]] = {
        "states": np.stack(
            (
                np.concatenate(([0], np.cumsum(all_counts))).astype(np.uint64),
                np.concatenate(
                    (records[:1], [start], records[1:], np.full(others, start), [0])
                ).astype(np.uint64),
            ),
            axis=1,
        ),
        "arcs": np.concatenate(
            (lm_arcs[:unigrams], added, own[:of_start], lm_arcs[unigrams:], own[of_start:])
        ),
        "finals": np.concatenate((finals[:1], ends[:1], finals[1:], ends[1:])).astype(np.float32),
    }
    added_words = "".join(f"{word}\n" for word in more).encode()
    vocabulary = np.concatenate((lm.vocabulary, np.frombuffer(added_words, np.uint8)))
    try:
        return NgramAutomaton(arrays, vocabulary, lm.metadata)
    except ValueError as error:
        raise SpeechError(f"grammar: {error}") from error


def _arcs(
    words: npt.NDArray[Any], log_probs: npt.NDArray[Any], targets: npt.NDArray[Any]
) -> npt.NDArray[np.uint32]:
    """Arcs of an automaton, uint32 ``[A, 3]``."""
    bits = np.ascontiguousarray(log_probs, np.float32).view(np.uint32)
    return np.stack((words.astype(np.uint32), bits, targets.astype(np.uint32)), axis=1)
