"""Mono samples of any rate to 16 kHz, whole or piece by piece."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from recognizer.data.audio.limits import SAMPLE_RATE

_QUALITY = "HQ"  # 20 bits


class Resampler:
    """Mono samples of one rate to 16 kHz (soxr, high quality).

    What all calls give, joined, does not depend on how the samples were cut. The filter reaches
    into the future: samples come out up to about 0.1 s late (0.25 s at 4 kHz). At 16 kHz they pass
    unchanged and at once.

    Args:
        rate: samples per second of what comes in.
    """

    def __init__(self, rate: float) -> None:
        same = rate == SAMPLE_RATE
        self._stream = None if same else soxr.ResampleStream(rate, SAMPLE_RATE, 1, quality=_QUALITY)

    def accept(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next samples ``[n]``, n >= 0.

        Returns:
            The 16 kHz samples that are complete now, float32 ``[m]``, m >= 0.
        """
        return self._run(samples, last=False)

    def finish(self) -> NDArray[np.float32]:
        """End the audio: the remaining samples."""
        return self._run(np.zeros(0, np.float32), last=True)

    def _run(self, samples: NDArray[np.float32], *, last: bool) -> NDArray[np.float32]:
        samples = np.ascontiguousarray(samples, dtype=np.float32)
        if self._stream is None:
            return samples
        resampled: NDArray[np.float32] = self._stream.resample_chunk(samples, last=last)
        return resampled
