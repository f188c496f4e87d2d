"""What the paper says about each task, and whether it is so here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from recognizer.experiments.ntm.run import SequenceResult
from recognizer.experiments.ntm.settings import Model

_NTMS: tuple[Model, ...] = ("ntm-lstm", "ntm-feed-forward")

SOLVED = 0.1
"""Bits per sequence at which a task counts as solved."""

Found = Mapping[Model, SequenceResult]


@dataclass(frozen=True)
class Statement:
    """One sentence of the paper and its test.

    Attributes:
        task: name of the task.
        text: what the paper says.
        held: whether it is so here.
        reason: the numbers that say so.
        final: whether all trainings that it is about have ended.
    """

    task: str
    text: str
    held: bool
    reason: str
    final: bool


def statements(results: list[SequenceResult]) -> Iterator[Statement]:
    """Those about networks that are all trained or being trained, task by task."""
    for task, checks in _CHECKS.items():
        by_model: Found = {r.run.model: r for r in results if r.run.task == task}
        for text, needed, check in checks:
            if all(model in by_model for model in needed):
                held, reason = check(by_model)
                final = all(by_model[model].done for model in needed)
                yield Statement(task, text, held, reason, final)


def mean(result: SequenceResult, test: str) -> float:
    """Mean bits per sequence of a test."""
    return float(np.mean(result.tests[test]))


def standard_error(costs: list[float]) -> float:
    """Of the mean of some sequences' bits."""
    return float(np.std(costs, ddof=1) / math.sqrt(len(costs))) if len(costs) > 1 else math.inf


def _learns_faster(found: Found) -> tuple[bool, str]:
    """Both machines reach the lowest window cost of the LSTM with fewer sequences."""
    lstm = found["lstm"]
    lowest = min(lstm.costs)
    after = lstm.sequences_until(lowest)
    assert after is not None
    parts, held = [], True
    for model in _NTMS:
        reached = found[model].sequences_until(lowest)
        held &= reached is not None and reached < after
        parts.append(f"{model} {_thousands(reached)}")
    return held, f"{lowest:.3g} bits after: lstm {_thousands(after)}, {', '.join(parts)}"


def _converges_lower(found: Found) -> tuple[bool, str]:
    lowest = {model: min(result.costs) for model, result in found.items()}
    return all(lowest[model] < lowest["lstm"] for model in _NTMS), _bits(lowest)


def _solve(*models: Model) -> Callable[[Found], tuple[bool, str]]:
    def check(found: Found) -> tuple[bool, str]:
        lowest = {model: min(found[model].costs) for model in models}
        return all(cost <= SOLVED for cost in lowest.values()), _bits(lowest)

    return check


def _unsolved_by_lstm(found: Found) -> tuple[bool, str]:
    lowest = min(found["lstm"].costs)
    return lowest > SOLVED, f"lstm {lowest:.3g} bits after {_thousands(found['lstm'].sequences)}"


def _below(test: str, limit: float, *models: Model) -> Callable[[Found], tuple[bool, str]]:
    def check(found: Found) -> tuple[bool, str]:
        costs = {model: mean(found[model], test) for model in models}
        return all(cost <= limit for cost in costs.values()), f"{test}: {_bits(costs)}"

    return check


def _better_at(*tests: str) -> Callable[[Found], tuple[bool, str]]:
    """Both machines are better than the LSTM in the tests."""

    def check(found: Found) -> tuple[bool, str]:
        held, parts = True, []
        for test in tests:
            costs = {model: mean(found[model], test) for model in (*_NTMS, "lstm")}
            held &= all(costs[model] < costs["lstm"] for model in _NTMS)
            parts.append(f"{test}: {_bits(costs)}")
        return held, "; ".join(parts)

    return check


def _significant(found: Found) -> tuple[bool, str]:
    """Both machines are better than the LSTM by two standard errors of the paired difference."""
    test = next(iter(found["lstm"].tests))
    held, parts = True, []
    for model in _NTMS:
        gains = np.subtract(found["lstm"].tests[test], found[model].tests[test]).tolist()
        error = standard_error(gains)
        held &= float(np.mean(gains)) > 2 * error
        parts.append(f"{model} {np.mean(gains):.2f} ± {error:.2f} bits better")
    return held, ", ".join(parts)


def _above_optimum(found: Found) -> tuple[bool, str]:
    test = next(iter(found["lstm"].tests))
    optimum = float(np.mean(found["lstm"].optimum))
    costs = {model: mean(found[model], test) for model in _NTMS}
    return all(cost > optimum for cost in costs.values()), f"optimum {optimum:.2f}; {_bits(costs)}"


def _feed_forward_faster(found: Found) -> tuple[bool, str]:
    after = {model: found[model].sequences_until(SOLVED) for model in _NTMS}
    fast, slow = after["ntm-feed-forward"], after["ntm-lstm"]
    held = fast is not None and (slow is None or fast < slow)
    return held, f"{SOLVED} bits after: feed-forward {_thousands(fast)}, LSTM {_thousands(slow)}"


def _bits(costs: Mapping[Model, float]) -> str:
    return ", ".join(f"{model} {cost:.3g} bits" for model, cost in costs.items())


def _thousands(sequences: int | None) -> str:
    return "never" if sequences is None else f"{sequences / 1000:,.0f} thousand"


_ALL: tuple[Model, ...] = (*_NTMS, "lstm")

_CHECKS: dict[
    str, list[tuple[str, tuple[Model, ...], Callable[[Found], tuple[bool, str]]]]
] = {
    "copy": [
        ("NTM with either controller learns much faster than LSTM", _ALL, _learns_faster),
        ("and converges to a lower cost", _ALL, _converges_lower),
        ("NTM copies well beyond the longest training sequence: at most 5 bits at 50 vectors",
         _NTMS, _below("50 vectors", 5.0, *_NTMS)),
        ("LSTM degrades beyond 20 vectors, NTM far less", _ALL,
         _better_at("30 vectors", "50 vectors")),
    ],
    "repeat-copy": [
        ("NTM learns much faster than LSTM", _ALL, _learns_faster),
        ("both solve the task", _ALL, _solve(*_ALL)),
        ("NTM generalises to longer sequences and more copies, LSTM fails", _ALL,
         _better_at("20 vectors, 10 copies", "10 vectors, 20 copies")),
    ],
    "associative-recall": [
        ("NTM learns much faster than LSTM", _ALL, _learns_faster),
        ("NTM reaches a cost near zero", _NTMS, _solve(*_NTMS)),
        ("LSTM does not reach it", ("lstm",), _unsolved_by_lstm),
        ("the feed-forward controller learns faster than the LSTM controller", _NTMS,
         _feed_forward_faster),
        ("NTM generalises better than LSTM to more items", _ALL,
         _better_at("8 items", "10 items", "12 items")),
        ("with the feed-forward controller nearly perfect up to 12 items", ("ntm-feed-forward",),
         _below("12 items", 0.5, "ntm-feed-forward")),
        ("and below 1 bit at 15 items", ("ntm-feed-forward",),
         _below("15 items", 1.0, "ntm-feed-forward")),
    ],
    "dynamic-ngrams": [
        ("NTM has a small but significant advantage over LSTM", _ALL, _significant),
        ("but never quite reaches the optimum", _ALL, _above_optimum),
    ],
    "priority-sort": [
        ("NTM with either controller outperforms LSTM substantially", _ALL, _converges_lower),
    ],
}  # fmt: skip
