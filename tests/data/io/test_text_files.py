"""Text files: compressed or not, whole or not at all."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest
import zstandard

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines, replace_file, replace_text

TEXT = "one\ntwo words\r\n\nlast é"
LINES = ["one", "two words", "", "last é"]


def pack(path: Path, raw: bytes) -> None:
    packers = {
        ".gz": gzip.compress,
        ".xz": lzma.compress,
        ".zst": zstandard.ZstdCompressor().compress,
        ".txt": bytes,
    }
    path.write_bytes(packers[path.suffix](raw))


@pytest.mark.parametrize("name", ["a.txt", "a.gz", "a.xz", "a.zst"])
def test_lines(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    pack(path, TEXT.encode())
    assert list(read_lines(path)) == LINES
    assert list(read_lines(str(path))) == LINES
    pack(path, b"\xef\xbb\xbfone\n")
    assert list(read_lines(path)) == ["one"]
    pack(path, b"")
    assert list(read_lines(path)) == []
    pack(path, b"one\ntw")
    first = path.read_bytes()
    pack(path, b"o\n" * 200_000)
    path.write_bytes(first + path.read_bytes())  # archives may hold several parts
    assert list(read_lines(path)) == ["one", "two"] + ["o"] * 199_999


@pytest.mark.parametrize("name", ["a.gz", "a.xz", "a.zst"])
def test_damaged_archives(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    pack(path, "".join(f"{i * i}\n" for i in range(5000)).encode())
    raw = path.read_bytes()
    for broken in (b"plain text, no archive", raw[: len(raw) // 2]):
        path.write_bytes(broken)
        with pytest.raises(SpeechError, match="damaged after line") as caught:
            list(read_lines(path))
        assert "\n" not in str(caught.value)


def test_lines_before_the_damage_are_given(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    lines = [str(i * i) for i in range(500_000)]
    pack(path, "".join(f"{line}\n" for line in lines).encode())
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    found: list[str] = []
    with pytest.raises(SpeechError) as caught:
        for line in read_lines(path):
            found.append(line)
    assert found[:-1] == lines[: len(found) - 1]
    assert len(found) > 100_000
    assert f"damaged after line {len(found)}:" in str(caught.value)


@pytest.mark.parametrize("name", ["a.txt", "a.gz", "a.xz", "a.zst"])
def test_a_reader_who_stops_leaves_no_open_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    pack(path, b"one\ntwo\n")
    lines = read_lines(path)
    assert next(lines) == "one"
    opened = Path("/proc/self/fd")
    assert path not in {link.readlink() for link in opened.iterdir() if link.is_symlink()}
    assert list(lines) == ["two"]


def test_faulty_files(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="no such file"):
        list(read_lines(tmp_path / "no"))
    with pytest.raises(SpeechError, match="found a directory"):
        list(read_lines(tmp_path))
    (tmp_path / "a.txt").write_bytes(b"one\ntwo \xe9\n")
    with pytest.raises(SpeechError, match=r"a\.txt:2: expected UTF-8 text, found byte 0xe9"):
        list(read_lines(tmp_path / "a.txt"))


def test_writing_replaces_only_when_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    with replace_text(path) as stream:
        stream.write("old é\n")
    assert path.read_text(encoding="utf-8") == "old é\n"
    with pytest.raises(RuntimeError), replace_text(path) as stream:
        stream.write("half")
        raise RuntimeError
    assert path.read_text(encoding="utf-8") == "old é\n"
    assert list(tmp_path.iterdir()) == [path]
    with replace_file(path) as temporary:
        temporary.write_text("new")
        assert path.read_text(encoding="utf-8") == "old é\n"
    assert path.read_text() == "new"
    with pytest.raises(SpeechError, match="cannot be written"), replace_text(tmp_path / "no" / "x"):
        pass


def test_writing_packs_what_ends_in_gz(tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt.gz", tmp_path / "other.txt.gz"
    for path in (one, other):
        with replace_text(path) as stream:
            stream.write("zeile\nünd\n")
    assert list(read_lines(one)) == ["zeile", "ünd"]
    assert gzip.decompress(one.read_bytes()) == "zeile\nünd\n".encode()
    assert one.read_bytes() == other.read_bytes()  # neither name nor time is in it
