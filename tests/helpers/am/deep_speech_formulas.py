"""The equations of the layers of Deep Speech 2, value by value, from the tensors of a file."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recognizer.am.nnet.convolution import ConvolutionOptions
from recognizer.am.nnet.folding import EPSILON
from recognizer.am.nnet.recurrent import GruOptions, RecurrentOptions

Rows = npt.NDArray[np.float64]
Tensors = dict[str, Rows]


def normalised(tensors: Tensors, sums: Rows) -> Rows:
    """Batch normalisation by the running statistics, and the offset."""
    if "norm.scale" in tensors:
        deviation = np.sqrt(tensors["norm.variance"] + EPSILON)
        sums = tensors["norm.scale"] * (sums - tensors["norm.mean"]) / deviation
    return sums + tensors["bias"]


def convolution(options: ConvolutionOptions, tensors: Tensors, x: Rows) -> Rows:
    """Outputs of one stream ``[T / stride, bins' * F]`` of its frames ``[T, bins * M]``."""
    frames = x.reshape(len(x), -1, options.maps)
    bins = frames.shape[1]
    height = options.height or bins
    weight = tensors["weight"].reshape(options.filters, options.window, height, options.maps)
    # The bin in the middle of the lowest window is bin 0, unless a filter sees all.
    lowest = -((height - 1) // 2) if options.height else 0
    outputs = []
    for now in range(options.stride - 1, len(x), options.stride):
        row = []
        for first in range(lowest, lowest + (bins if options.height else 1),
                           options.frequency_stride):  # fmt: skip
            sums = np.zeros(options.filters)
            for k in range(options.window):
                t = now - options.window + 1 + k
                for h in range(height):
                    if t >= 0 and 0 <= first + h < bins:
                        sums += weight[:, k, h] @ frames[t, first + h]
            row.append(np.clip(normalised(tensors, sums), 0, options.clip))
        outputs.append(np.concatenate(row))
    return np.array(outputs)


def lookahead(tensors: Tensors, x: Rows) -> Rows:
    """Outputs about the frames T - right, ... of one stream ``[T, D]``."""
    weight = tensors["weight"]
    right = weight.shape[1] - 1
    seen = np.concatenate((np.zeros((right, x.shape[1])), x))
    return np.array([(weight.T * seen[t : t + right + 1]).sum(0) for t in range(len(x))])


def recurrent(options: RecurrentOptions, tensors: Tensors, x: Rows) -> Rows:
    """Outputs of one stream ``[T, U]``."""
    y = _direction(options, tensors, x, tensors["w_r"])
    if options.bidirectional:
        y = y + _direction(options, tensors, x[::-1], tensors["w_r_reverse"])[::-1]
    return y


def _direction(options: RecurrentOptions, tensors: Tensors, x: Rows, w_r: Rows) -> Rows:
    h, outputs = np.zeros(options.units), []
    for frame in x:
        below = normalised(tensors, tensors["w_x"] @ frame)
        before = w_r @ h
        if isinstance(options, GruOptions):
            (a, b, c), (A, R, C) = np.split(below, 3), np.split(before, 3)
            z, r = 1 / (1 + np.exp(-a - A)), 1 / (1 + np.exp(-b - R))
            candidate = c + r * C
            tanh = options.activation == "tanh"
            f = np.tanh(candidate) if tanh else np.clip(candidate, 0, options.clip)
            h = (1 - z) * h + z * f
        else:
            h = np.clip(below + before, 0, options.clip)
        outputs.append(h)
    return np.array(outputs)
