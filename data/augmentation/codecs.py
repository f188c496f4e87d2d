"""Speech through lossy codecs, by PyAV (FFmpeg's libraries); PyAV is the extra `media`."""

from __future__ import annotations

import io
import itertools
from typing import Any, Literal, get_args

import numpy as np

from recognizer.data.audio.reading import SAMPLE_RATE, Samples
from recognizer.data.errors import SpeechError, UsageError

Codec = Literal["mp3", "opus", "aac"]
"""MPEG-2 layer III (LAME), Opus, and AAC-LC."""

CODECS: tuple[Codec, ...] = get_args(Codec)

# FFmpeg's encoder, and a container that tells its delay exactly, so that decoding removes it.
_ENCODERS: dict[Codec, tuple[str, str]] = {
    "mp3": ("libmp3lame", "mp3"),
    "opus": ("libopus", "ogg"),
    "aac": ("aac", "matroska"),
}
_BIT_RATES = 6_000, 160_000  # all of them know these, or the nearest that they have


def code(samples: Samples, codec: Codec, bit_rate: int) -> Samples:
    """Encode and decode.

    Args:
        samples: float32 `[N]`, at least one.
        codec: which.
        bit_rate: about, in bits per second: mp3 takes the nearest of its rates.

    Returns:
        float32 `[N]`, not delayed; codecs may leave [-1, 1] by what they overshoot.

    Raises:
        UsageError: another codec, or a bit rate outside [6000, 160000].
        SpeechError: no PyAV, or one without the codec.
    """
    if codec not in CODECS:
        raise UsageError(f"codec: expected {' or '.join(CODECS)}, found {codec!r}")
    if not _BIT_RATES[0] <= bit_rate <= _BIT_RATES[1]:
        raise UsageError(f"expected {_BIT_RATES[0]} to {_BIT_RATES[1]} bit/s, found {bit_rate}")
    av = import_av()
    file = io.BytesIO()
    try:
        _encode(av, file, samples, *_ENCODERS[codec], bit_rate)
        file.seek(0)
        decoded = _decode(av, file)
    except (av.error.FFmpegError, ValueError) as error:  # ValueError: no such encoder
        raise SpeechError(f"codec {codec} of PyAV {av.__version__}: {error}") from error
    coded = np.zeros(len(samples), np.float32)
    coded[: len(decoded)] = decoded[: len(samples)]
    return coded


def import_av() -> Any:
    """PyAV.

    Raises:
        SpeechError: it is not installed.
    """
    try:
        import av
    except ImportError:
        raise SpeechError(
            "codecs need PyAV, which is not installed: pip install 'recognizer[media]'"
        ) from None
    return av


def _encode(
    av: Any, file: io.BytesIO, samples: Samples, encoder: str, container: str, bit_rate: int
) -> None:
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(encoder, rate=SAMPLE_RATE, layout="mono")
        stream.bit_rate = bit_rate
        wanted = av.AudioResampler(stream.codec_context.format, "mono", SAMPLE_RATE)
        whole = av.AudioFrame.from_ndarray(samples[np.newaxis], format="flt", layout="mono")
        whole.sample_rate = SAMPLE_RATE
        for frame in itertools.chain(wanted.resample(whole), wanted.resample(None)):
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def _decode(av: Any, file: io.BytesIO) -> Samples:
    with av.open(file) as stored:
        wanted = av.AudioResampler("flt", "mono", SAMPLE_RATE)
        frames = itertools.chain(stored.decode(audio=0), [None])
        blocks = [
            block.to_ndarray().reshape(-1) for frame in frames for block in wanted.resample(frame)
        ]
    return np.concatenate(blocks)
