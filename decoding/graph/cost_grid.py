"""The grid on which the costs of words live while a graph is built.

Determinization moves costs along paths by adding and subtracting them, and minimization merges
states whose costs are equal. On a grid of a power of two all these sums are exact in float32: equal
costs stay equal, and every path keeps precisely the sum of its costs. OpenFst's algorithms compare
with a tolerance and Kaldi's minimization rounds each arc to a grid of 1/1024; with a grid of our
own, put on the costs at the outset, neither changes anything.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

COST_STEP = 2.0**-14
"""Distance of the grid: rounding moves a cost by 3e-5 at most."""


def on_grid(costs: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Costs rounded to the grid, float32; exact below 1,024, and inf stays."""
    rounded = np.round(np.asarray(costs, dtype=np.float64) / COST_STEP) * COST_STEP
    return rounded.astype(np.float32)
