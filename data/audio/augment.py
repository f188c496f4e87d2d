"""Augmentation of recordings: speed and noise."""

from __future__ import annotations

import numpy as np
import soxr

from recognizer.data.audio.reading import SAMPLE_RATE, Samples
from recognizer.data.errors import SpeechError, UsageError


def speed_perturb(samples: Samples, factor: float) -> Samples:
    """Speak faster (factor > 1) or slower, pitch moving along, as sox's `speed` does.

    Ko, Peddinti, Povey, Khudanpur: Audio augmentation for speech recognition, Interspeech 2015.

    Args:
        samples: float32 `[N]`.
        factor: in [0.5, 2]; 1 returns the samples unchanged.

    Returns:
        float32 of about `N / factor` samples.
    """
    if not 0.5 <= factor <= 2.0:
        raise UsageError(f"expected a speed factor in [0.5, 2], found {factor}")
    if factor == 1.0:
        return samples
    resampled = soxr.resample(samples, SAMPLE_RATE * factor, SAMPLE_RATE, quality="HQ")
    return np.ascontiguousarray(resampled, dtype=np.float32)


def add_noise(samples: Samples, noise: Samples, snr_db: float, rng: np.random.Generator) -> Samples:
    """Add noise at a signal-to-noise ratio.

    The noise begins at a random place and is repeated until it is long enough. Where speech or
    noise is silent throughout no ratio exists, and the samples come back unchanged.

    Args:
        samples: float32 `[N]`.
        noise: float32 `[M]`, M >= 1.
        snr_db: ratio of the mean powers of speech and added noise in dB.
        rng: where the randomness comes from.

    Returns:
        float32 `[N]`, scaled down where it would otherwise leave [-1, 1].
    """
    if not len(noise):
        raise SpeechError("expected noise of at least one sample, found none")
    if not np.isfinite(snr_db):
        raise UsageError(f"expected a finite signal-to-noise ratio, found {snr_db}")
    offset = int(rng.integers(len(noise)))
    part = np.take(noise, np.arange(offset, offset + len(samples)), mode="wrap")
    power, noise_power = _power(samples), _power(part)
    if power == 0.0 or noise_power == 0.0:
        return samples
    gain = np.sqrt(power / noise_power / 10.0 ** (snr_db / 10.0))
    mixed = samples + np.float32(gain) * part
    peak = float(np.abs(mixed).max())
    loudest = max(1.0, float(np.abs(samples).max()))
    if peak > loudest:
        mixed = mixed * np.float32(loudest / peak)
    return np.ascontiguousarray(mixed, dtype=np.float32)


def _power(samples: Samples) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
