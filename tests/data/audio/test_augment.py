"""Augmentation keeps what it promises: length, pitch, noise at the asked ratio."""

from __future__ import annotations

import numpy as np
import pytest

from recognizer.data.audio.augment import add_noise, speed_perturb
from recognizer.data.audio.reading import SAMPLE_RATE, Samples
from recognizer.data.errors import SpeechError, UsageError


def tone(frequency: float = 440.0, seconds: float = 1.0) -> Samples:
    times = np.arange(round(SAMPLE_RATE * seconds)) / SAMPLE_RATE
    return (0.3 * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


@pytest.mark.parametrize("factor", [0.9, 1.1, 2.0])
def test_speed_changes_length_and_pitch(factor: float) -> None:
    faster = speed_perturb(tone(), factor)
    assert faster.dtype == np.float32
    assert abs(len(faster) - SAMPLE_RATE / factor) <= 1
    spectrum = np.abs(np.fft.rfft(faster * np.hanning(len(faster))))
    peak = np.argmax(spectrum) * SAMPLE_RATE / len(faster)
    assert peak == pytest.approx(440.0 * factor, abs=2.0)


def test_speed_one_is_the_same_recording() -> None:
    samples = tone()
    np.testing.assert_array_equal(speed_perturb(samples, 1.0), samples)


@pytest.mark.parametrize("factor", [0.0, -1.0, 0.4, 2.5, float("nan")])
def test_impossible_speeds(factor: float) -> None:
    with pytest.raises(UsageError, match="expected a speed factor"):
        speed_perturb(tone(), factor)


@pytest.mark.parametrize("snr", [-5.0, 0.0, 10.0, 20.0])
@pytest.mark.parametrize("length", [100, 16000, 40000])
def test_noise_has_the_asked_ratio(snr: float, length: int) -> None:
    rng = np.random.default_rng(0)
    speech = tone() / 10
    noise = rng.normal(0, 0.1, length).astype(np.float32)
    mixed = add_noise(speech, noise, snr, rng)
    assert mixed.dtype == np.float32
    assert len(mixed) == len(speech)
    added = mixed - speech
    ratio = 10 * np.log10(np.mean(speech**2) / np.mean(added**2))
    assert ratio == pytest.approx(snr, abs=0.01)


def test_noise_never_clips_and_keeps_the_ratio() -> None:
    rng = np.random.default_rng(1)
    speech = 3 * tone()
    noise = rng.normal(0, 1, 16000).astype(np.float32)
    mixed = add_noise(speech, noise, 0.0, rng)
    assert np.abs(mixed).max() == pytest.approx(1.0)
    share = np.dot(mixed, speech) / np.dot(speech, speech)
    residue = mixed - share * speech
    ratio = 10 * np.log10(np.mean((share * speech) ** 2) / np.mean(residue**2))
    assert ratio == pytest.approx(0.0, abs=0.3)


def test_noise_is_deterministic_and_leaves_its_input_alone() -> None:
    speech, noise = tone(), tone(50.0, 0.3)
    before = speech.copy()
    one = add_noise(speech, noise, 5.0, np.random.default_rng(7))
    two = add_noise(speech, noise, 5.0, np.random.default_rng(7))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(speech, before)
    assert not np.array_equal(one, add_noise(speech, noise, 5.0, np.random.default_rng(8)))


def test_silence_has_no_ratio() -> None:
    rng = np.random.default_rng(0)
    silence = np.zeros(100, np.float32)
    np.testing.assert_array_equal(add_noise(silence, tone(), 5.0, rng), silence)
    np.testing.assert_array_equal(add_noise(tone(), silence, 5.0, rng), tone())
    with pytest.raises(SpeechError, match="at least one sample"):
        add_noise(tone(), np.zeros(0, np.float32), 5.0, rng)
    with pytest.raises(UsageError, match="finite signal-to-noise"):
        add_noise(tone(), tone(), float("nan"), rng)
