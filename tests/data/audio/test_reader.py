"""Recordings read in pieces: the samples of `read_audio`, whatever the format and the length."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.audio import file_bytes, mp3, sound_file, source
from recognizer.data.audio.file_bytes import FileBytes
from recognizer.data.audio.reader import AudioReader
from recognizer.data.audio.reading import audio_duration, read_audio
from recognizer.data.errors import SpeechError, UsageError
from sounds import tone


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short recordings in many blocks."""
    monkeypatch.setattr(sound_file, "BLOCK_FRAMES", 1000)
    monkeypatch.setattr(mp3, "_BLOCK_FRAMES", 20)


def noise(channels: int = 1, rate: int = 16000, seconds: float = 1.0) -> np.ndarray:
    generator = np.random.default_rng(channels)
    return generator.normal(0, 0.1, (round(rate * seconds), channels)).clip(-0.9, 0.9)


def encoded(
    samples: np.ndarray, rate: int, kind: str = "WAV", subtype: str | None = None
) -> io.BytesIO:
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format=kind, subtype=subtype)
    stream.seek(0)
    return stream


def joined(stream: io.BytesIO, channel: int | None = None) -> tuple[np.ndarray, int]:
    """The samples of all pieces, and how many pieces have some."""
    stream.seek(0)
    with AudioReader(stream, channel=channel) as reader:
        pieces = [piece for piece in reader if len(piece)]
    return np.concatenate(pieces), len(pieces)


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "FLOAT"),
        ("FLAC", None),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", None),
        ("AIFF", None),
    ],
)
@pytest.mark.parametrize("rate", [16000, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_pieces_are_the_whole(kind: str, subtype: str | None, rate: int, channels: int) -> None:
    stream = encoded(noise(channels, rate), rate, kind, subtype)
    expected = read_audio(io.BytesIO(stream.getvalue()))
    samples, pieces = joined(stream)
    np.testing.assert_array_equal(samples, expected)
    assert pieces > 1
    with AudioReader(io.BytesIO(stream.getvalue())) as reader:
        assert reader.seconds == audio_duration(io.BytesIO(stream.getvalue()))


def test_media_files_in_pieces() -> None:
    av = pytest.importorskip("av", reason="needs PyAV: pip install 'recognizer[media]'")
    stream = io.BytesIO()
    with av.open(stream, "w", format="mp4") as container:
        track = container.add_stream("aac", rate=44100, layout="mono")
        samples = np.rint(noise(1, 44100).T * 32767).astype(np.int16)
        for begin in range(0, samples.shape[1], 1024):
            part = np.ascontiguousarray(samples[:, begin : begin + 1024])
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
            frame.sample_rate = 44100
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    expected = read_audio(io.BytesIO(stream.getvalue()))
    found, pieces = joined(stream)
    np.testing.assert_array_equal(found, expected)
    assert pieces > 1


def test_channels_that_cancel_each_other() -> None:
    mono = noise()
    stream = encoded(np.hstack([0.5 * mono, -mono]), 16000)
    np.testing.assert_array_equal(joined(stream)[0], read_audio(io.BytesIO(stream.getvalue())))
    np.testing.assert_allclose(joined(stream)[0], -mono[:, 0], atol=1e-4)
    np.testing.assert_allclose(joined(stream, 1)[0], 0.5 * mono[:, 0], atol=1e-4)
    stream.seek(0)
    with pytest.raises(UsageError, match="expected a channel from 1 to 2, found 3"):
        AudioReader(stream, channel=3)


@pytest.mark.parametrize("scale", [1.0, 3.0, 32767.0])
def test_integers_held_in_floats(scale: float) -> None:
    samples = noise() * scale
    if scale > 100:
        samples = np.rint(samples)
    stream = encoded(samples.astype(np.float32), 16000, subtype="FLOAT")
    np.testing.assert_array_equal(joined(stream)[0], read_audio(io.BytesIO(stream.getvalue())))


def test_recordings_joined_end_to_end() -> None:
    for kind in ("WAV", "OGG", "MP3", "FLAC"):
        one = encoded(noise(1, 16000), 16000, kind).getvalue()
        two = encoded(noise(2, 24000), 24000, kind).getvalue()
        expected = read_audio(io.BytesIO(one + two))
        assert len(expected) >= 2 * 16000
        np.testing.assert_array_equal(joined(io.BytesIO(one + two))[0], expected)


def test_what_was_read_before_the_damage_is_given(tmp_path: Path) -> None:
    """The pieces before it, then the error of the whole reading."""
    content = bytearray(encoded(noise(1, 16000, 8.0), 16000, "FLAC").getvalue())
    middle = len(content) // 2
    content[middle : middle + 40000] = bytes(40000)
    path = tmp_path / "damaged.flac"
    path.write_bytes(content)
    with pytest.raises(SpeechError) as whole:
        read_audio(path)
    pieces = []
    with AudioReader(path) as reader, pytest.raises(SpeechError) as error:
        pieces.extend(reader)
    assert str(error.value).startswith(f"{path}: ")
    assert "damaged or cut short" in str(whole.value)
    before = np.concatenate(pieces)
    assert 2 * 16000 < len(before) <= 5 * 16000
    np.testing.assert_allclose(before, noise(1, 16000, 8.0)[: len(before), 0], atol=1e-4)


def test_samples_that_are_not_numbers_are_told_by_their_time() -> None:
    samples = noise(2, 16000, 4.0).astype(np.float32)
    samples[40000, 1] = np.nan
    stream = encoded(samples, 16000, subtype="FLOAT")
    pieces = []
    with AudioReader(stream) as reader, pytest.raises(SpeechError, match=r"the first at 2\.500 s"):
        pieces.extend(reader)
    assert sum(map(len, pieces)) == 40000
    empty = AudioReader(encoded(np.zeros((0, 1)), 16000))
    with empty, pytest.raises(SpeechError, match="found no samples"):
        list(empty)


def test_a_large_pipe_is_kept_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MEMORY_BYTES", 10_000)
    content = encoded(tone(), 16000).getvalue()
    with source.open_source(io.BytesIO(content))[1] as stream:
        assert not isinstance(stream, io.BytesIO)
        assert stream.read() == content
    samples = read_audio(io.BytesIO(content))
    np.testing.assert_array_equal(joined(io.BytesIO(content))[0], samples)


@given(content=st.binary(max_size=300), data=st.data())
def test_bytes_of_a_file_are_its_bytes(content: bytes, data: st.DataObject) -> None:
    """Slices and searches, with blocks much shorter than the file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_bytes, "_BLOCK", 16)
        found = FileBytes(io.BytesIO(content))
        assert len(found) == len(content)
        for _ in range(5):
            begin, end = data.draw(st.integers(0, 310)), data.draw(st.integers(0, 310))
            assert found[begin:end] == content[begin:end]
            wanted = data.draw(st.one_of(st.binary(min_size=1, max_size=2), st.just(b"\0\0\0")))
            wanted = content[begin : begin + 3] or wanted
            assert found.find(wanted, begin, end) == content.find(wanted, begin, end)
            assert found.find(wanted) == content.find(wanted)
