"""Other speeds: length and pitch change, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.augmentation.speed import speed_perturb
from recognizer.data.errors import UsageError
from sounds import tone


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
