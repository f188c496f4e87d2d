"""Sounds to write into files, and what is said about files that are refused."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import soundfile

from recognizer.data.audio.reading import SAMPLE_RATE, Samples, read_audio
from recognizer.data.errors import SpeechError

FORMATS = [  # name, format and subtype for soundfile, the codec's noise
    ("tone.wav", "WAV", "PCM_16", 1e-3),
    ("float.wav", "WAV", "FLOAT", 1e-6),
    ("deep.wav", "WAV", "PCM_24", 1e-5),
    ("mu.wav", "WAV", "ULAW", 0.05),
    ("tone.rf64", "RF64", "PCM_16", 1e-3),
    ("tone.w64", "W64", "PCM_16", 1e-3),
    ("tone.aiff", "AIFF", "PCM_16", 1e-3),
    ("tone.au", "AU", "PCM_16", 1e-3),
    ("tone.caf", "CAF", "PCM_16", 1e-3),
    ("tone.sph", "NIST", "PCM_16", 1e-3),
    ("tone.flac", "FLAC", "PCM_16", 1e-3),
    ("tone.ogg", "OGG", "VORBIS", 0.05),
    ("tone.opus", "OGG", "OPUS", 0.05),
    ("tone.mp3", "MP3", "MPEG_LAYER_III", 0.05),
]


def tone(rate: int = SAMPLE_RATE, seconds: float = 1.0, frequency: float = 440.0) -> Samples:
    times = np.arange(round(rate * seconds)) / rate
    return (0.3 * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


def encode(
    samples: Samples, rate: int = SAMPLE_RATE, kind: str = "WAV", subtype: str | None = None
) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format=kind, subtype=subtype)
    return stream.getvalue()


def frequency_of(samples: Samples) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * SAMPLE_RATE / len(samples))


def message(source: Any, **options: Any) -> str:
    """The one line with which a recording is refused."""
    with pytest.raises(SpeechError) as caught:
        read_audio(source, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


def encode_media(samples: Samples, kind: str, codec: str, rate: int = SAMPLE_RATE) -> bytes:
    """The samples `[N]` as a media file, by PyAV; skips the test where PyAV cannot write it."""
    av = pytest.importorskip("av")
    stream = io.BytesIO()
    with av.open(stream, "w", format=kind) as container:
        try:
            audio = container.add_stream(codec, rate=rate, layout="mono")
        except (av.error.FFmpegError, ValueError) as error:
            pytest.skip(f"this PyAV cannot encode {codec}: {error}")
        audio.bit_rate = 48000  # some encoders refuse PyAV's default
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        for packet in [*audio.encode(frame), *audio.encode(None)]:
            container.mux(packet)
    return stream.getvalue()
