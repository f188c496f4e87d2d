"""Kaldi's archives of integer vectors, against kaldi_native_io's reading and writing."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kaldi_archives import write_int_vectors
from recognizer.data.errors import SpeechError
from recognizer.data.io.kaldi_archive import read_int_vectors

VECTORS = {"u-1": [1, 2, 3, -5, 2**31 - 1], "u-2": [], "ü": [7]}
tables = st.dictionaries(
    st.text(st.characters(min_codepoint=33, max_codepoint=0x24F), min_size=1, max_size=6).filter(
        lambda key: key.split() == [key]
    ),
    st.lists(st.integers(-(2**31), 2**31 - 1), max_size=8),
    max_size=4,
)


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("name", ["ali.1.gz", "ali.ark"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(vectors=tables)
def test_round_trip(tmp_path: Path, vectors: dict[str, list[int]], name: str, text: bool) -> None:
    write_int_vectors(tmp_path / name, vectors, text=text)
    found = {key: vector.tolist() for key, vector in read_int_vectors(tmp_path / name)}
    assert found == vectors


@pytest.mark.parametrize("text", [False, True])
def test_kaldi_native_io_reads_the_same(tmp_path: Path, text: bool) -> None:
    kaldi = pytest.importorskip("kaldi_native_io", reason="kaldi_native_io is the peer")
    path = tmp_path / "ali.ark"
    write_int_vectors(path, VECTORS, text=text)
    with kaldi.SequentialInt32VectorReader(f"ark:{path}") as reader:
        assert {key: list(value) for key, value in reader} == VECTORS
    copy = tmp_path / "copy.ark"
    with kaldi.Int32VectorWriter(f"ark{',t' if text else ''}:{copy}") as writer:
        for key, value in VECTORS.items():
            writer.write(key, value)
    assert copy.read_bytes() == path.read_bytes()
    packed = tmp_path / "ali.gz"
    packed.write_bytes(gzip.compress(copy.read_bytes()))
    assert {key: value.tolist() for key, value in read_int_vectors(packed)} == VECTORS


def test_an_archive_cut_anywhere_is_refused_or_ends_between_vectors(tmp_path: Path) -> None:
    path = tmp_path / "ali.ark"
    write_int_vectors(path, VECTORS)
    raw = path.read_bytes()
    whole = 0
    for length in range(len(raw)):
        path.write_bytes(raw[:length])
        try:
            found = list(read_int_vectors(path))
        except SpeechError as error:
            assert str(path) in str(error)
        else:
            assert [v.tolist() for _, v in found] == list(VECTORS.values())[: len(found)]
            whole += 1
    assert whole == len(VECTORS)


def test_what_is_no_archive_of_integers(tmp_path: Path) -> None:
    path = tmp_path / "ali.ark"
    for content, expected in [
        (b"u \0BFV \x04\x01\0\0\0\0\0\0\0", "u: expected a vector of 32-bit integers"),
        (b"u \0B\x04\xff\xff\xff\xff", "u: expected a vector of 32-bit integers"),
        (b"u \0B\x04\xff\xff\xff\x7f\x04", "u: cut short"),
        (b"u [ 1.5 2 ]\n", "u: expected a line of integers, found b'[ 1.5 2 ]"),
        (b"u 99999999999\n", "u: expected a line of integers"),
        (b"\0\0\0", "expected a Kaldi archive, found something else"),
        (b"u", "cut short after key"),
        (b"\xff\xfe 1\n", "expected a key"),
    ]:
        path.write_bytes(content)
        with pytest.raises(SpeechError) as caught:
            list(read_int_vectors(path))
        assert str(caught.value).startswith(f"{path}: {expected}"), content
    (tmp_path / "b.gz").write_bytes(b"nonsense")
    with pytest.raises(SpeechError, match="damaged"):
        list(read_int_vectors(tmp_path / "b.gz"))
