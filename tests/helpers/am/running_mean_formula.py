"""The running mean of features, slowly."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]


def by_the_formula(x: FloatArray, mean: FloatArray, window: int, prior: int) -> FloatArray:
    """Frames ``[T, D]`` less their running means: the sums of `NetworkShape`, one by one."""
    decay = 1 - 1 / window
    rows = []
    for t in range(len(x)):
        weights = [prior * decay ** (t + 1), *(decay ** (t - k) for k in range(t + 1))]
        values = [mean, *x[: t + 1]]
        total = sum(weight * value for weight, value in zip(weights, values, strict=True))
        rows.append(x[t] - total / sum(weights))
    return np.array(rows)
