"""Files of arrays mapped into memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recognizer.data.errors import SpeechError
from recognizer.data.io.mapped_arrays import open_arrays, write_arrays

DTYPES = [np.uint8, np.uint16, np.uint32, np.uint64, np.int32, np.int64, np.float32, np.float64]
ARRAYS: dict[str, np.ndarray] = {
    "bytes": np.arange(5, dtype=np.uint8),
    "costs": np.linspace(0, 1, 7, dtype=np.float32),
    "empty": np.empty((0, 3), dtype=np.uint32),
    "offsets": np.arange(3, dtype=np.uint64),
}


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.text("abcdef", min_size=1, max_size=4),
        st.sampled_from(DTYPES).flatmap(
            lambda dtype: hnp.arrays(dtype, hnp.array_shapes(max_dims=2, min_side=0, max_side=5))
        ),
        max_size=5,
    )
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, np.ndarray]
) -> None:
    path = tmp_path_factory.mktemp("arrays") / "file"
    write_arrays(path, arrays, kind="test", version=3, metadata={"note": "ä"})
    read = open_arrays(path, kind="test", version=3)
    assert dict(read.metadata) == {"note": "ä"}
    assert set(read.arrays) == set(arrays)
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)
        assert not read[name].flags.writeable
    read.verify()
    theirs = safetensors.numpy.load_file(path)
    assert set(theirs) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(theirs[name], array)


def test_the_same_arrays_make_the_same_bytes(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a", ARRAYS, kind="test", version=1)
    write_arrays(tmp_path / "b", dict(reversed(ARRAYS.items())), kind="test", version=1)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_every_truncation_and_every_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_arrays(path, ARRAYS, kind="test", version=1)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(SpeechError, match="expected"):
            open_arrays(path, kind="test", version=1)
    path.write_bytes(content + b"x")
    with pytest.raises(SpeechError, match="bytes, as its header says"):
        open_arrays(path, kind="test", version=1)
    for foreign in (b"", b"RIFF" * 100, b"\x10" + bytes(7) + b"[1, 2, 3]       "):
        path.write_bytes(foreign)
        with pytest.raises(SpeechError, match="another or damaged header"):
            open_arrays(path, kind="test", version=1)
    path.write_bytes(content)
    with pytest.raises(SpeechError, match="expected a file of kind 'graph' and version 1, found"):
        open_arrays(path, kind="graph", version=1)
    with pytest.raises(SpeechError, match="version 2, found 'test' of version 1"):
        open_arrays(path, kind="test", version=2)
    with pytest.raises(SpeechError, match="no-such-file: cannot be read: No such file"):
        open_arrays(tmp_path / "no-such-file", kind="test", version=1)


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_arrays(path, ARRAYS, kind="test", version=1)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        SpeechError, match=r"file: bytes: expected the CRC-32 .*: the file is damaged"
    ):
        open_arrays(path, kind="test", version=1).verify()


def test_a_header_that_lies_about_sizes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_arrays(path, ARRAYS, kind="test", version=1)
    content = path.read_bytes()
    for old, new in ((b'"shape": [7]', b'"shape": [8]'), (b'"shape": [7]', b'"shape":[-7]')):
        assert content.count(old) == 1
        path.write_bytes(content.replace(old, new))
        with pytest.raises(SpeechError, match="costs: expected float32"):
            open_arrays(path, kind="test", version=1)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs Linux' memory maps")
def test_released_pages_leave_memory_and_come_back(tmp_path: Path) -> None:
    """As a model's files do, which are checked as a whole when they are opened."""

    def resident() -> int:
        """Kilobytes of the file in this process's memory."""
        _, _, entry = Path("/proc/self/smaps").read_text().partition(str(path))
        _, _, size = entry.partition("Rss:")
        return int(size.split()[0])

    path = tmp_path / "file"
    numbers = np.arange(1 << 20, dtype=np.uint32)
    write_arrays(path, {"numbers": numbers}, kind="test", version=1)
    mapped = open_arrays(path, kind="test", version=1)
    mapped.verify()
    assert resident() >= numbers.nbytes >> 10
    mapped.release()
    assert resident() == 0
    assert (mapped["numbers"] == numbers).all()
