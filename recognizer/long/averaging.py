"""Means over the neighbours of each frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

_NOTHING = np.zeros(0, np.float32)


class RunningMean:
    """The mean of each value, the `half` values before it and the `half` after it.

    Near the ends of the sequence there are fewer. What all calls give, joined, does not depend on
    how the values were cut into calls, to the last bit.

    Args:
        half: at least 0.
    """

    def __init__(self, half: int) -> None:
        self._half = half
        self._values = _NOTHING  # those that have no mean yet, and `_before` ones before them
        self._before = 0

    def accept(self, values: FloatArray) -> FloatArray:
        """Take the next values ``[n]``; the means that are complete now ``[m]``."""
        return self._means(values, self._half)

    def finish(self) -> FloatArray:
        """End the sequence: the means that are left."""
        return self._means(_NOTHING, 0)

    def _means(self, values: FloatArray, waiting: int) -> FloatArray:
        self._values = np.concatenate([self._values, values])
        before, half, total = self._before, self._half, len(self._values)
        ready = total - before - waiting
        if ready <= 0:
            return _NOTHING
        sums, counts = np.zeros(ready, np.float32), np.zeros(ready, np.float32)
        # Neighbour by neighbour, so that all sums have one order.
        for offset in range(before - half, before + half + 1):
            first, end = max(0, -offset), min(ready, total - offset)
            if first < end:
                sums[first:end] += self._values[first + offset : end + offset]
                counts[first:end] += 1
        self._before = min(half, before + ready)
        self._values = self._values[before + ready - self._before :].copy()
        return sums / counts
