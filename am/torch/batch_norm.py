"""Batch normalisation over the frames of a chunk, without those that are padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

EPSILON = 1e-3
"""Added to variances, as in Kaldi's BatchNormComponent."""

_MOMENTUM = 0.05
"""Share of a chunk without padding in the running statistics."""


@dataclass(frozen=True)
class FrameMask:
    """Which frames of a chunk are no padding.

    Attributes:
        weights: 1 for each frame of an utterance, 0 for padding ``[T, N]``, in the type of gates
            and losses.
        count: number of the former.
    """

    weights: Tensor
    count: int


class BatchNorm(nn.Module):
    """Outputs of mean 0 and variance 1, without scale and offset of their own.

    Ioffe and Szegedy 2015. In training the statistics are a chunk's; otherwise running averages of
    them.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))

    def forward(self, x: Tensor, mask: FrameMask | None) -> Tensor:
        """Normalise each output.

        Args:
            x: ``[T, N, U]``.
            mask: of its frames; None where nothing is padding.

        Returns:
            ``[T, N, U]`` of x's type.
        """
        if not self.training:
            scale, offset = self.scale_and_offset()
            return (x * scale + offset).to(x.dtype)
        flat = x.reshape(-1, x.shape[-1])
        weights = None if mask is None else mask.weights.reshape(-1)
        count = len(flat) if mask is None else mask.count
        y, mean, variance = _NormalisedRows.apply(flat, weights, count)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            share = _MOMENTUM * count / len(flat)
            self.mean.lerp_(mean.to(self.mean.dtype), share)
            self.variance.lerp_(variance.to(self.variance.dtype), share)
        return torch.reshape(y, x.shape)

    def scale_and_offset(self) -> tuple[Tensor, Tensor]:
        """The running statistics as ``y = x * scale + offset``, both ``[U]``."""
        scale = torch.rsqrt(self.variance + EPSILON)
        return scale, -self.mean * scale


class _NormalisedRows(torch.autograd.Function):
    """``(x [R, U], weights [R] or None, their sum) -> (y [R, U], mean [U], variance [U])``.

    Sums are made in float32, and y is all that is kept of the chunk for the backward pass.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weights: Tensor | None, count: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Rows with weight 0 are normalised too, but do not count."""
        high = torch.float64 if x.dtype == torch.float64 else torch.float32
        ctx.count = count = max(count, 1)
        wide = x.to(high)
        if weights is None:
            variance, mean = torch.var_mean(wide, 0, correction=0)
        else:
            mean = weights @ wide / count
            variance = (weights @ wide.square() / count - mean.square()).clamp_min(0)
        inverse = torch.rsqrt(variance + EPSILON)
        y = torch.addcmul(-mean * inverse, wide, inverse).to(x.dtype)
        ctx.save_for_backward(y, weights, inverse)
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    def backward(ctx: Any, d_y: Tensor, *_: Tensor) -> tuple[Tensor, None, None]:
        """Each row moves the mean and variance that all rows are normalised by."""
        y, weights, inverse = ctx.saved_tensors
        high = inverse.dtype
        wide, d_wide = y.to(high), d_y.to(high)
        d_mean = d_wide.sum(0) / ctx.count
        d_deviation = torch.einsum("ru,ru->u", wide, d_wide) / ctx.count
        through = torch.addcmul(d_mean, wide, d_deviation)
        if weights is not None:
            through *= weights.unsqueeze(1)
        return ((d_wide - through) * inverse).to(d_y.dtype), None, None
