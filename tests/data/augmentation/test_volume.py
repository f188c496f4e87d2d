"""Another level, with 16 bits."""

from __future__ import annotations

import numpy as np
import pytest

from recognizer.data.augmentation.volume import change_volume
from recognizer.data.errors import UsageError
from signals import level_db, speech_like


@pytest.mark.parametrize("gain", [-20.0, -6.0, 0.0, 3.0])
def test_the_level_changes_by_the_gain(gain: float) -> None:
    before = speech_like()
    after = change_volume(before, gain)
    assert after.dtype == np.float32 and len(after) == len(before)
    assert level_db(after) - level_db(before) == pytest.approx(gain, abs=0.05)


def test_samples_are_those_of_16_bits() -> None:
    for gain in (-60.0, -40.0, 40.0):
        steps = change_volume(speech_like(), gain) * 32768
        np.testing.assert_array_equal(steps, np.rint(steps))
        assert steps.min() >= -32768 and steps.max() <= 32767
    assert steps.max() == 32767  # clipped
    assert not change_volume(speech_like(), -120.0).any()


def test_the_recording_is_left_alone() -> None:
    samples = speech_like()
    before = samples.copy()
    change_volume(samples, -3.0)
    np.testing.assert_array_equal(samples, before)


@pytest.mark.parametrize("gain", [float("nan"), float("inf")])
def test_no_number(gain: float) -> None:
    with pytest.raises(UsageError, match="finite gain"):
        change_volume(speech_like(), gain)
