"""Which sound several channels give."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import soundfile

from recognizer.data.audio.reading import Samples, as_audio, read_audio
from recognizer.data.errors import UsageError
from sounds import tone

SECONDS = 9.0  # more than a decoder's block
LEFT = tone(seconds=SECONDS)
RIGHT = tone(seconds=SECONDS, frequency=700.0)


def read(*channels: Samples, **options: Any) -> Samples:
    stream = io.BytesIO()
    soundfile.write(stream, np.stack(channels, axis=1), 16000, format="WAV", subtype="FLOAT")
    stream.seek(0)
    samples = read_audio(stream, **options)
    np.testing.assert_allclose(samples, as_audio(np.stack(channels), **options), atol=1e-6)
    return samples


def test_the_mean() -> None:
    silence = np.zeros_like(LEFT)
    np.testing.assert_array_equal(read(LEFT, RIGHT), (LEFT + RIGHT) / 2)
    np.testing.assert_array_equal(read(LEFT, LEFT), LEFT)
    np.testing.assert_array_equal(read(LEFT, silence), LEFT / 2)
    np.testing.assert_allclose(read(LEFT, *[silence] * 5), LEFT / 6, atol=1e-7)
    np.testing.assert_array_equal(read(silence, silence), silence)
    rng = np.random.default_rng(0)
    for number in (2, 3, 6, 8):  # unrelated channels do not cancel each other
        noises = rng.normal(0, 0.1, (number, len(LEFT))).astype(np.float32)
        np.testing.assert_allclose(read(*noises), noises.mean(axis=0), atol=1e-6)


def test_channels_that_cancel_each_other() -> None:
    np.testing.assert_array_equal(read(LEFT, -LEFT), LEFT)
    np.testing.assert_array_equal(read(0.5 * LEFT, -LEFT), -LEFT)
    np.testing.assert_array_equal(read(LEFT, -0.6 * LEFT), LEFT)
    np.testing.assert_array_equal(read(LEFT, RIGHT, -LEFT, -RIGHT), LEFT)
    noise = np.random.default_rng(0).normal(0, 0.003, (2, len(LEFT))).astype(np.float32)
    np.testing.assert_array_equal(read(*(np.stack([LEFT, -0.9 * LEFT]) + noise)), LEFT + noise[0])
    # A constant is no sound, in one channel or in their mean.
    np.testing.assert_array_equal(read(LEFT + 0.2, 0.2 - LEFT), LEFT + 0.2)


def test_one_channel() -> None:
    for index, expected in enumerate([LEFT, -LEFT, RIGHT], start=1):
        np.testing.assert_array_equal(read(LEFT, -LEFT, RIGHT, channel=index), expected)
    np.testing.assert_array_equal(read(LEFT, RIGHT, channel=2)[16000:32000], RIGHT[16000:32000])
    for channel in (0, 3, -1):
        with pytest.raises(UsageError, match=f"expected a channel from 1 to 2, found {channel}"):
            read(LEFT, RIGHT, channel=channel)
    np.testing.assert_array_equal(as_audio(LEFT, channel=1), LEFT)
    with pytest.raises(UsageError, match="expected a channel from 1 to 1, found 2"):
        as_audio(LEFT, channel=2)


def test_integers_held_in_a_float_file() -> None:
    # As scipy.io.wavfile.write leaves them.
    integers = np.rint(LEFT * 32767).astype(np.float32)
    np.testing.assert_array_equal(read(integers, integers), integers / 32768)
