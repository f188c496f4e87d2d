"""Mean and standard deviation of the features that a network is trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from recognizer.am.torch.running_mean import running_mean_state, subtract_running_mean

FloatArray = npt.NDArray[np.float32]


class FeatureStatistics:
    """Adds up features, utterance by utterance.

    With a running mean, what a frame x becomes depends on the mean of all frames, with which the
    running mean begins. It is linear in it, so that one pass is enough: y - p * mean, where y is x
    less a running mean that begins with zeros, and p the share that its beginning has in it.

    Args:
        dim: D, features of a frame.
        mean_window: of the network's running mean, 0 for none.
        mean_prior: see `recognizer.am.nnet.options.NetworkShape`.
    """

    def __init__(self, dim: int, mean_window: int = 0, mean_prior: int = 0) -> None:
        self._window, self._prior = mean_window, mean_prior
        self._x, self._y, self._yy, self._yp = np.zeros((4, dim))  # sums
        self._p = self._pp = 0.0
        self.frames = 0

    def add(self, features: npt.NDArray[Any]) -> None:
        """Count the frames ``[T, D]`` of an utterance."""
        x = features.astype(np.float64)
        y, p = self._less_running_mean(x) if self._window else (x, np.zeros(len(x)))
        self._x += x.sum(0)
        self._y += y.sum(0)
        self._yy += np.einsum("td,td->d", y, y)
        self._yp += p @ y
        self._p += float(p.sum())
        self._pp += float(p @ p)
        self.frames += len(x)

    @property
    def mean(self) -> FloatArray:
        """Mean of the features ``[D]``."""
        return (self._x / self.frames).astype(np.float32)

    @property
    def inv_std(self) -> FloatArray:
        """Inverse standard deviation ``[D]`` of the features, less their running means if any."""
        mean, y, p = self._x / self.frames, self._y / self.frames, self._p / self.frames
        variance = self._yy / self.frames - y**2
        variance -= 2 * mean * (self._yp / self.frames - p * y)
        variance += mean**2 * (self._pp / self.frames - p**2)
        result: FloatArray = (1.0 / np.sqrt(np.maximum(variance, 1e-10))).astype(np.float32)
        return result

    def _less_running_mean(
        self, x: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        # A feature that is always 1 keeps the share of the beginning.
        rows = torch.from_numpy(np.pad(x, ((0, 0), (0, 1)), constant_values=1.0)).unsqueeze(1)
        state = running_mean_state(1, rows.shape[2], rows.device)
        left, _ = subtract_running_mean(rows, state, self._window, self._prior)
        array = left[:, 0].numpy()
        return array[:, :-1], array[:, -1]
