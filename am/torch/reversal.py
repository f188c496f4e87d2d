"""Utterances of a padded chunk read from their ends."""

from __future__ import annotations

import torch
from torch import Tensor


def reversed_frames(frames: int, streams: int, lengths: Tensor | None) -> Tensor:
    """Frame at each place of each stream read from its end ``[T, N]``; padding stays in place."""
    t = torch.arange(frames).unsqueeze(1).expand(frames, streams)
    if lengths is None:
        return frames - 1 - t
    return torch.where(t < lengths, lengths - 1 - t, t)


def reorder(x: Tensor, order: Tensor) -> Tensor:
    """The frames of each stream of ``x [T, N, D]`` in another order ``[T, N]``."""
    return x.gather(0, order.unsqueeze(2).expand_as(x))
