"""Text files: read plain or compressed, written whole or not at all."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

import zstandard

from recognizer.data.errors import SpeechError

if TYPE_CHECKING:
    from typing_extensions import Buffer

COMPRESSED = (".gz", ".xz", ".zst")
"""Endings of the names of files that `open_bytes` decompresses."""

DAMAGE = (gzip.BadGzipFile, lzma.LZMAError, zstandard.ZstdError, zlib.error, EOFError)
"""What reading from `open_bytes` raises where a compressed file is damaged or cut short."""

_BATCH = 1 << 20


def read_lines(path: str | os.PathLike[str]) -> Generator[str, None, None]:
    """Lines of a UTF-8 text file without their line ends; .gz, .xz and .zst are decompressed.

    The file is read a megabyte at a time, and closed before the last lines are given: a caller who
    stops at a faulty line leaves no open file behind, unless the file goes on for long after it.

    Raises:
        SpeechError: the file is missing, a directory, damaged, or not UTF-8 (names the line).
    """
    path = Path(path)
    number = 0
    try:
        for number, raw in enumerate(chain.from_iterable(_read_batches(path)), start=1):
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            yield line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise SpeechError(
            f"{path}:{number}: expected UTF-8 text, found byte 0x{error.object[error.start]:02x}"
        ) from None
    except DAMAGE as error:
        raise SpeechError(f"{path}: damaged after line {number}: {error}") from error


def _read_batches(path: Path) -> Iterator[list[bytes]]:
    """Lines of a file, about a megabyte at a time; the file is closed before the last of them."""
    batch: list[bytes] = []
    size = 0
    try:
        with open_bytes(path) as stream:
            for line in stream:
                if size >= _BATCH:
                    yield batch
                    batch, size = [], 0
                batch.append(line)
                size += len(line)
    except DAMAGE:
        yield batch  # what was whole, so that the caller knows how far it went
        raise
    yield batch


@contextmanager
def open_bytes(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file opened for reading bytes, decompressed by its ending (.gz, .xz, .zst).

    Raises:
        SpeechError: the file is missing, a directory or cannot be opened.
    """
    path = Path(path)
    if path.is_dir():
        raise SpeechError(f"{path}: expected a file, found a directory")
    try:
        raw: BinaryIO = path.open("rb")
    except FileNotFoundError:
        raise SpeechError(f"{path}: no such file") from None
    except OSError as error:
        raise SpeechError(f"{path}: cannot be opened: {error.strerror}") from error
    with raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(fileobj=raw) as stream:
                yield io.BufferedReader(stream)
        elif path.suffix == ".xz":
            with lzma.LZMAFile(raw) as stream:
                yield io.BufferedReader(stream)
        elif path.suffix == ".zst":
            yield io.BufferedReader(_ZstdReader(raw))
        else:
            yield raw


class _ZstdReader(io.RawIOBase):
    """Zstandard frames decompressed; unlike zstandard's own reader it notices a missing end."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._ready = b""
        self._inside = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer).cast("B")
        while not self._ready:
            packed = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
                self._inside = False
            packed = packed or self._raw.read(1 << 17)
            if not packed:
                if self._inside:
                    raise EOFError("the last frame is cut short")
                return 0
            self._inside = True
            self._ready = self._frame.decompress(packed)
        count = min(len(view), len(self._ready))
        view[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


def check_directory(directory: Path) -> None:
    """Refuse a directory that could not be written to, before any long work.

    Raises:
        SpeechError: it is a file, or may not be written or made.
    """
    nearest = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        wrong = "may not be written" if nearest.is_dir() else "is a file"
        raise SpeechError(f"{directory}: expected a directory, found {nearest}, which {wrong}")


@contextmanager
def replace_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path to write to; the file takes `path`'s place only when the block ends without error.

    Raises:
        SpeechError: the directory does not exist or cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise SpeechError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replace_text(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """A UTF-8 text file to write, gzipped if its name ends in .gz; otherwise as `replace_file`."""
    with replace_file(path) as temporary, temporary.open("wb") as raw:
        if Path(path).suffix == ".gz":
            # Without name and time in it, the same text makes the same file.
            with (
                gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed,
                io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as stream,
            ):
                yield stream
        else:
            with io.TextIOWrapper(raw, encoding="utf-8", newline="\n") as stream:
                yield stream
