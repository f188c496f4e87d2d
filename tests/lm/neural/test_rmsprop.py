"""RMSProp against the equations of Graves 2013 as a loop over numbers."""

from __future__ import annotations

import math

import pytest
import torch

from recognizer.data.errors import UsageError
from recognizer.lm.neural.options import RmsPropOptions
from recognizer.lm.neural.rmsprop import RmsProp


def test_updates_are_those_of_the_equations() -> None:
    torch.manual_seed(0)
    options = RmsPropOptions(learning_rate=0.01, clip=1.0)
    weights = {"a": torch.randn(3, dtype=torch.float64), "b": torch.randn(2, dtype=torch.float64)}
    expected = {name: value.tolist() for name, value in weights.items()}
    state = {(name, i): (0.0, 0.0, 0.0) for name in weights for i in range(len(weights[name]))}
    for value in weights.values():
        value.requires_grad_()
    optimizer = RmsProp(weights.items(), options)
    for _ in range(5):
        for name, value in weights.items():
            value.grad = 2 * torch.randn_like(value)
            for i, raw in enumerate(value.grad.tolist()):
                gradient = max(-1.0, min(1.0, raw))
                n, g, delta = state[name, i]
                n = 0.95 * n + 0.05 * gradient**2
                g = 0.95 * g + 0.05 * gradient
                delta = 0.9 * delta - 0.01 * gradient / math.sqrt(n - g**2 + 1e-4)
                state[name, i] = n, g, delta
                expected[name][i] += delta
        optimizer.step()
    for name, value in weights.items():
        torch.testing.assert_close(value.tolist(), expected[name])
        assert value.grad is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate: expected a number above 0, found 0.0"),
        ({"momentum": 1.0}, "momentum: expected a number from 0 to below 1, found 1.0"),
    ],
)
def test_impossible_constants_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        RmsPropOptions(**change)
