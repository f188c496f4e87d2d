"""Few values that stand for many: what quantised language models look their numbers up in."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

_GRID = 1e-4
"""Values are counted on this grid before the table is fitted: far finer than any table."""
_ROUNDS = 20


def exact_table(values: Iterable[FloatArray], *, max_bits: int = 16) -> FloatArray:
    """All distinct values in ascending order, the last repeated up to a power of two.

    Args:
        values: in parts, so that they need not be in memory at once.
        max_bits: where more than `2 ** max_bits` are distinct, the table is empty: there is
            little to gain from codes, and a large table is slow.
    """
    distinct = np.empty(0, dtype=np.float32)
    for part in values:
        distinct = np.union1d(distinct, part)
        if len(distinct) > 2**max_bits:
            return np.empty(0, dtype=np.float32)
    bits = max(1, int(np.ceil(np.log2(max(len(distinct), 2)))))
    if not len(distinct):
        return distinct
    return np.pad(distinct, (0, 2**bits - len(distinct)), mode="edge")


def nearest_table(values: Iterable[FloatArray], bits: int) -> FloatArray:
    """`2 ** bits` ascending values with a small mean squared distance from the nearest of them.

    Fitted as by Lloyd (1982), from points as dense as the cube root of the values' density, which
    is best for many points (Panter and Dite, 1951) and leaves some to rare extremes.

    Args:
        values: in parts, so that they need not be in memory at once.
        bits: of a code.
    """
    grid, counts = _grid_counts(values)
    points = grid * _GRID
    size = 2**bits
    if len(points) <= size:
        return exact_table([points.astype(np.float32)], max_bits=bits)
    edges = np.linspace(points[0], points[-1], 4 * size + 1)
    cell = np.clip(np.searchsorted(edges, points, side="right") - 1, 0, 4 * size - 1)
    density = np.bincount(cell, weights=counts, minlength=4 * size) ** (1 / 3)
    mass = np.concatenate(([0.0], np.cumsum(density)))
    centres = np.interp((np.arange(size) + 0.5) * (mass[-1] / size), mass, edges)
    total = np.concatenate(([0.0], np.cumsum(counts)))
    moment = np.concatenate(([0.0], np.cumsum(counts * points)))
    for _ in range(_ROUNDS):
        borders = np.searchsorted(points, (centres[1:] + centres[:-1]) / 2)
        borders = np.concatenate(([0], borders, [len(points)]))
        held = np.diff(total[borders])
        means = np.diff(moment[borders]) / np.maximum(held, 1)
        centres = np.sort(np.where(held > 0, means, centres))
    table: FloatArray = centres.astype(np.float32)
    return table


def _grid_counts(
    values: Iterable[FloatArray],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """The points of the grid that values fall on, and how many on each."""
    grid = np.empty(0, dtype=np.float64)
    counts = np.empty(0, dtype=np.int64)
    for part in values:
        points, new = np.unique(np.round(part.astype(np.float64) / _GRID), return_counts=True)
        grid, places = np.unique(np.concatenate([grid, points]), return_inverse=True)
        sums = np.zeros(len(grid), dtype=np.int64)
        np.add.at(sums, places, np.concatenate([counts, new]))
        counts = sums
    return grid, counts
