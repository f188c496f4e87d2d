"""Kaldi's files of objects, binary or text: tokens, numbers and vectors one after another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import DAMAGE, open_bytes

_BLANKS = b" \t\r\n"
_LONGEST_TOKEN = 1000
_PIECE = 1 << 20


@contextmanager
def open_kaldi(path: str | os.PathLike[str]) -> Iterator[KaldiReader]:
    """A Kaldi file opened at its first object; .gz is decompressed.

    Raises:
        SpeechError: the file cannot be read, or is damaged.
    """
    try:
        with open_bytes(path) as stream:
            yield KaldiReader(os.fspath(path), stream)
    except DAMAGE as error:
        raise SpeechError(f"{os.fspath(path)}: damaged: {error}") from error


class KaldiReader:
    """Reads what Kaldi's `WriteToken`, `WriteBasicType`, `WriteIntegerVector` and `Vector` write.

    A file that begins with a zero byte and B is binary: a number stands after a byte that says how
    many bytes it has, negative if it has no sign. All methods raise a `SpeechError` that names the
    file and what was expected.
    """

    def __init__(self, where: str, stream: BinaryIO) -> None:
        self._where = where
        self._stream = stream
        self._ahead = b""
        first = stream.read(2)
        self.binary = first == b"\0B"
        if not self.binary:
            self._ahead = first

    def error(self, expected: str, found: object) -> SpeechError:
        """An error in this file."""
        return SpeechError(f"{self._where}: expected {expected}, found {found}")

    def token(self, expected: str) -> str:
        """The next token, up to a space."""
        letters = bytearray()
        while True:
            letter = self._read(1)
            if letter and letter not in _BLANKS:
                letters += letter
                if len(letters) > _LONGEST_TOKEN:
                    raise self.error(expected, f"{bytes(letters[:20])!r}...")
            elif letters or not letter:
                break
        if not letters:
            raise self.error(expected, "the end of the file")
        return letters.decode("latin-1")

    def expect(self, *tokens: str) -> str:
        """The next token, which has to be one of these."""
        found = self.token(" or ".join(tokens))
        if found not in tokens:
            raise self.error(" or ".join(tokens), repr(found))
        return found

    def integer(self, expected: str) -> int:
        """The next number, a 32-bit integer."""
        if self.binary:
            size = self._exactly(1, expected)
            if size not in (b"\x04", b"\xfc"):
                raise self.error(f"{expected}, an integer of 4 bytes", f"a size of {size!r}")
            return int.from_bytes(self._exactly(4, expected), "little", signed=size == b"\x04")
        return self._integer(self.token(expected), expected)

    def real(self, expected: str) -> float:
        """The next number, of single or double precision."""
        if self.binary:
            size = self._exactly(1, expected)
            if size not in (b"\x04", b"\x08"):
                raise self.error(f"{expected}, a number of 4 or 8 bytes", f"a size of {size!r}")
            raw = self._exactly(size[0], expected)
            return float(np.frombuffer(raw, f"<f{size[0]}")[0])
        found = self.token(expected)
        try:
            return float(found)
        except ValueError:
            raise self.error(expected, repr(found)) from None

    def integers(self, expected: str) -> npt.NDArray[np.int32]:
        """The next vector of 32-bit integers."""
        if self.binary:
            if self._exactly(1, expected) != b"\x04":
                raise self.error(f"{expected}, integers of 4 bytes", "others")
            count = int.from_bytes(self._exactly(4, expected), "little", signed=True)
            return np.frombuffer(self._exactly(4 * max(count, 0), expected), "<i4").astype(np.int32)
        self.expect("[")
        values = []
        while (found := self.token(expected)) != "]":
            values.append(self._integer(found, expected))
        return np.array(values, np.int32)

    def reals(self, expected: str) -> npt.NDArray[np.float32]:
        """The next vector of real numbers."""
        if self.binary:
            size = 4 if self.expect("FV", "DV") == "FV" else 8
            count = self.integer(expected)
            raw = self._exactly(size * max(count, 0), expected)
            return np.frombuffer(raw, f"<f{size}").astype(np.float32)
        self.expect("[")
        values = []
        while (found := self.token(expected)) != "]":
            try:
                values.append(float(found))
            except ValueError:
                raise self.error(expected, repr(found)) from None
        return np.array(values, np.float32)

    def _integer(self, text: str, expected: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise self.error(expected, repr(text)) from None
        if not -(2**31) <= value < 2**31:
            raise self.error(f"{expected}, an integer of 4 bytes", text)
        return value

    def _read(self, size: int) -> bytes:
        ahead, self._ahead = self._ahead[:size], self._ahead[size:]
        return ahead if len(ahead) == size else ahead + self._stream.read(size - len(ahead))

    def _exactly(self, size: int, expected: str) -> bytes:
        # In pieces, so that a damaged length does not ask for more memory than there is file.
        pieces = []
        missing = size
        while missing:
            piece = self._read(min(missing, _PIECE))
            if not piece:
                raise self.error(f"{expected}: {missing} more bytes", "the end of the file")
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)
