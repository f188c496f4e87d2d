"""Audio in: recordings of any format, sample rate and number of channels, to 16 kHz mono float32.

One function, `read_audio`, stands between every caller and the formats. What it cannot read, or
what could only be recognised wrongly (not-a-number samples, a file that ends early), it refuses
with one line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import BinaryIO

import numpy as np

from recognizer.data.audio.containers import complete_files
from recognizer.data.audio.conversion import (
    Samples,
    as_audio,
    check_format,
    mix,
    nonempty,
    standard,
)
from recognizer.data.audio.limits import MAX_OVERSHOOT, SAMPLE_RATE
from recognizer.data.audio.media import MediaSection
from recognizer.data.audio.mp3 import might_be_mp3, mp3_sections
from recognizer.data.audio.section import Section
from recognizer.data.audio.sound_file import SoundFileSection, UnknownFormatError
from recognizer.data.audio.source import Source, open_source
from recognizer.data.errors import SpeechError, UsageError

__all__ = [
    "SAMPLE_RATE",
    "Samples",
    "Source",
    "as_audio",
    "audio_duration",
    "can_seek",
    "part",
    "read_audio",
]


def read_audio(
    source: Source, *, start: float = 0.0, end: float | None = None, channel: int | None = None
) -> Samples:
    """Read a recording, or a part of it, as 16 kHz mono.

    wav, flac, ogg (Vorbis and Opus), mp3 and whatever else libsndfile knows; m4a, mp4, aac, webm,
    mkv, wma and whatever else FFmpeg knows where PyAV is installed. The format is known by the
    content, not by the name. Files joined end to end are read wholly. Rates other than 16 kHz are
    resampled (soxr, high quality).

    Args:
        source: a path (also of a named pipe), "-" for standard input, or an open binary file (it
            need not seek).
        start: seconds from the recording's beginning.
        end: seconds from the recording's beginning; None is the recording's end.
        channel: which channel to take, counted from 1; None is the mean of the channels, or the
            loudest one where they cancel each other (see `recognizer.data.audio.conversion.mix`).

    Returns:
        float32 samples `[N]`; full scale is [-1, 1] (float recordings and lossy codecs may go
        beyond it by what the encoder left there; nothing is clipped).

    Raises:
        SpeechError: no such file, a directory, not audio, no samples, samples that are not
            numbers, an absurd sample rate or number of channels, a file cut short, a part outside
            the recording.
        UsageError: `start` is negative or not before `end`, or there is no such channel.
    """
    if not start >= 0.0 or (end is not None and not end > start):
        raise UsageError(f"expected 0 <= start < end in seconds, found start {start}, end {end}")
    name, stream = open_source(source)
    parts = []
    try:
        with stream:
            for section, first, last, at in _spans(name, open_sections(name, stream), start, end):
                blocks = partial(section.blocks, first, last)
                mono = mix(name, blocks, section.channels, channel)
                parts.append(standard(name, mono, section.rate, at))
    except OSError as error:
        raise SpeechError(f"{name}: cannot be read: {error.strerror or error}") from error
    return nonempty(name, np.concatenate(parts) if parts else np.zeros(0, np.float32))


def audio_duration(source: Source) -> float:
    """Length of a recording in seconds; raises as `read_audio` does.

    From the header where it tells the length, by counting frames in mp3, by decoding otherwise.
    """
    name, stream = open_source(source)
    try:
        with stream:
            return sum(one.frames / one.rate for one in open_sections(name, stream))
    except OSError as error:
        raise SpeechError(f"{name}: cannot be read: {error.strerror or error}") from error


def can_seek(source: Source) -> bool:
    """Whether a part of a recording can be read without reading the whole; raises as `read_audio`.

    Not of mp3, whose frames must be counted, and not of media files.
    """
    name, stream = open_source(source)
    try:
        with stream:
            return all(isinstance(one, SoundFileSection) for one in open_sections(name, stream))
    except OSError as error:
        raise SpeechError(f"{name}: cannot be read: {error.strerror or error}") from error


def part(name: str, samples: Samples, start: float, end: float | None) -> Samples:
    """The part of a recording that has been read already; raises as `read_audio` does."""
    start, end = _bounds(name, len(samples) / SAMPLE_RATE, start, end)
    # A copy, so that the part does not keep the whole recording in memory.
    return nonempty(name, samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)].copy())


def open_sections(name: str, stream: BinaryIO) -> Sequence[Section]:
    """The sections of a recording; raises as `read_audio`.

    Args:
        name: for messages.
        stream: seekable; the sections read from it.
    """
    sections: Sequence[Section] | None = mp3_sections(name, stream)
    if sections is None:
        files = complete_files(name, stream)
        try:
            if might_be_mp3(stream):
                raise UnknownFormatError("Format not recognised")
            sections = [SoundFileSection(name, file) for file in files]
        except UnknownFormatError as error:
            sections = [MediaSection(name, stream, str(error))]
    for section in sections:
        check_format(name, section.rate, section.channels)
    return sections


def _spans(
    name: str, sections: Sequence[Section], start: float, end: float | None
) -> Iterator[tuple[Section, int, int | None, float]]:
    """The sections of a part: each with its first sample, the one after its last, and its time."""
    if start == 0.0 and end is None and len(sections) == 1:  # nothing needs to be counted
        yield sections[0], 0, None, 0.0
        return
    start, end = _bounds(name, sum(one.frames / one.rate for one in sections), start, end)
    offset = 0.0
    for section in sections:
        first = max(0, round((start - offset) * section.rate))
        last = min(section.frames, round((end - offset) * section.rate))
        if first < last:
            yield section, first, last, offset + first / section.rate
        offset += section.frames / section.rate


def _bounds(name: str, duration: float, start: float, end: float | None) -> tuple[float, float]:
    """Start and end of a part in seconds, within the recording."""
    if start >= duration > 0.0:
        raise SpeechError(
            f"{name}: expected a start before the end at {duration:.3f} s, found {start:.3f} s"
        )
    if end is not None and end > duration + MAX_OVERSHOOT:
        raise SpeechError(
            f"{name}: expected an end within the recording's {duration:.3f} s, found {end:.3f} s"
        )
    return start, duration if end is None else min(duration, end)
