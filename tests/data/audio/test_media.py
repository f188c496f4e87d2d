"""Media files that PyAV reads: decoded wholly, refused when cut short, named when it is missing."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest

from recognizer.data.audio.reading import SAMPLE_RATE, audio_duration, read_audio
from sounds import encode_media, frequency_of, message, tone

MEDIA = [  # the format's ending, FFmpeg's name of it, codec, rate
    ("m4a", "ipod", "aac", 16000),
    ("mp4", "mp4", "aac", 44100),
    ("mov", "mov", "alac", 16000),
    ("aac", "adts", "aac", 16000),
    ("webm", "webm", "libopus", 48000),
    ("mkv", "matroska", "libmp3lame", 16000),
    ("mka", "matroska", "flac", 16000),
    ("wma", "asf", "wmav2", 16000),
    ("oga", "ogg", "flac", 16000),
    ("wav", "wav", "g722", 16000),
]


@pytest.mark.parametrize(("ending", "kind", "codec", "rate"), MEDIA)
def test_media_files_are_read_wholly(
    tmp_path: Path, ending: str, kind: str, codec: str, rate: int, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"tone.{ending}"
    path.write_bytes(encode_media(tone(rate, 2.0), kind, codec, rate))
    samples = read_audio(path)
    # Encoders add at most a frame or two at the ends.
    assert 1.9 < len(samples) / SAMPLE_RATE < 2.2
    assert audio_duration(path) == pytest.approx(len(samples) / SAMPLE_RATE, abs=1e-4)
    assert frequency_of(samples) == pytest.approx(440.0, abs=1.0)
    middle = samples[8000:24000]
    assert np.abs(middle).max() == pytest.approx(0.3, abs=0.03)
    np.testing.assert_array_equal(read_audio(io.BytesIO(path.read_bytes())), samples)
    part = read_audio(path, start=0.5, end=1.5)
    assert len(part) == SAMPLE_RATE
    np.testing.assert_allclose(part[2000:14000], samples[10000:22000], atol=2e-3)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("ending", "kind", "codec", "rate"), MEDIA)
@pytest.mark.parametrize("fraction", [0.3, 0.6, 0.85])
def test_media_files_cut_short_are_refused(
    tmp_path: Path,
    ending: str,
    kind: str,
    codec: str,
    rate: int,
    fraction: float,
    capfd: pytest.CaptureFixture[str],
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 3 * rate).astype(np.float32)
    content = encode_media(noise, kind, codec, rate)
    path = tmp_path / f"noise.{ending}"
    path.write_bytes(content[: int(fraction * len(content))])
    assert message(path).startswith(f"{path}: ")
    assert capfd.readouterr() == ("", "")


def test_without_pyav_the_message_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "talk.m4a"
    path.write_bytes(encode_media(tone(), "ipod", "aac"))
    monkeypatch.setitem(sys.modules, "av", None)
    assert message(path) == (
        f"{path}: expected a recording (wav, flac, ogg, opus, mp3; with "
        "`pip install 'recognizer[media]'` also m4a, mp4, aac, webm, mkv, wma), "
        "found one that cannot be decoded: Format not recognised"
    )


def test_a_film_without_sound(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "silent.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width = video.height = 64
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        for packet in [*video.encode(frame), *video.encode(None)]:
            container.mux(packet)
    assert message(path) == f"{path}: expected audio, found a file without an audio stream"


def test_play_lists_open_no_other_file(tmp_path: Path) -> None:
    pytest.importorskip("av")
    secret = tmp_path / "secret.aac"
    secret.write_bytes(encode_media(tone(), "adts", "aac"))
    for name, content in {
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n",
        "list.ffconcat": f"ffconcat version 1.0\nfile {secret}\n",
        "list.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
    }.items():
        (tmp_path / name).write_text(content)
        assert "found one that cannot be decoded" in message(tmp_path / name)
