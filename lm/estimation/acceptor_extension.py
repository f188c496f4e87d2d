"""N-gram models without back-off, with the counts of further sequences added."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from recognizer.lm.estimation.acceptor import EDGE, AcceptorOptions, History, NgramAcceptor

_Successors = dict[tuple[int, int], int]


def extended_acceptor(
    model: NgramAcceptor, sequences: Iterable[Sequence[int]], options: AcceptorOptions
) -> NgramAcceptor:
    """The model as if it had been estimated on its own data and on further sequences together.

    The states of the model stay. Its counts come back from its probabilities, which are quotients
    of counts: the rarest symbol of a state is taken to have been seen once. The sequences are
    counted on their paths through the model. Where a state lacks a symbol, it gets an arc to the
    state whose history shares most of its last symbols with those read, as many as an unpruned
    history has at least; where there is none, to a new state with such a history. So every sequence
    has a path, whose arcs have the relative frequencies of both counts together. Kaldi's recipes
    for transfer learning count old and new phones together too
    (``steps/nnet3/chain/make_weighted_den_fst.sh``).

    Args:
        model: what is extended.
        sequences: symbols from 1, each sequence whole.
        options: which the model was estimated with.
    """
    counts = _counts(model)
    last = model.last_symbols.tolist()
    successors: _Successors = {key: state for key, (state, _) in model.successors().items()}
    longest, shortest = options.order - 1, options.unpruned_order - 1
    state_of = _states_by_ending(_histories(model, longest), counts, shortest)
    for sequence in sequences:
        if not len(sequence):
            continue
        state = model.start
        history: History = (EDGE,)
        for symbol in sequence:
            counts[state][symbol] += 1
            history = (*history, symbol)[-longest:]
            following = successors.get((state, symbol))
            if following is None:
                endings = _endings(history, shortest)
                following = next((state_of[one] for one in endings if one in state_of), None)
                if following is None:
                    following = state_of[history[-shortest:]] = len(counts)
                    counts.append(Counter())
                    last.append(symbol)
                successors[state, symbol] = following
            state = following
        counts[state][EDGE] += 1
    return _automaton(counts, successors, last, model.start)


def _counts(model: NgramAcceptor) -> list[Counter[int]]:
    """By state, how often each symbol followed, and the end of the sequence as `EDGE`."""
    rarest = np.where(np.isfinite(model.final_log_probs), model.final_log_probs, 0.0)
    np.minimum.at(rarest, model.sources, model.log_probs)
    numbers = np.rint(np.exp(model.log_probs - rarest[model.sources])).astype(int)
    counts: list[Counter[int]] = [Counter() for _ in range(model.num_states)]
    for source, symbol, number in zip(
        model.sources.tolist(), model.symbols.tolist(), numbers.tolist(), strict=True
    ):
        counts[source][symbol] = number
    finals = np.rint(np.exp(model.final_log_probs - rarest)).astype(int)
    for state in np.flatnonzero(finals).tolist():
        counts[state][EDGE] = int(finals[state])
    return counts


def _histories(model: NgramAcceptor, length: int) -> list[History]:
    """What was read last, as far as it is the same on all paths to a state, oldest first."""
    histories: list[History] = [(symbol,) for symbol in model.last_symbols.tolist()]
    for _ in range(length - 1):
        before: list[History | None] = [None] * model.num_states
        for source, destination in zip(
            model.sources.tolist(), model.destinations.tolist(), strict=True
        ):
            known, history = before[destination], histories[source]
            before[destination] = history if known is None else _common_ending(known, history)
        histories = [
            (*(known or ()), symbol)[-length:]
            for known, symbol in zip(before, model.last_symbols.tolist(), strict=True)
        ]
    return histories


def _common_ending(first: History, second: History) -> History:
    length = 0
    while length < min(len(first), len(second)) and first[-length - 1] == second[-length - 1]:
        length += 1
    return first[len(first) - length :]


def _endings(history: History, shortest: int) -> Iterator[History]:
    """Its endings of so many symbols at least, itself first, and itself if it has fewer."""
    for first in range(max(1, len(history) - shortest + 1)):
        yield history[first:]


def _states_by_ending(
    histories: Sequence[History], counts: Sequence[Counter[int]], shortest: int
) -> dict[History, int]:
    """The state of each ending of the histories: of the shortest of them, then the most seen."""
    states: dict[History, int] = {}
    for state in sorted(
        range(len(histories)), key=lambda one: (len(histories[one]), -counts[one].total())
    ):
        for ending in _endings(histories[state], shortest):
            states.setdefault(ending, state)
    return states


def _automaton(
    counts: Sequence[Counter[int]], successors: _Successors, last: Sequence[int], start: int
) -> NgramAcceptor:
    totals = np.array([max(one.total(), 1) for one in counts], dtype=np.float64)
    finals = np.array([one[EDGE] for one in counts], dtype=np.float64)
    arcs = sorted(successors)
    seen = np.array([counts[source][symbol] for source, symbol in arcs], dtype=np.float64)
    sources = np.array([source for source, _ in arcs], dtype=np.int32)
    with np.errstate(divide="ignore"):
        final_log_probs = np.log(finals / totals)
    return NgramAcceptor(
        sources,
        np.array([symbol for _, symbol in arcs], dtype=np.int32),
        np.array([successors[arc] for arc in arcs], dtype=np.int32),
        np.log(seen / totals[sources]),
        final_log_probs,
        np.array(last, dtype=np.int32),
        start,
    )
