"""mp3: every frame that is there is decoded, whatever the headers say or leave out."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.data.audio.reading import SAMPLE_RATE, Samples, audio_duration, read_audio
from sounds import message, tone

FRAME = 576  # samples of a frame at 16 kHz (MPEG-2)
ID3V2 = b"ID3\x04\x00\x00\x00\x00\x02\x00" + bytes(256)
ID3V1 = b"TAG" + bytes(125)
APE = b"APETAGEX" + bytes(24)


def speechlike(seconds: float = 4.0, rate: int = SAMPLE_RATE, seed: int = 0) -> Samples:
    """Noise that comes and goes, so that frames of a variable bit rate differ in length."""
    noise = np.random.default_rng(seed).normal(0, 0.1, round(seconds * rate))
    swell = np.sin(np.arange(len(noise)) / rate * 5) ** 4
    return (noise * swell).astype(np.float32)


def encode(
    samples: Samples, rate: int = SAMPLE_RATE, mode: str = "VARIABLE", level: float = 0.5
) -> bytes:
    stream = io.BytesIO()
    with soundfile.SoundFile(
        stream, "w", rate, 1, format="MP3", bitrate_mode=mode, compression_level=level
    ) as sound:
        sound.write(samples)
    return stream.getvalue()


def frames(content: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of each frame of MPEG-2 layer III at 16 kHz."""
    kbps = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
    position = 0
    while position < len(content):
        third = content[position + 2]
        end = position + 72 * kbps[third >> 4] * 1000 // SAMPLE_RATE + (third >> 1 & 1)
        yield position, end
        position = end


def without_information(content: bytes) -> bytes:
    """As written into a pipe: the encoder could not go back to put in the Xing header."""
    (_, end), *_ = frames(content)
    assert b"Xing" in content[:end] or b"Info" in content[:end]
    return content[end:]


@pytest.fixture(scope="module")
def variable() -> bytes:
    content = encode(speechlike())
    lengths = {end - begin for begin, end in frames(content)}
    assert len(lengths) > 3
    return content


@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT", "AVERAGE"])
@pytest.mark.parametrize("lead", [0.0, 2.0])
def test_without_a_xing_header_every_frame_is_read(mode: str, lead: float) -> None:
    silence = np.zeros(round(lead * SAMPLE_RATE), np.float32)
    original = np.concatenate([silence, speechlike()])
    content = encode(original, mode=mode)
    bare = without_information(content)
    samples = read_audio(io.BytesIO(bare))
    number = sum(1 for _ in frames(bare))
    assert len(samples) == number * FRAME >= len(original)
    assert audio_duration(io.BytesIO(bare)) == number * FRAME / SAMPLE_RATE
    # With the header the encoder's delay and padding are cut off; the rest is the same.
    exact = read_audio(io.BytesIO(content))
    assert len(exact) == len(original)
    assert np.corrcoef(exact, original)[0, 1] > 0.8
    delay = 1105  # of LAME (576) and every decoder (529)
    np.testing.assert_array_equal(samples[delay : delay + len(exact)], exact)


@pytest.mark.parametrize("between", [b"", ID3V2, ID3V1, APE, ID3V1 + ID3V2, bytes(1000)])
@pytest.mark.parametrize("bare", [False, True])
def test_joined_recordings_are_read_wholly(variable: bytes, between: bytes, bare: bool) -> None:
    second = encode(tone(seconds=3.0))
    if bare:
        variable, second = without_information(variable), without_information(second)
    one, two = read_audio(io.BytesIO(variable)), read_audio(io.BytesIO(second))
    joined = io.BytesIO(variable + between + second)
    samples = read_audio(joined)
    assert len(samples) == len(one) + len(two)
    np.testing.assert_array_equal(samples[: len(one)], one)
    # Without headers it is one stream, and a decoder remembers the end of the first recording.
    np.testing.assert_allclose(samples[len(one) + 2 * FRAME :], two[2 * FRAME :], atol=1e-3)
    joined.seek(0)
    assert audio_duration(joined) == len(samples) / SAMPLE_RATE


def test_joined_recordings_of_different_rates() -> None:
    low, high = encode(tone()), encode(tone(44100, 2.0), 44100)
    expected = [read_audio(io.BytesIO(content)) for content in (low, high)]
    joined = low + high
    np.testing.assert_array_equal(read_audio(io.BytesIO(joined)), np.concatenate(expected))
    assert audio_duration(io.BytesIO(joined)) == pytest.approx(3.0)
    part = read_audio(io.BytesIO(joined), start=0.5, end=1.5)
    np.testing.assert_array_equal(part[:8000], expected[0][8000:])
    np.testing.assert_allclose(part[8000:15900], expected[1][:7900], atol=1e-3)
    # Also where no header says that another recording begins.
    bare = without_information(low) + high[high.index(b"\xff\xfb", 4) :]
    assert len(read_audio(io.BytesIO(bare))) > len(joined) / 100000 * SAMPLE_RATE


@pytest.mark.parametrize("before", [b"", ID3V2, ID3V2 + ID3V2, ID3V2 + bytes(500), bytes(300)])
@pytest.mark.parametrize("after", [b"", ID3V1, APE + ID3V1, bytes(700), b"\xff" * 700])
def test_tags_and_padding_are_no_sound(variable: bytes, before: bytes, after: bytes) -> None:
    expected = read_audio(io.BytesIO(variable))
    np.testing.assert_array_equal(read_audio(io.BytesIO(before + variable + after)), expected)


def test_mp3_in_a_wav_file(variable: bytes) -> None:
    bare = without_information(variable)
    form = b"WAVEfmt " + (30).to_bytes(4, "little") + b"\x55\x00\x01\x00" + bytes(26)
    form += b"data" + len(bare).to_bytes(4, "little") + bare
    content = b"RIFF" + len(form).to_bytes(4, "little") + form
    np.testing.assert_array_equal(read_audio(io.BytesIO(content)), read_audio(io.BytesIO(bare)))
    assert "cut short" in message(io.BytesIO(content[:-50]))


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_cut_short_only_when_it_is(variable: bytes, data: st.DataObject) -> None:
    # With a Xing header every cut is seen; without, each that is not between two frames.
    spans = list(frames(variable))
    begin, end = data.draw(st.sampled_from(spans[4:]))
    cut = data.draw(st.integers(begin, end - 1))
    if cut < spans[-1][0]:  # the header may count itself
        assert "cut short: expected" in message(io.BytesIO(variable[:cut]))
    bare = variable[spans[0][1] : cut]
    if cut == begin:
        assert len(read_audio(io.BytesIO(bare))) == (spans.index((begin, end)) - 1) * FRAME
    elif cut >= begin + 4:
        assert "cut short: expected a last frame of" in message(io.BytesIO(bare))


def test_a_recording_that_was_cut_out_of_a_longer_one(variable: bytes) -> None:
    spans = list(frames(variable))
    whole = read_audio(io.BytesIO(variable))
    # The cut is within a frame, and the first whole frames refer to ones that are gone.
    content = variable[spans[30][0] + 11 :]
    samples = read_audio(io.BytesIO(content))
    assert len(samples) == (len(spans) - 31) * FRAME
    same = min(len(whole), 50 * FRAME)
    offset = 30 * FRAME - 1105  # frame 31 is the 30th of sound
    np.testing.assert_allclose(
        samples[10 * FRAME : 10 * FRAME + same],
        whole[offset + 10 * FRAME : offset + 10 * FRAME + same],
        atol=1e-6,
    )


@settings(max_examples=20, deadline=None)
@given(start=st.floats(0, 3.9), length=st.floats(0.01, 4))
def test_a_part_is_that_part_of_the_whole(variable: bytes, start: float, length: float) -> None:
    whole = read_audio(io.BytesIO(variable))
    part = read_audio(io.BytesIO(variable), start=start, end=min(4.0, start + length))
    first, last = round(start * SAMPLE_RATE), round(min(4.0, start + length) * SAMPLE_RATE)
    np.testing.assert_array_equal(part, whole[first:last])


def test_damaged_frames_print_nothing(
    tmp_path: Path, variable: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    content = bytearray(variable)
    for begin, end in list(frames(variable))[1:]:
        if rng.random() < 0.3:  # behind the header, which would be another kind of damage
            content[rng.integers(begin + 4, end)] ^= int(rng.integers(1, 256))
    samples = read_audio(io.BytesIO(bytes(content)))
    assert len(samples) == len(read_audio(io.BytesIO(variable)))
    assert capfd.readouterr() == ("", "")


def test_other_bytes_are_no_mp3(capfd: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    sync = b"\xff\xfb\x90\x00"
    for content in (rng.bytes(100000), b"\xff" * 10000, sync * 3, ID3V2 + bytes(99), ID3V2 + sync):
        assert "found one that cannot be decoded" in message(io.BytesIO(content))
    assert capfd.readouterr() == ("", "")


def test_real_clips_to_the_last_sample(corpora: Path, capfd: pytest.CaptureFixture[str]) -> None:
    av = pytest.importorskip("av")
    paths = sorted((corpora.parent / "cases" / "mp3").glob("*.mp3"))
    if not paths:
        pytest.skip("no clips of Common Voice beside the speech corpora")
    for path in paths:
        with av.open(str(path)) as container:
            rate = container.streams.audio[0].rate
            blocks = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
        expected = soxr.resample(np.concatenate(blocks), rate, SAMPLE_RATE, quality="HQ")
        samples = read_audio(path)
        assert len(samples) == len(expected)
        np.testing.assert_allclose(samples, expected, atol=2e-4)
        assert audio_duration(path) == len(samples) / SAMPLE_RATE
    assert capfd.readouterr() == ("", "")
