"""Decoding by PyAV (FFmpeg's libraries): m4a, mp4, aac, webm, mkv, wma and rarer formats.

PyAV is the extra `media` and is imported when a file needs it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cached_property
from typing import Any, BinaryIO

from recognizer.data.audio.limits import DURATION_TOLERANCE
from recognizer.data.audio.section import Block, cut_blocks
from recognizer.data.errors import SpeechError

FORMATS = "wav, flac, ogg, opus, mp3"
"""The formats that are read without PyAV, for messages."""

MEDIA_FORMATS = "m4a, mp4, aac, webm, mkv, wma"
"""The formats that PyAV adds, for messages."""

# FFmpeg's names of the formats that are tried. Play lists are not among them: they name other
# files and addresses, which would then be opened.
_FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,avi,caf,dts,eac3,flac,flv,loas,m4a,matroska,mov,mp3,mp4,mpeg,mpegts,"
    "nistsphere,ogg,tta,w64,wav,webm,wv"
)


class MediaSection:
    """The first audio stream of a media file.

    Args:
        name: for messages.
        stream: seekable.
        reason: why libsndfile cannot read it, for the message when PyAV is missing.

    Raises:
        SpeechError: PyAV is not installed, or cannot read it either; it has no audio.
    """

    def __init__(self, name: str, stream: BinaryIO, reason: str) -> None:
        self._name, self._stream, self._reason = name, stream, reason
        self._av = _import_av(name, reason)
        with self._open() as container:
            audio = self._audio(container)
            self.rate, self.channels = int(audio.rate), int(audio.channels)
            self.holds_floats = str(audio.codec_context.name).startswith("pcm_f")
            self.seconds = _declared_seconds(container, audio)

    @cached_property
    def frames(self) -> int:
        """Samples in each channel; decodes the file to count them."""
        return sum(len(block) for block in self._decoded())

    def blocks(self, first: int = 0, last: int | None = None) -> Iterator[Block]:
        """See `Section.blocks`."""
        yield from cut_blocks(self._decoded(), first, last)

    def _open(self) -> Any:
        self._stream.seek(0)
        try:
            return self._av.open(self._stream, options={"format_whitelist": _FORMATS})
        except self._errors as error:
            raise self._cannot_be_decoded() from error

    def _audio(self, container: Any) -> Any:
        if not container.streams.audio:
            raise SpeechError(f"{self._name}: expected audio, found a file without an audio stream")
        audio = container.streams.audio[0]
        if audio.codec_context is None or not audio.rate or not audio.channels:
            raise self._cannot_be_decoded()
        return audio

    def _cannot_be_decoded(self) -> SpeechError:
        return SpeechError(
            f"{self._name}: expected a recording ({FORMATS}, {MEDIA_FORMATS}), "
            f"found one that cannot be decoded: {self._reason}"
        )

    @property
    def _errors(self) -> tuple[type[Exception], ...]:
        return (self._av.error.FFmpegError, ValueError)

    def _decoded(self) -> Iterator[Block]:
        found = 0
        try:
            with self._open() as container:
                audio = self._audio(container)
                # One sample type; and one rate and layout, should they change on the way.
                resampler = self._av.AudioResampler("flt", audio.layout, self.rate)
                for frame in itertools.chain(container.decode(audio), [None]):
                    for converted in resampler.resample(frame):
                        block = converted.to_ndarray().reshape(-1, self.channels)
                        found += len(block)
                        yield block
        except self._errors as error:
            raise SpeechError(f"{self._name}: damaged or cut short: {_reason(error)}") from error
        if self.seconds is not None and found / self.rate < self.seconds - DURATION_TOLERANCE:
            raise SpeechError(
                f"{self._name}: cut short: expected {self.seconds:.3f} s of audio, "
                f"found {found / self.rate:.3f} s"
            )


def _declared_seconds(container: Any, audio: Any) -> float | None:
    """How long the audio is by the header; None where FFmpeg only estimates it."""
    formats = set(container.format.name.split(","))
    if "DURATION" in audio.metadata:  # Matroska
        hours, minutes, seconds = audio.metadata["DURATION"].split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    if formats & {"mov", "asf", "wav"} and audio.duration is not None:
        return float(audio.duration * audio.time_base)
    return None


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _import_av(name: str, reason: str) -> Any:
    try:
        import av
    except ImportError:
        raise SpeechError(
            f"{name}: expected a recording ({FORMATS}; with `pip install 'recognizer[media]'` "
            f"also {MEDIA_FORMATS}), found one that cannot be decoded: {reason}"
        ) from None
    return av
