"""Reverberation keeps the direct sound's time; files of responses are whole or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recognizer.data.augmentation.filtering import band_pass, convolve
from recognizer.data.augmentation.reverberation import (
    RoomResponse,
    read_responses,
    reverberate,
    write_responses,
)
from recognizer.data.errors import SpeechError
from signals import delay, level_db, speech_like


def response(seed: int = 0, direct: int = 123) -> RoomResponse:
    """A direct sound, then an echo and decaying noise."""
    rng = np.random.default_rng(seed)
    samples = np.zeros(4000, np.float32)
    samples[direct:] = (
        0.05 * rng.normal(size=4000 - direct) * np.exp(-np.arange(4000 - direct) / 900)
    )
    samples[direct], samples[direct + 500] = 1.0, 0.4
    return RoomResponse(samples, direct)


@pytest.mark.parametrize("length", [1, 3, 1000, 12345])
@pytest.mark.parametrize("taps", [1, 2, 161, 4000])
def test_convolution_is_that_of_numpy(length: int, taps: int) -> None:
    rng = np.random.default_rng(length)
    samples = rng.normal(size=length).astype(np.float32)
    impulse = rng.normal(size=taps).astype(np.float32)
    delayed = taps // 2
    expected = np.convolve(samples.astype(np.float64), impulse)[delayed : delayed + length]
    found = convolve(samples, impulse, delayed)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5 * taps)


def test_band_pass() -> None:
    taps = band_pass(300.0, 3400.0, 8000.0, 161)
    gain = np.abs(np.fft.rfft(taps, 8000))  # a bin is a hertz
    assert gain[450:3250].min() > 0.98 and gain[450:3250].max() < 1.02
    assert gain[[300, 3400]] == pytest.approx([0.5, 0.5], abs=0.02)
    assert gain[:150].max() < 0.01 and gain[3550:].max() < 0.01


@pytest.mark.parametrize("direct", [0, 123, 2000])
def test_time_and_level_stay(direct: int) -> None:
    speech = speech_like()
    heard = reverberate(speech, response(direct=direct))
    assert heard.dtype == np.float32 and len(heard) == len(speech)
    assert delay(speech, heard) == 0
    assert level_db(heard) == pytest.approx(level_db(speech), abs=0.01)
    assert level_db(heard - speech) > level_db(speech) - 20


def test_never_clips() -> None:
    loud = 5 * speech_like()
    heard = reverberate(loud, response())
    assert np.abs(heard).max() <= np.abs(loud).max() + 1e-4


def test_silence_stays_silent() -> None:
    silence = np.zeros(100, np.float32)
    np.testing.assert_array_equal(reverberate(silence, response()), silence)


def test_a_file_of_responses(tmp_path: Path) -> None:
    path = tmp_path / "rooms"
    written = [response(seed, 10 + seed) for seed in range(3)]
    write_responses(path, written, {"seed": 1})
    for one, other in zip(written, read_responses(path), strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)
        assert one.direct == other.direct


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rooms"
    write_responses(path, [response()], None)
    whole = path.read_bytes()
    for name, content in (
        ("short", whole[:-8]),
        ("changed", whole[:-900] + bytes([whole[-900] ^ 1]) + whole[-899:]),
        ("other", b"RIFF and so on"),
        ("empty", b""),
    ):
        damaged = tmp_path / name
        damaged.write_bytes(content)
        with pytest.raises(SpeechError) as caught:
            read_responses(damaged)
        assert str(caught.value).startswith(f"{damaged}: ") and "\n" not in str(caught.value)
    with pytest.raises(SpeechError, match=r"nowhere: cannot be read"):
        read_responses(tmp_path / "nowhere")
