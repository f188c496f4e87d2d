"""Files of contiguous arrays that are mapped into memory: opening one parses and copies nothing.

The layout is that of safetensors (eight bytes of header length, a JSON header, the arrays' bytes
end to end), so other programs can look inside. Its metadata says what the file holds, in which
version, and the CRC-32 of every array. Arrays stand by descending item size, the first at a
multiple of 64 bytes, so that each is aligned to its own type.
"""

from __future__ import annotations

import contextlib
import json
import math
import mmap
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import replace_file

_DTYPES = {
    "U8": np.dtype(np.uint8),
    "U16": np.dtype(np.uint16),
    "U32": np.dtype(np.uint32),
    "U64": np.dtype(np.uint64),
    "I8": np.dtype(np.int8),
    "I16": np.dtype(np.int16),
    "I32": np.dtype(np.int32),
    "I64": np.dtype(np.int64),
    "F16": np.dtype(np.float16),
    "F32": np.dtype(np.float32),
    "F64": np.dtype(np.float64),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_ALIGNMENT = 64
_MAX_HEADER = 1 << 20  # bytes
_BLOCK = 1 << 22  # bytes hashed at a time


@dataclass(frozen=True, eq=False)
class MappedArrays:
    """An open file: read-only arrays in mapped memory.

    Attributes:
        path: the file.
        arrays: by name; pages are read from disk when they are first looked at.
        metadata: strings stored beside them.
        checksums: CRC-32 of every array's bytes.
        memory: the mapped file.
    """

    path: Path
    arrays: Mapping[str, npt.NDArray[Any]]
    metadata: Mapping[str, str]
    checksums: Mapping[str, int]
    memory: mmap.mmap

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """An array by name; KeyError where there is none."""
        return self.arrays[name]

    def release(self) -> None:
        """Give back the memory of all pages read so far; those that are looked at again come back.

        For what has looked at the whole file once, but will need little of it.
        """
        if hasattr(mmap, "MADV_DONTNEED"):
            self.memory.madvise(mmap.MADV_DONTNEED)

    def verify(self) -> None:
        """Read everything and compare the checksums.

        Raises:
            SpeechError: names the file and the array that was changed.
        """
        for name, array in self.arrays.items():
            found = _checksum(array)
            if found != self.checksums[name]:
                raise SpeechError(
                    f"{self.path}: {name}: expected the CRC-32 {self.checksums[name]:08x}, "
                    f"found {found:08x}: the file is damaged"
                )


@dataclass(frozen=True)
class ArrayFile:
    """An array that `write_arrays` takes from a file of its own, which need not fit into memory.

    Attributes:
        path: the array's bytes and nothing else.
        dtype: of its numbers.
        columns: of its rows; 0: it has one dimension.
    """

    path: Path
    dtype: npt.DTypeLike
    columns: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """As numpy's; the file's size tells the number of rows."""
        size = self.path.stat().st_size // np.dtype(self.dtype).itemsize
        return (size // self.columns, self.columns) if self.columns else (size,)

    def load(self) -> npt.NDArray[Any]:
        """The array, in memory."""
        return np.fromfile(self.path, self.dtype).reshape(self.shape)

    def map(self) -> npt.NDArray[Any]:
        """The array in mapped memory, to be read only."""
        if not self.path.stat().st_size:  # cannot be mapped
            return np.empty(self.shape, self.dtype)
        return np.asarray(np.memmap(self.path, self.dtype, "r", shape=self.shape))


def write_arrays(
    path: str | os.PathLike[str],
    arrays: Mapping[str, npt.NDArray[Any] | ArrayFile],
    *,
    kind: str,
    version: int,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write arrays whole or not at all; the same arrays make the same bytes.

    Args:
        path: file to write.
        arrays: by name; integers of 8 to 64 bits, floats of 16 to 64.
        kind: what the file holds ("decoding-graph"), asked for again by `open_arrays`.
        version: of that kind's layout.
        metadata: further strings to store.
    """
    dtypes = {name: np.dtype(array.dtype).newbyteorder("=") for name, array in arrays.items()}
    order = sorted(arrays, key=lambda name: (-dtypes[name].itemsize, name))
    ready = {name: arrays[name] for name in order}
    header: dict[str, Any] = {
        "__metadata__": {
            **(metadata or {}),
            "format": kind,
            "version": str(version),
            "crc32": json.dumps({name: _checksum(array) for name, array in ready.items()}),
        }
    }
    end = 0
    for name, array in ready.items():
        size = int(np.prod(array.shape, dtype=np.int64)) * dtypes[name].itemsize
        begin, end = end, end + size
        header[name] = {
            "dtype": _NAMES[dtypes[name]],
            "shape": list(array.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    with replace_file(path) as temporary, temporary.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little"))
        stream.write(text)
        for array in ready.values():
            for block in _blocks(array):
                stream.write(block)


def open_arrays(path: str | os.PathLike[str], *, kind: str, version: int) -> MappedArrays:
    """Map a file of `write_arrays`; only its header is read.

    Raises:
        SpeechError: the file is missing, truncated, of another kind or version, or damaged in its
            header; names the file, what was expected and what was found.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            text = stream.read(length) if length <= min(size, _MAX_HEADER) else b""
    except OSError as error:
        raise SpeechError(f"{path}: cannot be read: {error.strerror or error}") from error
    expected = f"expected a file of kind {kind!r}"
    try:
        header = json.loads(text)
        fields = header.pop("__metadata__")
        found = (fields.pop("format"), int(fields.pop("version")))
        checksums = {name: int(value) for name, value in json.loads(fields.pop("crc32")).items()}
        places = [
            (
                name,
                _DTYPES[entry["dtype"]],
                tuple(int(n) for n in entry["shape"]),
                *(int(n) for n in entry["data_offsets"]),
            )
            for name, entry in header.items()
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SpeechError(f"{path}: {expected}, found another or damaged header") from None
    if found != (kind, version):
        raise SpeechError(
            f"{path}: {expected} and version {version}, found {found[0]!r} of version {found[1]}"
        )
    data = 8 + length
    end = data + max((place[4] for place in places), default=0)
    if end != size:
        raise SpeechError(f"{path}: expected {end} bytes, as its header says, found {size}")
    try:
        with path.open("rb") as stream:
            memory = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise SpeechError(f"{path}: cannot be read: {error.strerror or error}") from error
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, dtype, shape, begin, stop in places:
        count = int(np.prod(shape, dtype=np.int64))
        if not (0 <= begin <= stop and min(shape, default=0) >= 0) or (
            stop - begin != count * dtype.itemsize or name not in checksums
        ):
            raise SpeechError(f"{path}: {name}: expected {dtype} {list(shape)} in its place")
        if begin % dtype.itemsize:
            raise SpeechError(f"{path}: {name}: expected an aligned array, found one at {begin}")
        arrays[name] = np.frombuffer(memory, dtype, count, data + begin).reshape(shape)
    return MappedArrays(path, arrays, fields, checksums, memory)


def large_zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Zeros in memory of huge pages where the system has them: for look-ups at random places."""
    size = math.prod(shape) * dtype.itemsize
    if size == 0:
        return np.zeros(shape, dtype)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them
            memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, dtype).reshape(shape)


def _checksum(array: npt.NDArray[Any] | ArrayFile) -> int:
    value = 0
    for block in _blocks(array):
        value = zlib.crc32(block, value)
    return value


def _blocks(array: npt.NDArray[Any] | ArrayFile) -> Iterator[bytes]:
    """The bytes of an array, some at a time."""
    if isinstance(array, ArrayFile):
        with array.path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                yield block
        return
    content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    for begin in range(0, len(content), _BLOCK):
        yield content[begin : begin + _BLOCK].tobytes()
