"""The constraint that keeps a factor of a weight matrix semi-orthogonal, up to a scale."""

from __future__ import annotations

import torch
from torch import Tensor

_TINY = 1e-20


@torch.no_grad()
def constrain_semi_orthogonal(matrix: Tensor) -> None:
    """Move a matrix one step, in place, towards M M^T = a^2 I, where a follows from M.

    Povey et al. 2018, "Semi-orthogonal low-rank matrix factorization for deep neural networks",
    sections 2.1 and 2.3; the steps shorter far from the aim are those of Kaldi's
    ConstrainOrthonormalInternal (src/nnet3/nnet-utils.cc).

    Args:
        matrix: with more rows than columns, its transpose is meant.
    """
    m = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.t()
    p = m @ m.t()
    trace, squares = p.trace().clamp_min(_TINY), p.square().sum()
    # This scale makes the step orthogonal to the matrix: its size does not change.
    scale = (squares / trace).clamp_min(_TINY)
    excess = squares * len(m) / trace.square()  # 1 where the aim is reached
    speed = torch.where(excess > 1.1, 0.03125, torch.where(excess > 1.02, 0.0625, 0.125))
    p.diagonal().sub_(scale)
    m.sub_((p @ m) * (4 * speed / scale))
