"""Kaldi's archives of integer vectors, binary or text: frame alignments (`ali.*.gz`) among them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import DAMAGE, open_bytes

IntArray = npt.NDArray[np.int32]

# What stands before every number of a binary archive: its size in bytes.
_SIZE = 4
_ENTRY = np.dtype([("size", "i1"), ("value", "<i4")])


def read_int_vectors(path: str | os.PathLike[str]) -> Iterator[tuple[str, IntArray]]:
    """Read an archive of int32 vectors, plain or gzipped, one key and vector after another.

    Raises:
        SpeechError: an unreadable file, a damaged or cut one, another kind of archive.
    """
    where = os.fspath(path)
    try:
        with open_bytes(path) as stream:
            while True:
                key = _key(where, stream)
                if key is None:
                    return
                # "\\0B" opens a binary object. A text one may begin with any other byte.
                mark = stream.read(1)
                if mark == b"\0":
                    if stream.read(1) != b"B":
                        raise SpeechError(f"{where}: {key}: expected a binary or text vector")
                    yield key, _binary(where, key, stream)
                else:
                    line = mark if mark == b"\n" else mark + stream.readline()
                    yield key, _text(where, key, line)
    except DAMAGE as error:
        raise SpeechError(f"{where}: damaged: {error}") from error


def _key(where: str, stream: BinaryIO) -> str | None:
    """The bytes up to a space, None at the end of the file."""
    letters = bytearray()
    while True:
        letter = stream.read(1)
        if not letter:
            if letters.strip():
                raise SpeechError(f"{where}: cut short after key {bytes(letters[:40])!r}")
            return None
        if letter in b" \t":
            break
        letters += letter
        if len(letters) > 10_000 or letter == b"\0":
            raise SpeechError(f"{where}: expected a Kaldi archive, found something else")
    try:
        key = letters.decode("utf-8").lstrip("\r\n")
    except UnicodeDecodeError:
        key = ""
    if key.split() != [key]:
        raise SpeechError(f"{where}: expected a key, found {bytes(letters[:40])!r}")
    return key


def _binary(where: str, key: str, stream: BinaryIO) -> IntArray:
    head = np.frombuffer(_exactly(where, key, stream, _ENTRY.itemsize), _ENTRY)
    size = int(head["value"][0])
    if head["size"][0] != _SIZE or size < 0:
        raise SpeechError(f"{where}: {key}: expected a vector of 32-bit integers")
    raw = _exactly(where, key, stream, size * _ENTRY.itemsize)
    entries = np.frombuffer(raw, _ENTRY)
    if (entries["size"] != _SIZE).any():
        raise SpeechError(f"{where}: {key}: expected a vector of 32-bit integers")
    return entries["value"].astype(np.int32)


def _exactly(where: str, key: str, stream: BinaryIO, size: int) -> bytes:
    # In pieces, so that a damaged length does not ask for more memory than there is file.
    pieces = []
    missing = size
    while missing:
        piece = stream.read(min(missing, 1 << 20))
        if not piece:
            raise SpeechError(f"{where}: {key}: cut short: expected {missing} more bytes")
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _text(where: str, key: str, line: bytes) -> IntArray:
    if not line.endswith(b"\n"):
        raise SpeechError(f"{where}: {key}: cut short: expected the end of a line")
    try:
        values = [int(value) for value in line.split()]
        return np.array(values, dtype=np.int32)
    except (ValueError, OverflowError):
        raise SpeechError(
            f"{where}: {key}: expected a line of integers, found {line[:40]!r}"
        ) from None
