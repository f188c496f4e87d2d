"""Samples from elsewhere enter as those of a file would, or are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from recognizer.data.audio.limits import MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from recognizer.data.audio.reading import as_audio, read_audio
from recognizer.data.errors import SpeechError

WAVE = (np.sin(np.arange(3000) / 7) * 12345).astype(np.int16)
EXPECTED = WAVE.astype(np.float32) / 32768


def test_samples_from_elsewhere_are_what_their_file_gives(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    stereo = (rng.uniform(-0.5, 0.5, (8000, 2)) * 32767).astype(np.int16)
    path = tmp_path / "stereo.wav"
    soundfile.write(path, stereo, 8000)
    np.testing.assert_array_equal(as_audio(stereo, 8000), read_audio(path))
    floats = stereo.astype(np.float64) / 32768
    np.testing.assert_array_equal(as_audio(floats, 8000), read_audio(path))
    mono = rng.uniform(-1, 1, 100).astype(np.float32)
    np.testing.assert_array_equal(as_audio(mono), mono)


@pytest.mark.parametrize("dtype", ["int16", "int32", "int64", "float32", "float64", ">i2", "<f4"])
def test_integers_of_16_bits_may_be_held_in_any_type(dtype: str) -> None:
    samples = as_audio(WAVE.astype(dtype))
    np.testing.assert_array_equal(samples, EXPECTED)
    assert samples.dtype == np.float32


def test_lists_and_tuples() -> None:
    np.testing.assert_array_equal(as_audio(WAVE.tolist()), EXPECTED)
    np.testing.assert_array_equal(as_audio(EXPECTED.tolist()), EXPECTED)
    np.testing.assert_array_equal(as_audio(tuple(float(x) for x in WAVE)), EXPECTED)


def test_torch_tensors() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(EXPECTED)
    np.testing.assert_array_equal(as_audio(tensor), EXPECTED)
    np.testing.assert_array_equal(as_audio(tensor.clone().requires_grad_()), EXPECTED)
    np.testing.assert_array_equal(as_audio(torch.from_numpy(WAVE)), EXPECTED)
    np.testing.assert_array_equal(as_audio(tensor[None]), EXPECTED)  # torchaudio's [channels, N]
    with pytest.raises(SpeechError, match="expected an array of numbers, found Tensor"):
        as_audio(tensor.bfloat16())


def test_the_longer_axis_is_time() -> None:
    stereo = np.stack([EXPECTED, EXPECTED[::-1]])
    expected = stereo.mean(axis=0)
    np.testing.assert_array_equal(as_audio(stereo), expected)
    np.testing.assert_array_equal(as_audio(stereo.T), expected)
    np.testing.assert_array_equal(as_audio(EXPECTED[None]), EXPECTED)
    np.testing.assert_array_equal(as_audio(EXPECTED[:, None]), EXPECTED)
    np.testing.assert_array_equal(as_audio(stereo, channel=2), EXPECTED[::-1])
    np.testing.assert_array_equal(as_audio(stereo.T, channel=2), EXPECTED[::-1])


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.full(3, 1 << 20), 16000, "expected integers of 16 bits, found int64 up to 1048576"),
        (np.zeros(3, np.uint8), 16000, "expected signed samples, found uint8"),
        (np.zeros(3, bool), 16000, "expected floats in .* found bool"),
        (np.zeros(3, complex), 16000, "expected floats in .* found complex128"),
        (b"RIFF", 16000, "expected floats in .* found |S4"),
        (None, 16000, "expected floats in .* found object"),
        ([[1, 2], [3]], 16000, "expected an array of numbers, found list"),
        (3.0, 16000, r"found \[\]"),
        (np.zeros((2, 2, 2)), 16000, r"found \[2, 2, 2\]"),
        (np.zeros((3, 0)), 16000, r"found \[3, 0\]"),
        (np.zeros((2, 2)), 16000, r"expected more samples than channels, found \[2, 2\]"),
        (np.zeros((500, MAX_CHANNELS + 1)), 16000, "expected at most 32 channels"),
        (np.zeros((MAX_CHANNELS + 1, 500)), 16000, "expected at most 32 channels"),
        (np.zeros(3), 0, "sample rate: expected 4000 to 768000 samples per second, found 0"),
        (np.zeros(3), MIN_SAMPLE_RATE - 1, "sample rate: expected 4000 to"),
        (np.zeros(3), MAX_SAMPLE_RATE + 1, "sample rate: expected 4000 to"),
        (np.zeros(3), float("nan"), "sample rate: expected 4000 to"),
        (np.zeros(3), "16000", "sample rate: expected 4000 to .* found str"),
        (16000, np.zeros(3), "sample rate: expected 4000 to .* found ndarray"),
        (np.zeros(0), 16000, "expected audio, found no samples"),
        (np.array([0.0, np.nan]), 16000, "found 1 that are not numbers"),
        (np.array([0.5, 12345.25]), 16000, "expected samples with full scale 1, found values up"),
        (np.array([0.0, 1e9]), 16000, "expected samples with full scale 1, found values up to 1e"),
    ],
)
def test_impossible_samples_are_refused(samples: Any, rate: Any, message: str) -> None:
    with pytest.raises(SpeechError, match=message) as caught:
        as_audio(samples, rate)
    assert "\n" not in str(caught.value)


def test_floats_somewhat_beyond_full_scale_stay_as_they_are() -> None:
    loud = EXPECTED * 30
    np.testing.assert_array_equal(as_audio(loud), loud)
