"""Where the features of a training come from. Without torch: processes that compute them use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy.typing as npt

Features = npt.NDArray[Any]
FeatureSource = Features | Callable[[int], Features]
"""``[T, D]`` float32 or float16, not normalised; or what gives them for an epoch, always the same
for the same epoch. What has a length (T) too is believed: only of first versions are the features
themselves checked."""


def read_features(source: FeatureSource, epoch: int = 0) -> Features:
    """The features ``[T, D]`` of a source in an epoch."""
    return source(epoch) if callable(source) else source


def read_draw(draw: tuple[FeatureSource, int]) -> Features:
    """The features of a source in an epoch, of both together as `prefetch_map` passes them."""
    return read_features(*draw)
