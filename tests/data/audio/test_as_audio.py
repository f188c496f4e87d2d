"""Samples from elsewhere enter as those of a file would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from recognizer.data.audio.reading import as_audio, read_audio
from recognizer.data.errors import SpeechError


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


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros(3, np.int32), 16000, "expected floats in .* found int32"),
        (np.zeros((2, 2, 2)), 16000, r"found \[2, 2, 2\]"),
        (np.zeros((3, 0)), 16000, r"found \[3, 0\]"),
        (np.zeros(3), 0, "sample rate: expected a number above 0, found 0"),
        (np.zeros(0), 16000, "less than one sample"),
        (np.array([0.0, np.nan]), 16000, "found 1 that are not numbers"),
    ],
)
def test_impossible_samples_are_refused(samples: np.ndarray, rate: int, message: str) -> None:
    with pytest.raises(SpeechError, match=message):
        as_audio(samples, rate)
