"""N-gram models without back-off arcs: every state knows its few successors, and no others.

Such a model is the phone language model of lattice-free MMI (Povey et al. 2016; Kaldi's
``chain/language-model.h``). It is neither smoothed nor backed off, so that its automaton has no
epsilons and few arcs: a sequence whose n-grams were not all seen in training has probability 0.
What is pruned are states: a long history that tells little is merged into the history that lacks
its oldest symbol, counts and all.
"""

from __future__ import annotations

import heapq
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isclose, log

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.mapped_arrays import open_arrays, write_arrays

IntArray = npt.NDArray[np.int32]
History = tuple[int, ...]

_KIND, _VERSION = "ngram-acceptor", 1

EDGE = 0
"""Symbol before and after every sequence."""


@dataclass(frozen=True)
class AcceptorOptions:
    """Size of the model; the defaults are those of Kaldi's chain recipes.

    Attributes:
        order: of the n-grams, at least 2.
        unpruned_order: histories of n-grams of this order keep a state of their own.
        extra_states: states of longer histories that are kept, beside those.
    """

    order: int = 4
    unpruned_order: int = 3
    extra_states: int = 2000

    def __post_init__(self) -> None:
        if not self.order >= self.unpruned_order >= 2:
            raise UsageError(
                f"phone language model: expected order >= unpruned_order >= 2, found {self.order} "
                f"and {self.unpruned_order}"
            )
        if self.extra_states < 0:
            raise UsageError(
                f"phone language model: extra_states: expected a number >= 0, "
                f"found {self.extra_states}"
            )


@dataclass(frozen=True, eq=False)
class NgramAcceptor:
    """A deterministic automaton; arcs are sorted by (source, symbol).

    Attributes:
        sources: state that each arc leaves, int32 ``[A]``.
        symbols: what it reads, from 1, int32 ``[A]``.
        destinations: state that it enters, int32 ``[A]``.
        log_probs: natural log, float64 ``[A]``.
        final_log_probs: of the end of the sequence in each state, float64 ``[V]``; -inf where no
            sequence ended.
        last_symbols: the symbol read last on the way to each state, `EDGE` in the start, ``[V]``.
        start: state in which sequences begin.
    """

    sources: IntArray
    symbols: IntArray
    destinations: IntArray
    log_probs: npt.NDArray[np.float64]
    final_log_probs: npt.NDArray[np.float64]
    last_symbols: IntArray
    start: int

    @property
    def num_states(self) -> int:
        """Number of states V."""
        return len(self.final_log_probs)

    @property
    def num_arcs(self) -> int:
        """Number of arcs A."""
        return len(self.sources)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write as mapped arrays."""
        rows = {name: getattr(self, name) for name in _ROWS}
        start = np.array([self.start], dtype=np.int64)
        write_arrays(path, {**rows, "start": start}, kind=_KIND, version=_VERSION)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> NgramAcceptor:
        """Read a file of `write`.

        Raises:
            SpeechError: naming the file, if it is missing, damaged or no such model.
        """
        arrays = open_arrays(path, kind=_KIND, version=_VERSION)
        try:
            (start,) = arrays["start"]
            return cls(**{name: np.array(arrays[name]) for name in _ROWS}, start=int(start))
        except (KeyError, ValueError) as error:
            raise SpeechError(
                f"{path}: expected arrays of an n-gram model, found {error}"
            ) from None

    def successors(self) -> dict[tuple[int, int], tuple[int, float]]:
        """By state and symbol, the next state and the log probability."""
        keys = zip(self.sources.tolist(), self.symbols.tolist(), strict=True)
        values = zip(self.destinations.tolist(), self.log_probs.tolist(), strict=True)
        return dict(zip(keys, values, strict=True))


_ROWS = (
    "sources", "symbols", "destinations", "log_probs", "final_log_probs", "last_symbols",
)  # fmt: skip


def estimate_acceptor(
    sequences: Iterable[Sequence[int]], options: AcceptorOptions | None = None
) -> NgramAcceptor:
    """Count, merge, and divide counts by their sums.

    Args:
        sequences: symbols from 1, each sequence whole.
        options: size.

    Raises:
        SpeechError: no sequence, or one with the symbol 0.
    """
    options = options or AcceptorOptions()
    histories = _count(sequences, options.order)
    if not histories:
        raise SpeechError("phone language model: expected at least one sequence, found none")
    _Merging(histories, options).run()
    return _automaton(histories)


def _count(sequences: Iterable[Sequence[int]], order: int) -> dict[History, Counter[int]]:
    histories: dict[History, Counter[int]] = {}
    for sequence in sequences:
        history: History = (EDGE,)
        for symbol in sequence:
            if symbol <= EDGE:
                raise SpeechError(f"phone language model: expected symbols from 1, found {symbol}")
            histories.setdefault(history, Counter())[symbol] += 1
            history = (*history, symbol)[-(order - 1) :]
        if len(sequence):
            histories.setdefault(history, Counter())[EDGE] += 1
    return histories


class _Merging:
    """Merges histories into shorter ones, each time the one that loses the least likelihood."""

    def __init__(self, histories: dict[History, Counter[int]], options: AcceptorOptions) -> None:
        self._counts = histories
        self._totals = {history: sum(counts.values()) for history, counts in histories.items()}
        self._shortest = options.unpruned_order - 1
        # Of how many histories each is an ending: those are merged before it.
        self._children: Counter[History] = Counter()
        # What would be counted after each shorter history if all were merged into it.
        self._lower: dict[History, Counter[int]] = {}
        basic = set()
        for history, counts in histories.items():
            basic.add(history[-self._shortest :])
            for shorter in self._shorter(history):
                self._children[shorter] += 1
                self._lower.setdefault(shorter, Counter()).update(counts)
        self._target = len(basic) + options.extra_states

    def _shorter(self, history: History) -> Iterable[History]:
        while len(history) > self._shortest:
            history = history[1:]
            yield history

    def run(self) -> None:
        """Merge until as few states are left as the options say."""
        queue = [(self._loss(h), h) for h in list(self._counts) if self._mergeable(h)]
        heapq.heapify(queue)
        while queue and len(self._counts) > self._target:
            loss, history = heapq.heappop(queue)
            if history not in self._counts or not self._mergeable(history):
                continue  # it will come back once what hinders it is merged
            now = self._loss(history)
            if not isclose(now, loss, rel_tol=1e-6, abs_tol=1e-9):
                heapq.heappush(queue, (now, history))  # what it is merged into has grown
                continue
            shorter = history[1:]
            counts = self._counts.pop(history)
            if shorter not in self._counts:
                for one in self._shorter(shorter):
                    self._children[one] += 1
            self._counts.setdefault(shorter, Counter()).update(counts)
            self._totals[shorter] = self._totals.get(shorter, 0) + self._totals.pop(history)
            for one in self._shorter(history):
                self._children[one] -= 1
            for one in (shorter, history[:-1]):
                if one in self._counts and self._mergeable(one):
                    heapq.heappush(queue, (self._loss(one), one))

    def _mergeable(self, history: History) -> bool:
        if len(history) <= self._shortest or self._children[history]:
            return False
        # A longer history that is reached from here needs all symbols of this one.
        return not any((*history, symbol) in self._counts for symbol in self._counts[history])

    def _loss(self, history: History) -> float:
        """Log likelihood of the training data that merging a history loses.

        Where it would be the first to be merged into the shorter one, which loses nothing yet, what
        counts is how much it would lose in the company of all that may follow.
        """
        counts, total = self._counts[history], self._totals[history]
        others = self._counts.get(history[1:])
        if others is None:
            lower = self._lower[history[1:]]
            lower_total = sum(lower.values())
            return sum(
                count * (log(count / total) - log(lower[symbol] / lower_total))
                for symbol, count in counts.items()
            )
        other_total = self._totals[history[1:]]
        loss = _log_power(total + other_total) - _log_power(total) - _log_power(other_total)
        for symbol, count in counts.items():
            other = others.get(symbol, 0)
            loss += _log_power(count) + _log_power(other) - _log_power(count + other)
        return loss


def _log_power(count: int) -> float:
    """Log of n to the power of n."""
    return count * log(count) if count else 0.0


def _automaton(histories: dict[History, Counter[int]]) -> NgramAcceptor:
    ordered = sorted(histories)
    number = {history: state for state, history in enumerate(ordered)}
    rows: list[tuple[int, int, int, float]] = []
    finals = np.full(len(ordered), -np.inf)
    for state, history in enumerate(ordered):
        counts = histories[history]
        total = sum(counts.values())
        for symbol, count in sorted(counts.items()):
            if symbol == EDGE:
                finals[state] = log(count / total)
                continue
            after = (*history, symbol)
            while after not in number:
                after = after[1:]
            rows.append((state, symbol, number[after], log(count / total)))
    sources, symbols, destinations, log_probs = zip(*rows, strict=True)
    return NgramAcceptor(
        np.array(sources, dtype=np.int32),
        np.array(symbols, dtype=np.int32),
        np.array(destinations, dtype=np.int32),
        np.array(log_probs),
        finals,
        np.array([history[-1] for history in ordered], dtype=np.int32),
        number[(EDGE,)],
    )
