"""Where recordings come from: files, pipes, standard input and open streams."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

from recognizer.data.errors import SpeechError, UsageError

MEMORY_BYTES = 64 << 20
"""The most of a stream that cannot seek that is held in memory."""

Source = str | os.PathLike[str] | BinaryIO


def open_source(source: Source) -> tuple[str, BinaryIO]:
    """Name for messages and a seekable binary stream of the source.

    What cannot seek (named pipes, `/dev/stdin`, the `/dev/fd/N` of a shell's process substitution)
    is read first, because decoders seek: into memory, or where it is more than `MEMORY_BYTES` into
    a temporary file that has no name.

    Raises:
        SpeechError: there is no such file, or it cannot be opened or read.
        UsageError: an open file in text mode.
    """
    if isinstance(source, str | os.PathLike):
        if os.fspath(source) == "-":
            if sys.stdin is None:
                raise SpeechError("standard input: expected audio, found it closed")
            return "standard input", _copied("standard input", sys.stdin.buffer)
        if not os.fspath(source):  # Path("") is the working directory
            raise SpeechError("expected the name of an audio file, found an empty one")
        path = Path(source)
        stream = _opened(path)
        if stream.seekable():
            return str(path), stream
        with stream:
            return str(path), _copied(str(path), stream)
    name = str(getattr(source, "name", "the given stream"))
    # A copy, so that the caller's stream stays the caller's.
    return name, _copied(name, source)


def _opened(path: Path) -> BinaryIO:
    if path.is_dir():
        raise SpeechError(f"{path}: expected an audio file, found a directory")
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise SpeechError(f"{path}: no such file") from None
    except OSError as error:
        raise SpeechError(f"{path}: cannot be opened: {error.strerror}") from error
    except ValueError as error:  # a null character in the name
        raise SpeechError(f"{str(path)!r}: cannot be opened: {error}") from None


def _copied(name: str, stream: BinaryIO) -> BinaryIO:
    """What is left of a stream, as a stream that can seek."""
    try:
        content = stream.read(MEMORY_BYTES)
        if not isinstance(content, bytes):
            raise UsageError(f"{name}: expected a stream of bytes, found one of text")
        copy: BinaryIO = io.BytesIO(content)
        while content := stream.read(MEMORY_BYTES):
            if isinstance(copy, io.BytesIO):
                copy = _in_file(copy)
            copy.write(content)
    except OSError as error:
        raise SpeechError(f"{name}: cannot be read: {error.strerror or error}") from error
    copy.seek(0)
    return copy


def _in_file(content: io.BytesIO) -> BinaryIO:
    """A temporary file that the system removes when it is closed, with some content."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever reads the copy closes it
    file.write(content.getbuffer())
    return cast(BinaryIO, file)
