"""Audio in: any file that libsndfile reads, to 16 kHz mono float32.

One function, `read_audio`, stands between every caller and the formats. What it cannot read, or
what could only be recognised wrongly (not-a-number samples, a file that ends early), it refuses
with one line.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from recognizer.data.errors import SpeechError, UsageError

SAMPLE_RATE = 16000
"""Samples per second of everything inside the system."""

MAX_OVERSHOOT = 0.5
"""Seconds that a segment may reach past the end of its recording before it is an error.

The recording's end is then the segment's: Kaldi's extract-segments, --max-overshoot=0.5.
"""

_WAV_PLACEHOLDER = 0x7FFF0000  # lengths from here on are left by writers that knew none
_UNKNOWN_LENGTH = 1 << 48  # libsndfile's number of samples for flac without one is above this
_BLOCK = 1 << 16

Source = str | os.PathLike[str] | BinaryIO
Samples = NDArray[np.float32]


def read_audio(source: Source, *, start: float = 0.0, end: float | None = None) -> Samples:
    """Read a recording, or a part of it, as 16 kHz mono.

    wav, flac, ogg (Vorbis and Opus), mp3 and whatever else libsndfile knows; any sample rate and
    number of channels. Channels are averaged, other rates resampled (soxr, high quality).

    Args:
        source: a path, "-" for standard input, or an open binary file (it need not seek).
        start: seconds from the recording's beginning.
        end: seconds from the recording's beginning; None is the recording's end.

    Returns:
        float32 samples `[N]`; full scale is [-1, 1] (float recordings and lossy codecs may go
        beyond it by what the encoder left there; nothing is clipped).

    Raises:
        SpeechError: no such file, a directory, not audio, no samples, samples that are not
            numbers, a file cut short, a part that lies outside the recording.
        UsageError: `start` is negative or not before `end`.
    """
    if not start >= 0.0 or (end is not None and not end > start):
        raise UsageError(f"expected 0 <= start < end in seconds, found start {start}, end {end}")
    name, stream = _open(source)
    try:
        with stream:
            samples, rate = _decode(name, _checked(name, stream), start, end)
    except OSError as error:
        raise SpeechError(f"{name}: cannot be read: {error.strerror or error}") from error
    return _standard(name, samples, rate, start)


def as_audio(samples: NDArray[Any], sample_rate: int = SAMPLE_RATE) -> Samples:
    """Samples from elsewhere as 16 kHz mono float32, as `read_audio` would give them.

    Args:
        samples: `[N]` or `[N, channels]`, floats with full scale [-1, 1], or int16.
        sample_rate: samples per second.

    Raises:
        UsageError: another type or shape, or an impossible sample rate.
        SpeechError: no samples, or samples that are not numbers.
    """
    samples = np.asarray(samples)
    if samples.dtype == np.int16:
        samples = samples.astype(np.float32) / 32768.0
    elif not np.issubdtype(samples.dtype, np.floating):
        raise UsageError(f"samples: expected floats in [-1, 1] or int16, found {samples.dtype}")
    if samples.ndim == 1:
        samples = samples[:, np.newaxis]
    if samples.ndim != 2 or samples.shape[1] == 0:
        raise UsageError(f"samples: expected [N] or [N, channels], found {list(samples.shape)}")
    if sample_rate <= 0:
        raise UsageError(f"sample rate: expected a number above 0, found {sample_rate}")
    return _standard("samples", samples.astype(np.float32), sample_rate, 0.0)


def _standard(name: str, samples: NDArray[np.float32], rate: int, start: float) -> Samples:
    """Samples `[N, channels]` at any rate, checked, as 16 kHz mono; `start` is for messages."""
    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
    bad = np.flatnonzero(~np.isfinite(mono))
    if len(bad):
        raise SpeechError(
            f"{name}: expected finite samples, found {len(bad)} that are not numbers or infinite, "
            f"the first at {start + bad[0] / rate:.3f} s"
        )
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ")
    if not len(mono):
        raise SpeechError(f"{name}: expected audio, found less than one sample at 16 kHz")
    return np.ascontiguousarray(mono, dtype=np.float32)


def audio_duration(source: Source) -> float:
    """Length of a recording in seconds, from its header; raises as `read_audio` does."""
    name, stream = _open(source)
    with stream:
        checked = _checked(name, stream)
        with _sound_file(name, checked) as sound:
            rate, frames = int(sound.samplerate), int(sound.frames)
        if frames > _UNKNOWN_LENGTH:
            frames = len(_read_forward(name, checked))
    return frames / rate


def _open(source: Source) -> tuple[str, BinaryIO]:
    """Name for messages and a seekable binary stream of the source."""
    if isinstance(source, str | os.PathLike):
        if os.fspath(source) == "-":
            if sys.stdin is None:
                raise SpeechError("standard input: expected audio, found it closed")
            return "standard input", io.BytesIO(sys.stdin.buffer.read())
        path = Path(source)
        if path.is_dir():
            raise SpeechError(f"{path}: expected an audio file, found a directory")
        try:
            return str(path), path.open("rb")
        except FileNotFoundError:
            raise SpeechError(f"{path}: no such file") from None
        except OSError as error:
            raise SpeechError(f"{path}: cannot be opened: {error.strerror}") from error
    name = str(getattr(source, "name", "the given stream"))
    # A copy: libsndfile seeks, which a pipe cannot, and the caller's stream stays the caller's.
    return name, io.BytesIO(source.read())


class _ForwardSoundFile(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is read from front to back: soundfile would seek after every block."""

    def seekable(self) -> bool:
        return False


def _sound_file(
    name: str, stream: BinaryIO, kind: type[soundfile.SoundFile] = soundfile.SoundFile
) -> soundfile.SoundFile:
    stream.seek(0)
    try:
        return kind(stream)
    except soundfile.LibsndfileError as error:
        raise SpeechError(
            f"{name}: expected a recording (wav, flac, ogg, opus, mp3), "
            f"found one that cannot be decoded: {_reason(error)}"
        ) from error
    except TypeError:
        # soundfile goes by the name's ending for headerless formats and then wants a sample rate.
        raise SpeechError(
            f"{name}: expected a recording with a header (wav, flac, ogg, opus, mp3), "
            "found raw samples"
        ) from None


def _reason(error: soundfile.LibsndfileError) -> str:
    return " ".join(str(error.error_string).split()).rstrip(".")


def _decode(
    name: str, stream: BinaryIO, start: float, end: float | None
) -> tuple[NDArray[np.float32], int]:
    """Samples `[N, channels]` of the part and their rate."""
    with _sound_file(name, stream) as sound:
        rate, frames = int(sound.samplerate), int(sound.frames)
        if frames > _UNKNOWN_LENGTH:
            whole = _read_forward(name, stream)
            first, last = _part(name, len(whole), rate, start, end)
            return whole[first:last], rate
        first, last = _part(name, frames, rate, start, end)
        try:
            if first:
                sound.seek(first)
            samples: NDArray[np.float32] = sound.read(last - first, "float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise SpeechError(f"{name}: damaged or cut short: {_reason(error)}") from error
    if len(samples) < last - first:
        raise SpeechError(
            f"{name}: cut short: expected {last - first} samples, found {len(samples)}"
        )
    return samples, rate


def _part(name: str, frames: int, rate: int, start: float, end: float | None) -> tuple[int, int]:
    """First sample of the part and the one after its last."""
    if frames <= 0:
        raise SpeechError(f"{name}: expected audio, found no samples")
    duration = frames / rate
    if start >= duration:
        raise SpeechError(
            f"{name}: expected a start before the end at {duration:.3f} s, found {start:.3f} s"
        )
    if end is not None and end > duration + MAX_OVERSHOOT:
        raise SpeechError(
            f"{name}: expected an end within the recording's {duration:.3f} s, found {end:.3f} s"
        )
    return round(start * rate), frames if end is None else min(frames, round(end * rate))


def _read_forward(name: str, stream: BinaryIO) -> NDArray[np.float32]:
    """All samples `[N, channels]` of a recording whose header does not tell their number."""
    blocks = []
    try:
        with _sound_file(name, stream, _ForwardSoundFile) as sound:
            while len(block := sound.read(_BLOCK, "float32", always_2d=True)):
                blocks.append(block)
    except soundfile.LibsndfileError as error:
        raise SpeechError(f"{name}: damaged or cut short: {_reason(error)}") from error
    if not blocks:
        raise SpeechError(f"{name}: expected audio, found no samples")
    return np.concatenate(blocks)


def _checked(name: str, stream: BinaryIO) -> BinaryIO:
    """The stream, refused where its container shows that the end is missing.

    libsndfile silently reads what is there. A wav file whose writer could not go back to write
    the length (into a pipe) comes out with the length mended.
    """
    size = stream.seek(0, io.SEEK_END)
    if size == 0:
        raise SpeechError(f"{name}: expected a recording, found an empty file")
    stream.seek(0)
    head = stream.read(12)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return _checked_wav(name, stream, size, int.from_bytes(head[4:8], "little"))
    if head[:4] == b"OggS":
        _check_ogg(name, stream, size)
    return stream


def _checked_wav(name: str, stream: BinaryIO, size: int, riff_length: int) -> BinaryIO:
    while len(chunk := stream.read(8)) == 8:
        length = int.from_bytes(chunk[4:], "little")
        if chunk[:4] != b"data":
            stream.seek(length + length % 2, io.SEEK_CUR)
            continue
        begin = stream.tell()
        left = size - begin
        if left < length < _WAV_PLACEHOLDER:
            raise SpeechError(
                f"{name}: cut short: expected {length} bytes of samples, found {left}"
            )
        if length == 0 and left and riff_length + 8 < size:
            stream.seek(0)
            whole = stream.read()
            return io.BytesIO(whole[: begin - 4] + b"\xff" * 4 + whole[begin:])
        break
    return stream


def _check_ogg(name: str, stream: BinaryIO, size: int) -> None:
    """Refuse an Ogg file that ends within a page (RFC 3533: a page has at most 65,307 bytes)."""
    stream.seek(max(0, size - 65307))
    tail = stream.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]
    segments = page[26] if len(page) > 26 else 255
    length = 27 + segments + sum(page[27 : 27 + segments])
    if len(page) < length:
        raise SpeechError(
            f"{name}: cut short: expected a last page of {length} bytes, found {len(page)}"
        )
