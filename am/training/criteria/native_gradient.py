"""What criteria share whose values and gradients are computed in native code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

IntArray = npt.NDArray[np.int64]
RealArray = npt.NDArray[Any]
"""float32 or float64."""


@dataclass(frozen=True)
class StreamRows:
    """The output rows of each stream in a chunk.

    Attributes:
        mask: ``[T, N]``.
        begins: first row of each stream ``[N]``.
        lengths: number of its rows ``[N]``.
    """

    mask: npt.NDArray[np.bool_]
    begins: IntArray
    lengths: IntArray

    @classmethod
    def of(cls, mask: npt.NDArray[np.bool_]) -> StreamRows:
        """Of a mask with one range of rows in each stream."""
        return cls(mask, mask.argmax(0).astype(np.int64), mask.sum(0).astype(np.int64))


class GivenGradient(torch.autograd.Function):
    """A number whose gradient is known: ``(x, value, gradient of x) -> value``."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        x: Tensor,
        value: float,
        gradient: RealArray | None,
    ) -> Tensor:
        """The value."""
        if gradient is not None:
            ctx.save_for_backward(torch.from_numpy(gradient).to(x.device, x.dtype))
        return x.new_tensor(value)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, d_value: Tensor
    ) -> tuple[Tensor | None, ...]:
        """The gradient."""
        (gradient,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradient * d_value, None, None


def offsets(sizes: Sequence[int]) -> IntArray:
    """Where each of several arrays begins once they stand one after the other ``[N + 1]``."""
    return np.concatenate(([0], np.cumsum(sizes, dtype=np.int64))).astype(np.int64)
