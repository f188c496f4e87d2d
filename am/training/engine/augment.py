"""Augmentation of features on the fly, see `AugmentOptions`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recognizer.am.training.engine.options import AugmentOptions

FloatArray = npt.NDArray[np.float32]


class Augmenter:
    """Callable ``(features [T, D], rng) -> features [T, D]``.

    Args:
        options: what is changed.
        mean: mean of the training features ``[D]``, put where a mask lies. None puts the mean of
            the utterance there, as a network with a running mean needs: to it, the other would not
            be nothing but a change of channel.
    """

    def __init__(self, options: AugmentOptions, mean: FloatArray | None) -> None:
        self._options = options
        self._mean = mean

    def __call__(self, features: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Changed copy of an utterance's features."""
        options = self._options
        x: FloatArray = features.copy()
        frames, dim = x.shape
        if options.gain_std:
            x += np.float32(rng.normal(0.0, options.gain_std))
        if options.tilt_std:
            line = np.linspace(-1.0, 1.0, dim, dtype=np.float32)
            x += line * np.float32(rng.normal(0.0, options.tilt_std))
        if options.noise_std:
            x += rng.standard_normal(x.shape, dtype=np.float32) * np.float32(options.noise_std)
        mean = x.mean(0) if self._mean is None else self._mean
        for _ in range(options.frequency_masks):
            width = int(rng.integers(min(options.frequency_width, dim) + 1))
            begin = int(rng.integers(dim - width + 1))
            x[:, begin : begin + width] = mean[begin : begin + width]
        longest = min(options.time_width, int(options.time_share * frames))
        for _ in range(round(options.time_masks * frames / 1000 + rng.uniform(-0.5, 0.5))):
            width = int(rng.integers(longest + 1))
            begin = int(rng.integers(frames - width + 1))
            x[begin : begin + width] = mean
        return x
