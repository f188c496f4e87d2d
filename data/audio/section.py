"""A recording as its decoders give it: sections, each with one sample rate."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float32]
"""Samples `[n, channels]`, full scale [-1, 1]."""

BLOCK_FRAMES = 1 << 16
"""Samples a channel in the blocks that decoders give."""


class Section(Protocol):
    """A stretch of a recording with one sample rate and one number of channels.

    Most recordings are one section; files that were joined end to end have several.
    """

    @property
    def rate(self) -> int:
        """Samples per second."""

    @property
    def channels(self) -> int:
        """Number of channels."""

    @property
    def frames(self) -> int:
        """Samples in each channel; may decode the section to count them."""

    @property
    def seconds(self) -> float | None:
        """Length as far as it is known without decoding; None where it is not."""

    @property
    def holds_floats(self) -> bool:
        """Whether samples are stored as floats, which may be integers that nobody divided."""

    def blocks(self, first: int = 0, last: int | None = None) -> Iterator[Block]:
        """Decode the samples from `first` up to `last` (None: to the end) in blocks.

        Raises:
            SpeechError: the section is damaged or cut short.
        """


def cut_blocks(blocks: Iterator[Block], first: int, last: int | None) -> Iterator[Block]:
    """The samples from `first` up to `last` of blocks that begin at sample 0."""
    position = 0
    for block in blocks:
        end = len(block) if last is None else max(0, last - position)
        part = block[max(0, first - position) : end]
        position += len(block)
        if len(part):
            yield part
        if last is not None and position >= last:
            return


class Window(io.RawIOBase):
    """The bytes [begin, end) of a stream as a file of their own, some of them replaced.

    Args:
        stream: seekable; other windows of it may be read in turn, but not at the same time.
        begin: first byte.
        end: one after the last byte.
        patch: bytes to give instead of those in the file from `patch_at` on.
        patch_at: where the patch begins, counted from `begin`.
    """

    def __init__(
        self, stream: BinaryIO, begin: int, end: int, patch: bytes = b"", patch_at: int = 0
    ) -> None:
        self._stream = stream
        self._begin, self._size = begin, end - begin
        self._patch, self._patch_at = patch, patch_at
        self._position = 0

    def readable(self) -> bool:
        """True: a window is for reading."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a byte of the window."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """The current byte of the window."""
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer as far as the window reaches; returns the number of bytes."""
        wanted = min(len(buffer), max(0, self._size - self._position))
        self._stream.seek(self._begin + self._position)
        found = bytearray(self._stream.read(wanted))
        low = max(self._patch_at, self._position)
        high = min(self._patch_at + len(self._patch), self._position + len(found))
        if low < high:
            patch = self._patch[low - self._patch_at : high - self._patch_at]
            found[low - self._position : high - self._position] = patch
        buffer[: len(found)] = found
        self._position += len(found)
        return len(found)
