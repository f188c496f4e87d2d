"""Containers: joined files are read wholly, truncated ones refused, missing lengths found."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from recognizer.data.audio.reading import SAMPLE_RATE, audio_duration, read_audio
from sounds import FORMATS, encode, encode_media, message, tone

JOINABLE = [
    ("WAV", "PCM_16"),
    ("WAV", "FLOAT"),
    ("RF64", "PCM_16"),
    ("AIFF", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
]


@pytest.mark.parametrize(("kind", "subtype"), JOINABLE)
def test_joined_files_are_read_wholly(kind: str, subtype: str) -> None:
    files = [
        encode(tone(16000, 1.0, 300.0), 16000, kind, subtype),
        encode(tone(24000, 0.51, 500.0), 24000, kind, subtype),
        encode(tone(16000, 0.7, 700.0), 16000, kind, subtype),
    ]
    expected = [read_audio(io.BytesIO(content)) for content in files]
    joined = b"".join(files)
    whole = np.concatenate(expected)
    np.testing.assert_array_equal(read_audio(io.BytesIO(joined)), whole)
    assert audio_duration(io.BytesIO(joined)) == pytest.approx(2.21)
    # A part may lie in several of them; each is resampled, and Opus decoded, from its own start.
    part = read_audio(io.BytesIO(joined), start=0.75, end=1.75)
    assert len(part) == SAMPLE_RATE
    np.testing.assert_allclose(part[4000:8000], whole[16000:20000], atol=0.02)
    last = read_audio(io.BytesIO(joined), start=1.6)
    np.testing.assert_allclose(last[2000:], whole[round(1.6 * SAMPLE_RATE) + 2000 :], atol=0.02)
    for size in (len(joined) - 100, len(files[0]) + len(files[1]) // 2):
        assert "cut short" in message(io.BytesIO(joined[:size]))


def test_joined_ogg_flac_is_read_wholly() -> None:
    one = encode_media(tone(), "ogg", "flac")
    two = encode_media(tone(frequency=700.0), "ogg", "flac")
    samples = read_audio(io.BytesIO(one + two))
    expected = [read_audio(io.BytesIO(content)) for content in (one, two)]
    np.testing.assert_array_equal(samples, np.concatenate(expected))


@pytest.mark.parametrize(
    "after", [b"TAG" + bytes(125), b"ID3\x04" + bytes(5) + b"\x0a" + bytes(10), bytes(5000)]
)
@pytest.mark.parametrize("kind", ["WAV", "AIFF", "FLAC"])
def test_tags_after_the_sound(kind: str, after: bytes) -> None:
    content = encode(tone(), kind=kind)
    expected = read_audio(io.BytesIO(content))
    np.testing.assert_array_equal(read_audio(io.BytesIO(content + after)), expected)
    joined = content + after + content
    if kind == "FLAC":
        assert len(read_audio(io.BytesIO(joined))) == 2 * len(expected)


@pytest.mark.parametrize(("name", "kind", "subtype", "_"), FORMATS)
def test_a_truncated_file_is_never_read_in_part(
    name: str, kind: str, subtype: str, _: float, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE).astype(np.float32)
    content = encode(noise, kind=kind, subtype=subtype)
    for size in np.linspace(1, len(content) - 2, 40).astype(int):
        assert message(io.BytesIO(content[:size])).startswith("the given stream: ")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("kind", "at", "length", "values"),
    [
        ("RF64", 28, 8, [0, (1 << 64) - 1]),
        ("W64", 0, 8, [(1 << 63) - 1]),
        ("AIFF", 0, 4, [0x7F000008, 0x7FFFFFFF, 0xFFFFFFFF]),
        ("AU", 8, 4, [0xFFFFFFFF]),
        ("CAF", 0, 8, [(1 << 64) - 1]),
    ],
)
def test_lengths_that_a_writer_could_not_go_back_to_fill_in(
    kind: str, at: int, length: int, values: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    content = encode(tone(), kind=kind)
    expected = read_audio(io.BytesIO(content))
    data = {"W64": b"data", "AIFF": b"SSND", "CAF": b"data"}.get(kind)
    if data is not None:
        at = content.rindex(data, 0, 8192) + (16 if kind == "W64" else 4)
    order = "little" if kind in ("RF64", "W64") else "big"
    for value in values:
        written = content[:at] + value.to_bytes(length, order) + content[at + length :]
        if kind == "W64":  # the file's own length too
            written = written[:16] + b"\xff" * 8 + written[24:]
        samples = read_audio(io.BytesIO(written))
        assert len(samples) >= len(expected)  # libsndfile may take a closing chunk for samples
        np.testing.assert_array_equal(samples[: len(expected)], expected)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["tone.raw", "tone.mp3", "tone.txt", "tone", "tone.flac"])
def test_the_content_tells_the_format_not_the_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for kind in ("WAV", "AIFF", "OGG"):
        content = encode(tone(), kind=kind)
        path.write_bytes(content)
        expected = read_audio(io.BytesIO(content))
        np.testing.assert_array_equal(read_audio(path), expected)


@pytest.mark.parametrize("rate", [1, 3999, 768001, 0x7FFFFFFF])
def test_absurd_sample_rates_are_refused(rate: int) -> None:
    content = bytearray(encode(tone()))
    content[24:28] = rate.to_bytes(4, "little")
    assert message(io.BytesIO(bytes(content))) == (
        f"the given stream: expected 4000 to 768000 samples per second, found {rate}"
    )


def test_absurd_numbers_of_channels_are_refused() -> None:
    content = encode(np.zeros((100, 33), np.float32))
    assert message(io.BytesIO(content)) == (
        "the given stream: expected at most 32 channels, found 33"
    )


def test_damaged_headers_are_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for _, kind, subtype, _ in FORMATS:
        content = encode(tone(seconds=0.2), kind=kind, subtype=subtype)
        for _ in range(60):
            damaged = bytearray(content)
            for at in rng.integers(0, min(len(content), 100), 3):
                damaged[at] = rng.integers(0, 256)
            try:
                samples = read_audio(io.BytesIO(bytes(damaged)))
            except Exception as error:
                assert type(error).__name__ in ("SpeechError", "UsageError"), repr(error)
                assert "\n" not in str(error)
            else:
                assert len(samples)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["FLAC", "OGG"])
def test_a_file_that_grows_is_looked_at_again(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "growing"
    content = encode(tone(), kind=kind)
    for number in (1, 2, 3):
        with path.open("ab") as file:
            file.write(content)
        for _ in range(2):
            assert len(read_audio(path)) == number * SAMPLE_RATE
        assert len(read_audio(path, start=number - 0.5)) == SAMPLE_RATE // 2
