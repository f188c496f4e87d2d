"""Search for the learning rate that leads a network furthest in a short training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

FURTHER_RATES = 3
"""Learning rates beyond those given, where the best is the highest or the lowest."""


def search_rates(
    given: Sequence[float], attempt: Callable[[float], float | None]
) -> dict[float, float | None]:
    """Try learning rates, and further ones beyond them while the best is the highest or lowest.

    Args:
        given: the rates.
        attempt: gives the accuracy that a rate leads to, None for a training that diverges.

    Returns:
        What each led to, in the order of the attempts.
    """
    rates = sorted(given)
    step = rates[-1] / rates[-2] if len(rates) > 1 else 2.0
    found = {rate: attempt(rate) for rate in rates}
    for _ in range(FURTHER_RATES):
        # The best of them must have a worse one on either side.
        best = best_rate(found)
        if best == rates[0]:
            rates.insert(0, best / step)
            found[rates[0]] = attempt(rates[0])
        elif best == rates[-1]:
            rates.append(best * step)
            found[rates[-1]] = attempt(rates[-1])
        else:
            break
    return found


def best_rate(found: Mapping[float, float | None]) -> float:
    """The learning rate of the highest accuracy, the lowest of equals; None is below all."""

    def key(rate: float) -> tuple[float, float]:
        accuracy = found[rate]
        return -math.inf if accuracy is None else accuracy, -rate

    return max(found, key=key)
