"""Decoding by libsndfile: wav, flac, Ogg (Vorbis, Opus), AIFF, AU, CAF, SPHERE and others."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import BinaryIO

import soundfile

from recognizer.data.audio.section import BLOCK_FRAMES, Block, cut_blocks
from recognizer.data.errors import SpeechError

_UNKNOWN_LENGTH = 1 << 48  # libsndfile's number of samples for flac without one is above this


class UnknownFormatError(Exception):
    """libsndfile cannot read this kind of file; the message says why."""


class _ForwardSoundFile(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is read from front to back: soundfile would seek after every block."""

    def seekable(self) -> bool:
        return False


class _Input(io.RawIOBase):
    """What libsndfile reads from: a stream without a name, which never raises.

    By the ending of a name soundfile would choose the format. What a callback raises, cffi prints.

    Attributes:
        error: why a read failed, or None.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with suppress(OSError, ValueError):  # before the beginning: a damaged header
            self._stream.seek(offset, whence)
        return self._stream.tell()

    def tell(self) -> int:
        return self._stream.tell()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            found = self._stream.read(len(buffer))
        except OSError as error:
            self.error = error
            return 0
        buffer[: len(found)] = found
        return len(found)


class SoundFileSection:
    """One file that libsndfile decodes.

    Args:
        name: for messages.
        stream: seekable.

    Raises:
        UnknownFormatError: libsndfile cannot read it.
    """

    def __init__(self, name: str, stream: BinaryIO) -> None:
        self._name, self._input = name, _Input(stream)
        with self._open() as sound:
            self.rate, self.channels = int(sound.samplerate), int(sound.channels)
            self._frames = int(sound.frames)
            self.holds_floats = sound.subtype in ("FLOAT", "DOUBLE")

    @property
    def seconds(self) -> float | None:
        """See `Section.seconds`."""
        return None if self._frames > _UNKNOWN_LENGTH else self._frames / self.rate

    @cached_property
    def frames(self) -> int:
        """Samples in each channel, from the header; counted where the header does not tell."""
        if self._frames <= _UNKNOWN_LENGTH:
            return self._frames
        return sum(len(block) for block in self._forward())

    def blocks(self, first: int = 0, last: int | None = None) -> Iterator[Block]:
        """See `Section.blocks`."""
        if self._frames > _UNKNOWN_LENGTH:
            yield from cut_blocks(self._forward(), first, last)
            return
        last = self._frames if last is None else last
        position = first
        with self._reading(), self._open() as sound:
            if first:
                sound.seek(first)
            while position < last:
                wanted = min(BLOCK_FRAMES, last - position)
                block: Block = sound.read(wanted, "float32", always_2d=True)
                if not len(block):
                    break
                position += len(block)
                yield block
        if position < last:
            raise SpeechError(
                f"{self._name}: cut short: expected {last - first} samples, "
                f"found {position - first}"
            )

    def _forward(self) -> Iterator[Block]:
        """All samples of a file whose header does not tell their number."""
        with self._reading(), self._open(_ForwardSoundFile) as sound:
            while len(block := sound.read(BLOCK_FRAMES, "float32", always_2d=True)):
                yield block

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except soundfile.LibsndfileError as error:
            raise SpeechError(f"{self._name}: damaged or cut short: {_reason(error)}") from error
        finally:
            if self._input.error is not None:
                raise self._input.error

    def _open(self, kind: type[soundfile.SoundFile] = soundfile.SoundFile) -> soundfile.SoundFile:
        self._input.seek(0)
        try:
            return kind(self._input)
        except soundfile.LibsndfileError as error:
            if self._input.error is not None:
                raise self._input.error from None
            raise UnknownFormatError(_reason(error)) from error


def _reason(error: soundfile.LibsndfileError) -> str:
    return " ".join(str(error.error_string).split()).rstrip(".")
