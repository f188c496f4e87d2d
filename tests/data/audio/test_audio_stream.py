"""Audio in pieces: the samples of the whole recording, however it is cut; what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.audio.audio_stream import AudioStream
from recognizer.data.audio.conversion import as_audio
from recognizer.data.errors import SpeechError, UsageError


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, shape).astype(np.float32)


def converted(stream: AudioStream, pieces, rate: float) -> np.ndarray:
    return np.concatenate([*(stream.accept(piece, rate) for piece in pieces), stream.finish()])


@given(
    rate=st.sampled_from([4000, 8000, 11025, 16000, 22050, 44100, 48000, 12345.5]),
    channels=st.integers(1, 10),
    integers=st.booleans(),
    seconds=st.floats(0.001, 1.0),
    cuts=st.lists(st.floats(0, 1), max_size=30),
    data=st.data(),
)
def test_any_cutting_gives_the_samples_of_the_whole(rate, channels, integers, seconds, cuts, data):
    samples = noise(max(channels + 1, int(seconds * rate)), channels)
    if integers:
        samples = (samples * 32768).astype(np.int16)
    channel = data.draw(st.none() | st.integers(1, channels))
    pieces = np.split(samples, sorted(int(cut * len(samples)) for cut in cuts))
    found = converted(AudioStream(channel), pieces, rate)
    np.testing.assert_array_equal(found, as_audio(samples, rate, channel))


def test_the_layout_in_memory_makes_no_difference():
    samples = noise(1000, 9)
    expected = converted(AudioStream(), [samples], 8000)
    for other in (np.asfortranarray(samples), np.repeat(samples, 2, axis=0)[::2]):
        np.testing.assert_array_equal(converted(AudioStream(), [other], 8000), expected)
        np.testing.assert_array_equal(as_audio(other, 8000), expected)


def test_nothing_gives_nothing():
    assert len(AudioStream().finish()) == 0
    stream = AudioStream()
    assert len(stream.accept([], 8000)) == len(stream.accept(noise(0, 2)[:, 0], 8000)) == 0
    assert stream.seconds == 0.0
    assert len(stream.finish()) == 0


@pytest.mark.parametrize(
    ("samples", "rate", "error", "message"),
    [
        (noise(4, 2), 16000, UsageError, r"expected 8000 samples .* 1 channel.*, found 16000 and"),
        (noise(4, 2), 8000, UsageError, r"1 channel\(s\) as before, found 8000 and 2"),
        (noise(4), 8001, UsageError, "expected 8000 samples per second .* found 8001"),
        (noise(4), "8000", UsageError, "sample rate: expected 4000 to 768000 .* found str"),
        (noise(4), float("nan"), UsageError, "sample rate: expected 4000 to 768000 .* found nan"),
        (noise(2, 2, 2), 8000, UsageError, r"expected \[n\] or \[n, channels\] .* \[2, 2, 2\]"),
        (noise(4, 40), 8000, UsageError, r"1 to 32 channels, found \[4, 40\]"),
        (noise(4, 0), 8000, UsageError, r"found \[4, 0\]"),
        (np.float32(0.1), 8000, UsageError, r"found \[\]"),
        ("words", 8000, UsageError, "expected floats in"),
        (np.zeros(4, np.uint8), 8000, UsageError, "expected signed samples"),
        (np.full(4, 1 << 20), 8000, UsageError, "expected integers of 16 bits"),
        (np.full(4, 3000.0), 8000, SpeechError, "expected samples with full scale 1"),
        ([0.0, float("nan")], 8000, SpeechError, "not numbers or infinite, the first at 0.500 s"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_lost(samples, rate, error, message):
    whole = noise(8000)
    expected = as_audio(whole, 8000)
    stream = AudioStream()
    found = [stream.accept(whole[:3999], 8000)]
    with pytest.raises(error, match=message):
        stream.accept(samples, rate)
    found += [stream.accept(whole[3999:], 8000), stream.finish()]
    np.testing.assert_array_equal(np.concatenate(found), expected)
    assert stream.seconds == 1.0


def test_a_channel_that_is_not_there():
    with pytest.raises(UsageError, match="channel: expected 1 or more, found 0"):
        AudioStream(0)
    with pytest.raises(UsageError, match="expected a channel from 1 to 2, found 3"):
        AudioStream(3).accept(noise(4, 2), 16000)
