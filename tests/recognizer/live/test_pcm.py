"""Raw samples from pipes: the same however they arrive; wav headers; what cannot be."""

from __future__ import annotations

import io
import os
import threading
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError, UsageError
from recognizer.live.pcm import PcmFormat, PcmInput

SAMPLES = np.arange(-3000, 3000, dtype=np.int16)
MONO = PcmFormat()


def read(data: bytes, form: PcmFormat = MONO, cuts: tuple[int, ...] = ()) -> tuple[np.ndarray, int]:
    """What arrives through a pipe that is written in parts; and the rate."""
    reader, writer = os.pipe()

    def write() -> None:
        for begin, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
            os.write(writer, data[begin:end])
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        pieces = list(PcmInput("standard input", reader, form, lambda: False).pieces())
    finally:
        thread.join()
        os.close(reader)
    assert len({rate for _, rate in pieces}) == 1
    return np.concatenate([samples for samples, _ in pieces]), pieces[0][1]


@given(st.lists(st.integers(0, len(SAMPLES) * 2), max_size=6).map(sorted).map(tuple))
def test_samples_do_not_depend_on_how_they_arrive(cuts: tuple[int, ...]):
    found, rate = read(SAMPLES.tobytes(), cuts=cuts)
    assert rate == 16000
    np.testing.assert_array_equal(found, SAMPLES[:, None])
    stereo = SAMPLES.astype("<f4") / 32768
    found, rate = read(stereo.tobytes(), PcmFormat(44100, 2, "f32le"), cuts)
    assert rate == 44100
    np.testing.assert_array_equal(found, stereo.reshape(-1, 2))


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
def test_a_wav_header_is_obeyed(subtype: str, form: str):
    audio = np.linspace(-0.5, 0.5, 4000).reshape(-1, 2)
    file = io.BytesIO()
    soundfile.write(file, audio, 22050, format=form, subtype=subtype)
    data = file.getvalue()
    found, rate = read(data, cuts=(3, 17, 50, 1001))
    scale = 1 if subtype == "FLOAT" else 32768
    assert rate == 22050
    np.testing.assert_allclose(found / scale, audio, atol=1e-4)
    # What follows the samples in a file is no sound.
    np.testing.assert_array_equal(read(data + b"LIST\4\0\0\0abcd")[0], found)


def test_a_wav_of_unknown_length_is_read_to_its_end():
    """As arecord and others write it into a pipe."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, 8000, 0, "NONE", ""))
        writer.writeframes(SAMPLES.tobytes())
    data = bytearray(file.getvalue())
    for length in (0x7FFFFFC4, 0xFFFFFFFF, 0):
        data[40:44] = length.to_bytes(4, "little")
        found, rate = read(bytes(data))
        assert rate == 8000
        np.testing.assert_array_equal(found[:, 0], SAMPLES)


@pytest.mark.parametrize(
    ("data", "form", "message"),
    [
        (b"", MONO, "expected raw PCM, found nothing"),
        (
            b"abc",
            MONO,
            r"expected whole samples of 2 bytes \(s16le of 1 channel\), found 1 left",
        ),
        (
            bytes(13),
            PcmFormat(16000, 2, "f32le"),
            r"of 8 bytes \(f32le of 2 channels\), found 5 left",
        ),
        (b"fLaC" + bytes(90), MONO, r"found FLAC \(recognize without --live reads it\)"),
        (b"OggS" + bytes(90), MONO, "found Ogg"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", MONO, "expected a wav file's format before"),
        (b"RIFF\0\0\0\0WAVEfm", MONO, "found the end within the header of a wav file"),
        (b"RIFF\0\0\0\0WAVEx   \xff\xff\xff\xff", MONO, "found 4294967295 bytes"),
        (
            b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\0\0\0\0\1\0\x08\0",
            MONO,
            "found a wav file of 8 bits, format 1",
        ),
        (
            b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\1\0\0\0\x40\x1f\0\0\0\0\0\0\2\0\x10\0",
            MONO,
            "wav file: channels: expected 1 to 32, found 0",
        ),
    ],
)
def test_what_is_no_pcm_is_refused(data: bytes, form: PcmFormat, message: str):
    with pytest.raises(SpeechError, match=f"^standard input: .*{message}"):
        read(data, form)


def test_samples_before_an_odd_end_are_given():
    reader, writer = os.pipe()
    os.write(writer, SAMPLES[:10].tobytes() + b"x")
    os.close(writer)
    pieces = PcmInput("standard input", reader, MONO, lambda: False).pieces()
    np.testing.assert_array_equal(next(pieces)[0][:, 0], SAMPLES[:10])
    with pytest.raises(SpeechError, match="found 1 left over at the end"):
        next(pieces)
    os.close(reader)


def test_it_ends_when_it_is_asked_to_though_nothing_arrives():
    """With what has arrived before."""
    reader, writer = os.pipe()
    os.write(writer, SAMPLES.tobytes() + b"x")
    asked = iter([False, False])
    found = PcmInput("standard input", reader, MONO, lambda: next(asked, True)).pieces()
    np.testing.assert_array_equal(np.concatenate([one for one, _ in found])[:, 0], SAMPLES)
    os.close(reader)
    os.close(writer)
    endless = os.open("/dev/zero", os.O_RDONLY)
    found = PcmInput("standard input", endless, MONO, lambda: True).pieces()
    assert 0 < sum(len(one) for one, _ in found) < 50_000
    os.close(endless)


def test_a_descriptor_that_cannot_be_read(tmp_path: Path):
    descriptor = os.open(tmp_path / "x", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(SpeechError, match="standard input: cannot be read"):
        list(PcmInput("standard input", descriptor, MONO, lambda: False).pieces())
    os.close(descriptor)


def test_impossible_formats_are_named():
    for values, message in (
        ((100,), "sample rate: expected 4000 to 768000, found 100"),
        ((16000, 0), "channels: expected 1 to 32, found 0"),
        ((16000, 1, "s24le"), "encoding: expected s16le or f32le, found s24le"),
    ):
        with pytest.raises(UsageError, match=message):
            PcmFormat(*values)  # type: ignore[arg-type]
