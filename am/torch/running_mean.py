"""The running mean that is taken from features, see `recognizer.am.nnet.options.NetworkShape`.

What is remembered of a stream is one row of D + 1 float64: the running mean of the features' last
frame, as a deviation from the mean of the training features, and by how much the sum of the
weights exceeds the prior's. So zeros are the state before an utterance.

Training normalises whole chunks at once: sums over a decaying window are a product with a
triangular matrix. All is done in float64, which costs little beside a network and does not depend
on how a GPU rounds products of float32. Native inference (am/csrc/network/input_layer.h) goes from
frame to frame instead.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

_BLOCK = 256
"""Frames of one matrix product: its work grows with their square."""


def running_mean_state(streams: int, dim: int, device: torch.device) -> Tensor:
    """State of N streams before their utterances ``[N, D + 1]``."""
    return torch.zeros(streams, dim + 1, dtype=torch.float64, device=device)


def subtract_running_mean(
    x: Tensor, state: Tensor, window: int, prior: int
) -> tuple[Tensor, Tensor]:
    """Take from each frame the running mean that ends with it.

    Args:
        x: frames of N streams, as deviations from the mean of the training features ``[T, N, D]``.
        state: before the first frame ``[N, D + 1]``.
        window: frames of the decaying window, at least 1.
        prior: frames that the mean of the training features counts for, at most ``window``.

    Returns:
        ``[T, N, D]`` float64, and the state after the last frame.
    """
    parts = []
    for block in torch.split(x.double(), _BLOCK):
        part, state = _subtract_from_block(block, state, window, prior)
        parts.append(part)
    return torch.cat(parts), state


def _subtract_from_block(
    x: Tensor, state: Tensor, window: int, prior: int
) -> tuple[Tensor, Tensor]:
    frames, streams, dim = x.shape
    weights = _weights(window, x.device)[:frames, :frames]
    # The first column is a^t, and one decay more is due to what was before.
    before = (1.0 - 1.0 / window) * weights[:, :1] * (state[:, -1] + prior)  # [T, N]
    count = before + weights.sum(1, keepdim=True)
    total = (weights @ x.reshape(frames, -1)).view(frames, streams, dim)
    mean = (total + before.unsqueeze(2) * state[:, :-1]) / count.unsqueeze(2)
    after = torch.cat((mean[-1], count[-1].unsqueeze(1) - prior), 1)
    return x - mean, after


@lru_cache(maxsize=8)
def _weights(window: int, device: torch.device) -> Tensor:
    """Weight of each frame k of a block in the sum at each frame t ``[T, T]``; a ^ (t - k)."""
    t = torch.arange(_BLOCK, dtype=torch.float64, device=device)
    return ((1.0 - 1.0 / window) ** (t.unsqueeze(1) - t).clamp(min=0)).tril()
