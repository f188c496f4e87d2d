"""Statistics pooling in torch, over what each stream has had so far.

See `recognizer.am.nnet.layers.PoolingOptions` for the equations.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recognizer.am.nnet.layers import PoolingOptions
from recognizer.am.torch.network_module import State

_BLOCK = 128
"""Frames of one matrix product: its work grows with their square."""

_LEAST_VARIANCE = 1e-4


class PoolingLayer(nn.Module):
    """Has no weights. Its state ``[N, 2 D + 1]``: the decaying sums of x and of x^2, and n."""

    states = 1

    def __init__(self, options: PoolingOptions, inputs: int) -> None:
        super().__init__()
        self.options = options
        self._inputs = inputs

    def initial_state(self, streams: int, precision: torch.dtype) -> State:
        """Zeros, in float32 (float64 if the precision is)."""
        high = torch.float64 if precision == torch.float64 else torch.float32
        return [torch.zeros(streams, 2 * self._inputs + 1, dtype=high)]

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Inputs ``[T, N, D]`` with their means and deviations ``[T, N, 3 D]``; the state after."""
        before, parts = state[0], []
        for block in torch.split(x, _BLOCK):
            part, before = self._pool(block, before)
            parts.append(part)
        return torch.cat((x, torch.cat(parts)), 2), [before]

    def _pool(self, x: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        frames, streams, dim = x.shape
        wide = x.to(before.dtype)
        counted = wide.new_ones(frames, streams, 1)
        summed = torch.cat((wide, wide.square(), counted), 2)
        decay = 1.0 - 1.0 / self.options.window
        t = torch.arange(frames, dtype=before.dtype, device=x.device)
        weights = (decay ** (t.unsqueeze(1) - t).clamp(min=0)).tril()  # of frame k in the sum at t
        sums = (weights @ summed.reshape(frames, -1)).view(summed.shape)
        sums = sums + (decay ** (t + 1)).view(-1, 1, 1) * before
        first, second, count = sums[..., :dim], sums[..., dim:-1], sums[..., -1:]
        prior = float(self.options.prior)
        mean = first / (count + prior)
        variance = (second + prior) / (count + prior) - mean.square()
        deviation = variance.clamp_min(_LEAST_VARIANCE).sqrt()
        return torch.cat((mean, deviation), 2).to(x.dtype), sums[-1]
