"""Batch normalisation over the frames of a chunk, without those that are padding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from recognizer.am.nnet.folding import EPSILON

_MOMENTUM = 0.05
"""Share of a chunk without padding in the running statistics."""


class BatchNorm(nn.Module):
    """Outputs of mean 0 and variance 1, without scale and offset of their own.

    Ioffe and Szegedy 2015. In training the statistics are a chunk's; otherwise running averages of
    them.

    Attributes:
        frozen: the running averages stay as they are, and are taken in training too.
    """

    mean: Tensor
    variance: Tensor
    frozen: bool = False

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))

    def forward(self, x: Tensor, kept: Tensor | None) -> Tensor:
        """Normalise each output.

        Args:
            x: ``[T, N, U]``.
            kept: the frames that are no padding, as sorted indices into T N of them, int64; None
                where nothing is padding.

        Returns:
            ``[T, N, U]`` of x's type. In training, padding becomes zeros unless frozen.
        """
        if self.frozen or not self.training:
            scale, offset = self.scale_and_offset()
            return (x * scale + offset).to(x.dtype)
        flat = x.reshape(-1, x.shape[-1])
        count = len(flat) if kept is None else len(kept)
        if count == 0:
            return torch.zeros_like(x)
        y, mean, inverse = _NormalisedRows.apply(flat, kept)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            share = _MOMENTUM * count / len(flat)
            variance = (inverse.pow(-2) - EPSILON).clamp_min(0)
            self.mean.lerp_(mean.to(self.mean.dtype), share)
            self.variance.lerp_(variance.to(self.variance.dtype), share)
        return torch.reshape(y, x.shape)

    def scale_and_offset(self) -> tuple[Tensor, Tensor]:
        """The running statistics as ``y = x * scale + offset``, both ``[U]``."""
        scale = torch.rsqrt(self.variance + EPSILON)
        return scale, -self.mean * scale


class ScaledBatchNorm(BatchNorm):
    """Batch normalisation whose outputs have a scale that is trained; the layer adds the offset.

    Over all frames of all utterances of a chunk it is the sequence-wise normalisation of Amodei et
    al. 2015, section 3.2. In a file its tensors stay apart from the weights, so that training can
    go on from it.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor, kept: Tensor | None) -> Tensor:
        """Normalise and scale, see `BatchNorm.forward`."""
        return super().forward(x, kept) * self.scale.to(x.dtype)


def freeze_batch_norm(network: nn.Module) -> None:
    """Let all batch normalisation of a network keep the averages that it has."""
    for module in network.modules():
        if isinstance(module, BatchNorm):
            module.frozen = True


class _NormalisedRows(torch.autograd.Function):
    """``(x [R, U], kept or None) -> (y [R, U], mean [U], 1 / sqrt(variance + EPSILON) [U])``.

    Torch's own normalisation of the rows that are kept, which never repeats an index: its gradient
    is put back without the slow sums that differentiating ``index_select`` makes.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, kept: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Statistics are float32 (float64 if ``x`` is)."""
        rows = x if kept is None else x.index_select(0, kept)
        y, mean, inverse = torch.native_batch_norm(rows, None, None, None, None, True, 0.0, EPSILON)
        ctx.save_for_backward(rows, kept, mean, inverse)
        ctx.mark_non_differentiable(mean, inverse)
        return _put_back(y, kept, x), mean, inverse

    @staticmethod
    def backward(ctx: Any, d_y: Tensor, *_: Tensor) -> tuple[Tensor, None]:
        """Each row moves the mean and variance that all rows are normalised by."""
        rows, kept, mean, inverse = ctx.saved_tensors
        given = d_y.contiguous() if kept is None else d_y.index_select(0, kept)
        d_rows, _, _ = torch.ops.aten.native_batch_norm_backward(
            given, rows, None, None, None, mean, inverse, True, EPSILON, [True, False, False]
        )
        return _put_back(d_rows, kept, d_y), None


def _put_back(rows: Tensor, kept: Tensor | None, like: Tensor) -> Tensor:
    """The rows where they were among zeros."""
    return rows if kept is None else torch.zeros_like(like).index_copy_(0, kept, rows)
