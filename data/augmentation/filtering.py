"""Linear filters of whole recordings."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from recognizer.data.audio.reading import Samples


def convolve(samples: Samples, response: npt.NDArray[np.float32], delay: int) -> Samples:
    """Filter with an impulse response and take its delay back; by one Fourier transform.

    Args:
        samples: float32 `[N]`.
        response: float32 `[M]`, M >= 1.
        delay: the sample of the response that keeps its time, in [0, M).

    Returns:
        float32 `[N]`.
    """
    size = _transform_size(len(samples) + len(response) - 1)
    spectrum = np.fft.rfft(samples, size)
    spectrum *= np.fft.rfft(response, size)
    filtered = np.fft.irfft(spectrum, size)[delay : delay + len(samples)]
    return np.ascontiguousarray(filtered, dtype=np.float32)


@functools.lru_cache
def band_pass(low: float, high: float, rate: float, taps: int) -> npt.NDArray[np.float32]:
    """Impulse response `[taps]` of a band-pass filter, symmetric: it delays by taps // 2 samples.

    The windowed ideal response (Oppenheim and Schafer, Discrete-Time Signal Processing, section
    7.5), with a Hamming window: its edges are about 3.3 * rate / taps wide.

    Args:
        low: lower edge, in Hz, where the amplitude is half.
        high: upper edge.
        rate: samples per second.
        taps: an odd number.
    """
    times = np.arange(taps) - taps // 2
    ideal = sum(
        sign * 2 * edge / rate * np.sinc(2 * edge / rate * times)
        for sign, edge in ((1.0, high), (-1.0, low))
    )
    response = np.asarray(ideal * np.hamming(taps), dtype=np.float32)
    response.flags.writeable = False
    return response


def _transform_size(least: int) -> int:
    """The least number >= `least` of the form m * 2^k with 4 <= m <= 8: quick to transform."""
    step = 1 << max(0, least.bit_length() - 3)
    return -(-least // step) * step
