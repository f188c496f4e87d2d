"""Audio: every format to 16 kHz mono, and one clear line for what cannot be read."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from recognizer.data.audio.reading import SAMPLE_RATE, audio_duration, read_audio
from recognizer.data.errors import SpeechError, UsageError
from sounds import FORMATS, encode, frequency_of, message, tone


@pytest.mark.parametrize(("name", "kind", "subtype", "tolerance"), FORMATS)
def test_every_format_gives_the_same_tone(
    tmp_path: Path, name: str, kind: str, subtype: str, tolerance: float
) -> None:
    path = tmp_path / name
    soundfile.write(path, tone(), SAMPLE_RATE, format=kind, subtype=subtype)
    samples = read_audio(path)
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert samples.flags.c_contiguous
    assert len(samples) == SAMPLE_RATE
    assert frequency_of(samples) == pytest.approx(440.0, abs=1.0)
    # Codecs differ at the edges; the middle is the tone within the codec's noise.
    middle = slice(4000, 12000)
    assert np.abs(samples[middle] - tone()[middle]).max() < tolerance
    assert audio_duration(path) == pytest.approx(1.0)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_other_sample_rates_are_resampled(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(rate), rate)
    samples = read_audio(path)
    assert abs(len(samples) - SAMPLE_RATE) <= 1
    assert frequency_of(samples) == pytest.approx(440.0, abs=1.0)
    assert np.abs(samples[2000:14000]).max() == pytest.approx(0.3, rel=0.01)


def test_8_khz_stereo_is_averaged_and_resampled(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    left, right = tone(8000), tone(8000, frequency=700.0)
    soundfile.write(path, np.stack([left, right], axis=1), 8000, subtype="FLOAT")
    soundfile.write(tmp_path / "mono.wav", (left + right) / 2, 8000, subtype="FLOAT")
    samples = read_audio(path)
    assert len(samples) == SAMPLE_RATE
    np.testing.assert_allclose(samples, read_audio(tmp_path / "mono.wav"), atol=1e-6)


def test_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = encode(tone())
    path = tmp_path / "tone.wav"
    path.write_bytes(raw)
    expected = read_audio(path)
    np.testing.assert_array_equal(read_audio(str(path)), expected)
    stream = io.BytesIO(raw)
    np.testing.assert_array_equal(read_audio(stream), expected)
    assert not stream.closed

    class Unseekable(io.BytesIO):
        def seek(self, *_: object) -> int:
            raise io.UnsupportedOperation("seek")

    np.testing.assert_array_equal(read_audio(Unseekable(raw)), expected)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
    np.testing.assert_array_equal(read_audio("-"), expected)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert message("-") == "standard input: expected a recording, found an empty file"


@pytest.mark.parametrize("name", ["tone.wav", "tone.flac"])
def test_a_part_is_that_part_of_the_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    soundfile.write(path, tone(), SAMPLE_RATE)
    whole = read_audio(path)
    np.testing.assert_array_equal(read_audio(path, start=0.25, end=0.75), whole[4000:12000])
    np.testing.assert_array_equal(read_audio(path, start=0.25), whole[4000:])
    np.testing.assert_array_equal(read_audio(path, end=0.75), whole[:12000])
    # Segments may overshoot a little, as in Kaldi.
    np.testing.assert_array_equal(read_audio(path, start=0.5, end=1.4), whole[8000:])


def test_impossible_parts(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    path.write_bytes(encode(tone()))
    assert "start before the end at 1.000 s, found 1.000 s" in message(path, start=1.0)
    assert "within the recording's 1.000 s, found 1.600 s" in message(path, end=1.6)
    assert "expected audio, found no samples" in message(path, start=0.5, end=0.500001)
    for start, end in [(-0.1, 1.0), (0.5, 0.5), (0.5, 0.2), (float("nan"), 1.0)]:
        with pytest.raises(UsageError, match="expected 0 <= start < end"):
            read_audio(path, start=start, end=end)


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_a_header_without_a_length_is_read_to_the_end(kind: str) -> None:
    # As written into a pipe, where the writer cannot go back.
    raw = bytearray(encode(tone(), kind=kind))
    expected = read_audio(io.BytesIO(bytes(raw)))
    if kind == "FLAC":  # STREAMINFO: 36 bits of total samples
        raw[21] &= 0xF0
        raw[22:26] = bytes(4)
        variants = [raw]
    else:
        data = raw.index(b"data")
        variants = []
        for length in (0, 0x7FFFFFFF, 0xFFFFFFFF):
            variant = raw.copy()
            variant[4:8] = variant[data + 4 : data + 8] = length.to_bytes(4, "little")
            variants.append(variant)
    for variant in variants:
        np.testing.assert_array_equal(read_audio(io.BytesIO(bytes(variant))), expected)
        assert audio_duration(io.BytesIO(bytes(variant))) == 1.0
        part = read_audio(io.BytesIO(bytes(variant)), start=0.5, end=0.75)
        np.testing.assert_array_equal(part, expected[8000:12000])


@pytest.mark.parametrize(("name", "kind", "subtype", "_"), FORMATS)
@pytest.mark.parametrize("fraction", [0.5, 0.9])
def test_a_file_cut_short_is_refused(
    tmp_path: Path, name: str, kind: str, subtype: str, _: float, fraction: float
) -> None:
    path = tmp_path / name
    soundfile.write(path, tone(), SAMPLE_RATE, format=kind, subtype=subtype)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * fraction)])
    assert message(path).startswith(f"{path}: ")


def test_what_is_no_audio_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.wav"
    assert message(missing) == f"{missing}: no such file"
    assert message(tmp_path) == f"{tmp_path}: expected an audio file, found a directory"
    text = tmp_path / "notes.txt"
    text.write_text("These are words, not sounds.\n")
    assert "expected a recording (wav, flac, ogg, opus, mp3" in message(text)
    text.rename(tmp_path / "notes.wav")
    assert "Format not recognised" in message(tmp_path / "notes.wav")
    (tmp_path / "samples.raw").write_bytes(bytes(1000))
    assert "Format not recognised" in message(tmp_path / "samples.raw")
    (tmp_path / "nothing.wav").write_bytes(b"")
    assert "found an empty file" in message(tmp_path / "nothing.wav")
    with pytest.raises(SpeechError, match="no such file"):
        audio_duration(missing)


def test_a_header_without_samples(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    path.write_bytes(encode(tone(seconds=0.0)))
    assert message(path) == f"{path}: expected audio, found no samples"


def test_an_empty_data_chunk_before_other_chunks_stays_empty(tmp_path: Path) -> None:
    raw = encode(tone(seconds=0.0)) + b"LIST" + (4).to_bytes(4, "little") + b"INFO"
    raw = raw[:4] + (len(raw) - 8).to_bytes(4, "little") + raw[8:]
    assert "found no samples" in message(io.BytesIO(raw))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(tmp_path: Path, value: float) -> None:
    samples = tone()
    samples[[8000, 8001]] = value
    path = tmp_path / "bad.wav"
    soundfile.write(path, samples, SAMPLE_RATE, subtype="FLOAT")
    assert message(path) == (
        f"{path}: expected finite samples, found 2 that are not numbers or infinite, "
        "the first at 0.500 s"
    )


def test_a_very_short_recording_is_read(tmp_path: Path) -> None:
    path = tmp_path / "click.wav"
    path.write_bytes(encode(tone(seconds=0.05)))
    assert len(read_audio(path)) == 800


def test_real_speech(corpora: Path) -> None:
    path = corpora / "mini-librispeech" / "dev" / "audio" / "26" / "26-495-0000.opus"
    samples = read_audio(path)
    assert len(samples) == round(audio_duration(path) * SAMPLE_RATE)
    assert 0.05 < np.abs(samples).max() <= 1.0
    part = read_audio(path, start=1.0, end=2.0)
    assert len(part) == SAMPLE_RATE
    # Opus starts anew where it seeks to; after its pre-roll it is the same decoder.
    assert np.abs(part[4000:] - samples[20000:32000]).max() < 0.02
