"""The bytes of an open file, read where they are asked for."""

from __future__ import annotations

import io
from typing import BinaryIO

_BLOCK = 1 << 18
"""Bytes that are read at a time and kept until others are needed."""


class FileBytes:
    """A seekable stream as a sequence of bytes of which a small part is in memory.

    Slices and `find` are those of `bytes`, so that a file of any size can be searched as one in
    memory. The stream's position is changed.

    Args:
        stream: seekable; read from its beginning.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._size = stream.seek(0, io.SEEK_END)
        self._begin, self._block = 0, b""

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        """The bytes of a slice without a step."""
        begin, end, _ = part.indices(self._size)
        offset = begin - self._begin
        if offset < 0 or end > self._begin + len(self._block):
            self._begin, offset = begin, 0
            self._stream.seek(begin)
            self._block = self._stream.read(max(_BLOCK, end - begin))
        return self._block[offset : max(offset, end - self._begin)]

    def find(self, wanted: bytes, begin: int = 0, end: int | None = None) -> int:
        """Where `wanted` first lies in [begin, end); -1 where it does not."""
        end = self._size if end is None else min(end, self._size)
        while begin + len(wanted) <= end:
            block = self[begin : min(end, begin + _BLOCK)]
            found = block.find(wanted)
            if found >= 0:
                return begin + found
            begin += max(1, len(block) - len(wanted) + 1)
        return -1
