"""Raw samples (PCM) that arrive on a file descriptor, such as standard input."""

from __future__ import annotations

import os
import select
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from recognizer.data.audio.limits import MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from recognizer.data.errors import SpeechError, UsageError

Encoding = Literal["s16le", "f32le"]

_TYPES: dict[str, np.dtype[Any]] = {"s16le": np.dtype("<i2"), "f32le": np.dtype("<f4")}

_PIECE_SECONDS = 0.1
"""The longest piece that is given on at a time."""

_LOOK_SECONDS = 0.1
"""How long an end that was asked for may go unnoticed while no audio arrives."""

_PIPE_BYTES = 1 << 16
"""What a pipe may hold, and so what may have been said before an end was asked for."""

_WAV_PCM, _WAV_FLOAT, _WAV_EXTENSIBLE = 1, 3, 0xFFFE

_WAV_ENDLESS = 0x7F000000
"""Programs that write wav into a pipe give such lengths: they do not know how much will come."""

_WAV_CHUNK = 1 << 20
"""The most bytes of a part of a wav file's header."""

_FILES = {b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3\x03": "MP3", b"ID3\x04": "MP3"}


@dataclass(frozen=True)
class PcmFormat:
    """What the bytes are.

    Attributes:
        sample_rate: samples per second of each channel.
        channels: interleaved.
        encoding: "s16le" for integers of 16 bits, "f32le" for floats of full scale [-1, 1]; both
            little-endian.

    Raises:
        UsageError: a value that is impossible.
    """

    sample_rate: int = 16000
    channels: int = 1
    encoding: Encoding = "s16le"

    def __post_init__(self) -> None:
        """Check the values."""
        if not MIN_SAMPLE_RATE <= self.sample_rate <= MAX_SAMPLE_RATE:
            raise UsageError(
                f"sample rate: expected {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}, "
                f"found {self.sample_rate}"
            )
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise UsageError(f"channels: expected 1 to {MAX_CHANNELS}, found {self.channels}")
        if self.encoding not in get_args(Encoding):
            raise UsageError(
                f"encoding: expected {' or '.join(get_args(Encoding))}, found {self.encoding}"
            )

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * _TYPES[self.encoding].itemsize

    def decode(self, data: bytes) -> npt.NDArray[Any]:
        """Samples ``[n, channels]`` of whole frames."""
        return np.frombuffer(data, _TYPES[self.encoding]).reshape(-1, self.channels)

    def __str__(self) -> str:
        """For messages."""
        channels = "1 channel" if self.channels == 1 else f"{self.channels} channels"
        return f"{self.encoding} of {channels}"


class PcmInput:
    """Samples from a file descriptor, as they arrive.

    A stream that begins with the header of a wav file is read as that header says: ``arecord`` and
    others write one unless they are told not to.

    Args:
        name: for messages.
        descriptor: of a pipe, a file or a terminal.
        form: of the bytes, unless a header says otherwise.
        stopped: asked whether to end; between pieces, and ten times a second where none arrive.
            What has arrived before is still given.
    """

    def __init__(
        self, name: str, descriptor: int, form: PcmFormat, stopped: Callable[[], bool]
    ) -> None:
        self._form = form
        self._name = name
        self._descriptor = descriptor
        self._stopped = stopped
        self._data = b""
        self._left: int | None = None  # bytes until the end of a wav file's samples

    def pieces(self) -> Iterator[tuple[npt.NDArray[Any], int]]:
        """Samples ``[n, channels]`` and their rate, until the input ends or it is stopped.

        Raises:
            SpeechError: nothing at all arrives, the input cannot be read, it is a file that is no
                PCM, or it ends in the middle of a sample.
        """
        self._fill(4)
        if self._data[:4] == b"RIFF":
            self._header()
        elif self._data[:4] in _FILES:
            raise SpeechError(
                f"{self._name}: expected raw PCM, found {_FILES[self._data[:4]]} "
                "(recognize without --live reads it)"
            )
        elif not self._data and not self._stopped():
            raise SpeechError(f"{self._name}: expected raw PCM, found nothing")
        size, after_stop = self._form.frame_bytes, 0
        while after_stop < _PIPE_BYTES:
            whole = len(self._data) - len(self._data) % size
            if whole:
                yield self._form.decode(self._data[:whole]), self._form.sample_rate
                self._data = self._data[whole:]
            before = len(self._data)
            if not self._read():
                break
            if self._stopped():
                after_stop += len(self._data) - before
        if self._data and not self._stopped():
            raise SpeechError(
                f"{self._name}: expected whole samples of {size} bytes ({self._form}), "
                f"found {len(self._data)} left over at the end"
            )

    def _read(self) -> bool:
        """Append what is there to the data; False at the end."""
        size = self._form.frame_bytes
        wanted = max(1, round(_PIECE_SECONDS * self._form.sample_rate)) * size
        if self._left is not None:
            wanted = min(wanted, self._left)
        if not wanted:
            return False
        try:
            while not select.select([self._descriptor], [], [], self._patience())[0]:
                if self._stopped():
                    return False
            found = os.read(self._descriptor, wanted)
        except OSError as error:
            raise SpeechError(f"{self._name}: cannot be read: {error.strerror}") from error
        if self._left is not None:
            self._left -= len(found)
        self._data += found
        return bool(found)

    def _patience(self) -> float:
        """Seconds to wait for audio before looking whether to end."""
        return 0.0 if self._stopped() else _LOOK_SECONDS

    def _fill(self, size: int) -> None:
        """Read until so many bytes are there, or the input ends."""
        while len(self._data) < size and self._read():
            pass

    def _take(self, size: int) -> bytes:
        """The next bytes of a header."""
        self._fill(size)
        if len(self._data) < size and not self._stopped():
            raise SpeechError(f"{self._name}: found the end within the header of a wav file")
        found, self._data = self._data[:size], self._data[size:]
        return found.ljust(size, b"\0")

    def _header(self) -> None:
        """Read the header of a wav file up to its samples."""
        self._take(12)
        found: PcmFormat | None = None
        while not self._stopped():
            kind, size = struct.unpack("<4sI", self._take(8))
            if kind == b"data":
                break
            if size > _WAV_CHUNK:
                raise SpeechError(f"{self._name}: expected a wav file's header, found {size} bytes")
            content = self._take(size + size % 2)
            if kind == b"fmt ":
                found = self._wav_format(content)
        else:
            return
        if found is None:
            raise SpeechError(f"{self._name}: expected a wav file's format before its samples")
        self._form = found
        if 0 < size < _WAV_ENDLESS:
            self._left = max(0, size - len(self._data))
            self._data = self._data[:size]

    def _wav_format(self, content: bytes) -> PcmFormat:
        tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16].ljust(16, b"\0"))
        if tag == _WAV_EXTENSIBLE and len(content) >= 26:
            (tag,) = struct.unpack("<H", content[24:26])
        known: dict[tuple[int, int], Encoding] = {
            (_WAV_PCM, 16): "s16le",
            (_WAV_FLOAT, 32): "f32le",
        }
        if (tag, bits) not in known:
            raise SpeechError(
                f"{self._name}: expected integers of 16 bits or floats of 32, found a wav file "
                f"of {bits} bits, format {tag}"
            )
        try:
            return PcmFormat(rate, channels, known[tag, bits])
        except UsageError as error:
            raise SpeechError(f"{self._name}: wav file: {error}") from None
