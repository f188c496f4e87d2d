"""Where the heads of a Neural Turing Machine look, and what they read and write.

Equations are those of Graves, Wayne and Danihelka 2014, "Neural Turing Machines", section 3. All
functions take a batch of B memories and H heads at once: memory [B, N, M], weightings [B, H, N].
"""

from __future__ import annotations

import torch
from torch import Tensor

COSINE_FLOOR = 1e-8
"""The product of two lengths is at least so much, so that a row of zeros has similarity 0."""

_SMALLEST = 1e-30
"""A weight below it is taken for it where its logarithm is needed: 0 has none."""


def content_weighting(memory: Tensor, keys: Tensor, strengths: Tensor) -> Tensor:
    """Equations 5 and 6: softmax over the rows of strength times cosine similarity to the key.

    Args:
        memory: [B, N, M].
        keys: [B, H, M].
        strengths: [B, H, 1], above 0.
    """
    similarity = torch.bmm(keys, memory.transpose(1, 2))
    lengths = torch.linalg.vector_norm(keys, dim=2, keepdim=True) * torch.linalg.vector_norm(
        memory, dim=2
    ).unsqueeze(1)
    similarity = similarity / lengths.clamp_min(COSINE_FLOOR)
    return torch.softmax(strengths * similarity, dim=2)


def interpolate(previous: Tensor, content: Tensor, gates: Tensor) -> Tensor:
    """Equation 7: g times the content weighting plus 1 - g times that of the step before.

    Args:
        previous: [B, H, N].
        content: [B, H, N].
        gates: [B, H, 1], from 0 to 1.
    """
    return torch.lerp(previous, content, gates)


def shift(weighting: Tensor, shifts: Tensor) -> Tensor:
    """Equation 8: circular convolution of a weighting with the distribution of shifts.

    Args:
        weighting: [B, H, N].
        shifts: [B, H, 2 R + 1], probabilities of moving by -R, ..., R slots: slot i gets
            ``shifts[r]`` of what slot i - r had.
    """
    width = shifts.shape[2]
    reach = width // 2
    if not reach:
        return weighting * shifts
    around = torch.cat([weighting[..., -reach:], weighting, weighting[..., :reach]], dim=2)
    # A window around slot i is w(i - R) to w(i + R), which shifts R to -R bring to i.
    windows = around.unfold(2, width, 1)
    return torch.matmul(windows, shifts.flip(2).unsqueeze(3)).squeeze(3)


def sharpen(weighting: Tensor, exponents: Tensor) -> Tensor:
    """Equation 9: every weight to the power gamma, normalised to the sum 1.

    Args:
        weighting: [B, H, N].
        exponents: [B, H, 1], at least 1.
    """
    # As a softmax of logarithms, because powers of small weights would all be 0 in float32.
    return torch.softmax(exponents * weighting.clamp_min(_SMALLEST).log(), dim=2)


def read(memory: Tensor, weighting: Tensor) -> Tensor:
    """Equation 2: the mean of the rows under each head's weighting, [B, H, M]."""
    return torch.bmm(weighting, memory)


def write(memory: Tensor, weighting: Tensor, erase: Tensor, add: Tensor) -> Tensor:
    """Equations 3 and 4: all heads erase, then all add, in whatever order.

    Args:
        memory: [B, N, M] before.
        weighting: [B, H, N].
        erase: [B, H, M], from 0 to 1.
        add: [B, H, M].

    Returns:
        The memory after, [B, N, M].
    """
    for head in range(weighting.shape[1]):
        erased = weighting[:, head].unsqueeze(2) * erase[:, head].unsqueeze(1)
        memory = torch.addcmul(memory, memory, erased, value=-1.0)
    return torch.baddbmm(memory, weighting.transpose(1, 2), add)
