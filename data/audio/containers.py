"""What the containers say about their length, which libsndfile does not check.

libsndfile reads what is there of a file that was cut short, and of files that were joined end to
end it reads the first. Here both are seen from the headers: wav and RF64 (Microsoft and EBU Tech
3306), Wave64 (Sony), AIFF (Apple), CAF (Apple), AU (Sun), NIST SPHERE, Ogg (RFC 3533), FLAC
(RFC 9639).
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Literal

from recognizer.data.audio.file_bytes import FileBytes
from recognizer.data.audio.section import Window
from recognizer.data.errors import SpeechError

_RF64 = (b"RF64", b"BW64")
_DS64_FORM, _DS64_DATA = 20, 28  # where RF64 has its own size and that of its samples
_OGG_HEADER = 27
_OGG_SEGMENTS = 255  # the most that a page has
_OGG_FIRST_PAGE = 2  # a flag of the page where a logical stream begins
_FLAC_STREAMS = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")  # STREAMINFO of 34 bytes


@dataclass(frozen=True)
class _Chunks:
    """How a container lays out its chunks.

    Attributes:
        first: where the first chunk begins.
        data: identifier of the chunk that holds the samples.
        length_bytes: size of a chunk's length.
        order: byte order of lengths.
        counts_header: whether a length includes the chunk's own header.
        alignment: chunks begin at multiples of this.
        unknown: lengths from here on are left by writers that knew none.
    """

    first: int
    data: bytes
    length_bytes: int
    order: Literal["little", "big"]
    counts_header: bool
    alignment: int
    unknown: int


_WAV = _Chunks(12, b"data", 4, "little", False, 2, 0x7FFF0000)
_AIFF = _Chunks(12, b"SSND", 4, "big", False, 2, 0x7F000000)
_CAF = _Chunks(8, b"data", 8, "big", False, 1, 1 << 62)
_WAVE64_DATA = bytes.fromhex("64617461f3acd3118cd100c04f8edb8a")
_WAVE64 = _Chunks(40, _WAVE64_DATA, 8, "little", True, 8, 1 << 62)


def complete_files(name: str, stream: BinaryIO) -> list[BinaryIO]:
    """The files that a stream holds, one after the other; nearly always one.

    Args:
        name: for messages.
        stream: seekable.

    Raises:
        SpeechError: the stream is empty, or a file in it ends before its header says.
    """
    size = stream.seek(0, io.SEEK_END)
    if size == 0:
        raise SpeechError(f"{name}: expected a recording, found an empty file")
    stream.seek(0)
    head = stream.read(16)
    if head[:4] == b"OggS":
        return _split(name, stream, _ogg_begins)
    if head[:4] == b"fLaC" or head[:3] == b"ID3":
        return _split(name, stream, _flac_begins)
    if _layout(head) is not None:
        return _joined_chunks(name, stream, size)
    if head[:4] in (b".snd", b"dns."):
        _check_au(name, stream, size)
    elif head[:7] == b"NIST_1A":
        _check_sphere(name, stream, size)
    return [stream]


def _layout(head: bytes) -> _Chunks | None:
    if head[:4] in (b"RIFF", *_RF64) and head[8:12] == b"WAVE":
        return _WAV
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _AIFF
    if head[:4] == b"caff":
        return _CAF
    return _WAVE64 if head == bytes.fromhex("726966662e91cf11a5d628db04c10000") else None


def _joined_chunks(name: str, stream: BinaryIO, size: int) -> list[BinaryIO]:
    """The files of chunks that follow each other (wav, RF64 and AIFF tell where they end)."""
    files: list[BinaryIO] = []
    begin = 0
    while True:
        stream.seek(begin)
        head = stream.read(16)
        layout = _layout(head)
        if layout is None:  # what follows the last file is no recording
            return files
        total = int.from_bytes(head[4:8], layout.order)
        if head[:4] in _RF64:
            stream.seek(begin + _DS64_FORM)
            total = int.from_bytes(stream.read(8), "little")
        end = begin + 8 + total + total % 2
        following = b""
        if begin + 8 < end < size:
            stream.seek(end)
            following = stream.read(16)
        if layout not in (_WAV, _AIFF) or _layout(following) not in (_WAV, _AIFF):
            end = size
        data, length = _data_chunk(stream, layout, begin, end)
        _check_left(name, length, end - data)
        # Of the writers that could not go back to fill in the length, libsndfile knows most.
        patch, patch_at = b"", 0
        if head[:4] == b"RIFF" and length == 0 and data < end and begin + 8 + total < end:
            patch, patch_at = b"\xff" * 4, data - 4
        elif head[:4] in _RF64 and length is None:
            patch, patch_at = (end - data).to_bytes(8, "little"), begin + _DS64_DATA
        elif layout is _WAVE64 and length is None:
            patch, patch_at = (end - data + 24).to_bytes(8, "little"), data - 8
        files.append(_buffered(Window(stream, begin, end, patch, patch_at - begin)))
        begin = end


def _buffered(window: Window) -> BinaryIO:
    return io.BufferedReader(window, 1 << 16)


def _data_chunk(stream: BinaryIO, layout: _Chunks, begin: int, end: int) -> tuple[int, int | None]:
    """Where the samples begin and how many bytes they should have; None if that is unknown."""
    long_length: int | None = None
    position = begin + layout.first
    header = len(layout.data) + layout.length_bytes
    while position + header <= end:
        stream.seek(position)
        kind = stream.read(len(layout.data))
        length = int.from_bytes(stream.read(layout.length_bytes), layout.order)
        if kind == b"ds64":  # RF64's table of the lengths that do not fit into 32 bits
            stream.seek(8, io.SEEK_CUR)
            long_length = int.from_bytes(stream.read(8), "little")
        if layout.counts_header:
            length = max(0, length - header)
        position += header
        if kind == layout.data:
            if long_length and length == 0xFFFFFFFF:
                return position, long_length if long_length < 1 << 62 else None
            return position, length if length < layout.unknown else None
        position += length + -length % layout.alignment
    return end, None


def _check_left(name: str, length: int | None, left: int) -> None:
    if length is not None and left < length:
        raise SpeechError(f"{name}: cut short: expected {length} bytes of samples, found {left}")


def _check_au(name: str, stream: BinaryIO, size: int) -> None:
    stream.seek(0)
    order: Literal["little", "big"] = "big" if stream.read(4) == b".snd" else "little"
    begin, length = (int.from_bytes(stream.read(4), order) for _ in range(2))
    _check_left(name, length if length < 0xFFFFFFFF else None, size - begin)


def _check_sphere(name: str, stream: BinaryIO, size: int) -> None:
    """NIST's header is text: its size, then lines of name, type and value."""
    stream.seek(8)
    try:
        begin = int(stream.read(8))
        stream.seek(0)
        lines = (line.split(maxsplit=2) for line in stream.read(begin).split(b"\n"))
        fields = {line[0]: line[2] for line in lines if len(line) == 3}
        if b"embedded" in fields.get(b"sample_coding", b""):  # compressed: not so many bytes
            return
        length = 1
        for field in (b"sample_count", b"channel_count", b"sample_n_bytes"):
            length *= int(fields[field])
    except (ValueError, KeyError):
        return  # the decoder says what is wrong with such a header
    _check_left(name, length, size - begin)


def _ogg_begins(name: str, content: FileBytes) -> list[int]:
    """Where the links of a chained Ogg file begin; streams that begin together are one link.

    Raises:
        SpeechError: the file ends within a page.
    """
    begins = []
    in_headers = False
    position = 0
    while 0 <= position < len(content):
        header = content[position : position + _OGG_HEADER + _OGG_SEGMENTS]
        segments = header[26] if len(header) > 26 else _OGG_SEGMENTS
        body = position + _OGG_HEADER + segments
        end = body + sum(header[_OGG_HEADER : _OGG_HEADER + segments])
        if end > len(content) or body > len(content):
            raise SpeechError(
                f"{name}: cut short: expected a last page of {end - position} bytes, "
                f"found {len(content) - position}"
            )
        is_header = bool(header[5] & _OGG_FIRST_PAGE)
        if is_header and not in_headers:
            begins.append(position)
        in_headers = is_header
        position = content.find(b"OggS", end)
    return begins


def _flac_begins(name: str, content: FileBytes) -> list[int]:
    """FLAC streams do not tell their length in bytes: each begins where its header is found."""
    begins: list[int] = []
    for marker in _FLAC_STREAMS:
        position = content.find(marker)
        while position >= 0:
            begins.append(position)
            position = content.find(marker, position + len(marker))
    # Tags before the first stream stay with it.
    return [0, *sorted(begins)[1:]]


def _split(
    name: str, stream: BinaryIO, find_begins: Callable[[str, FileBytes], list[int]]
) -> list[BinaryIO]:
    """The files that begin where a function of the whole content finds them."""
    stream.seek(0)
    key = _identity(stream)
    begins = _begins.get(key) if key is not None else None
    if begins is None:
        begins = find_begins(name, FileBytes(stream))
        if key is not None:
            _begins.clear()  # the segments of a recording are read one after the other
            _begins[key] = begins
    return _windows(stream, begins, stream.seek(0, io.SEEK_END))


_begins: dict[tuple[int, ...], list[int]] = {}
"""What was found in the file that was read last, so that its next segment need not search it."""


def _identity(stream: BinaryIO) -> tuple[int, ...] | None:
    """What tells a file, in its present state, from others; None for what is in memory."""
    try:
        status = os.fstat(stream.fileno())
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _windows(stream: BinaryIO, begins: list[int], size: int) -> list[BinaryIO]:
    if len(begins) < 2:
        return [stream]
    ends = [*begins[1:], size]
    return [_buffered(Window(stream, begin, end)) for begin, end in zip(begins, ends, strict=True)]
