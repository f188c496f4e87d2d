"""Signals whose delay, level and spectrum can be measured."""

from __future__ import annotations

import numpy as np

from recognizer.data.audio.reading import SAMPLE_RATE, Samples


def speech_like(samples: int = 24000, seed: int = 0) -> Samples:
    """Noise between 400 and 3000 Hz whose level moves as that of syllables does."""
    noise = np.random.default_rng(seed).normal(size=samples)
    spectrum = np.fft.rfft(noise)
    frequency = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE)
    spectrum[(frequency < 400) | (frequency > 3000)] = 0
    times = np.arange(samples) / SAMPLE_RATE
    band = np.fft.irfft(spectrum, samples) * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * times))
    return (0.1 * band / band.std()).astype(np.float32)


def delay(before: Samples, after: Samples) -> int:
    """By how many samples the second comes later: where their cross-correlation is greatest."""
    size = 2 * max(len(before), len(after))
    product = np.fft.rfft(after, size) * np.conj(np.fft.rfft(before, size))
    peak = int(np.argmax(np.fft.irfft(product, size)))
    return peak if peak < size // 2 else peak - size


def level_db(samples: Samples) -> float:
    """Mean power in dB."""
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64))))


def band_level_db(samples: Samples, low: float, high: float) -> float:
    """Mean power between two frequencies in dB."""
    windowed = samples * np.hanning(len(samples))
    power = np.abs(np.fft.rfft(windowed)) ** 2
    frequency = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    return float(10 * np.log10(power[(frequency >= low) & (frequency < high)].mean() + 1e-30))
