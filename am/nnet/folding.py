"""Batch normalisation of a finished network: its running statistics become weights and biases."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

EPSILON = 1e-3
"""Added to variances, as in Kaldi's BatchNormComponent."""


def folded(tensors: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """One layer's tensors without ``norm.*``, whose effect its weights and bias then have.

    Ioffe and Szegedy 2015, algorithm 2, step 11. The layer's inputs are multiplied by ``w_x``
    (recurrent layers) or ``weight``; a row of it and its bias are those of one normalised sum.
    """
    left = {name: tensor for name, tensor in tensors.items() if not name.startswith("norm.")}
    if "norm.scale" not in tensors:
        return left
    variance = tensors["norm.variance"].astype(np.float64)
    factor = tensors["norm.scale"] / np.sqrt(variance + EPSILON)
    name = "w_x" if "w_x" in left else "weight"
    left[name] = (left[name] * factor[:, np.newaxis]).astype(np.float32)
    left["bias"] = (left["bias"] - tensors["norm.mean"] * factor).astype(np.float32)
    return left
