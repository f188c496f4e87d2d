"""Where recordings come from: what cannot seek is read as files are."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from recognizer.data.audio.reading import audio_duration, read_audio
from recognizer.data.errors import UsageError
from sounds import FORMATS, encode, message, tone

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="named pipes of POSIX")


@pytest.fixture(params=[(kind, subtype) for _, kind, subtype, _ in FORMATS], ids=str)
def content(request: pytest.FixtureRequest) -> bytes:
    kind, subtype = request.param
    return encode(tone(), kind=kind, subtype=subtype)


class Writer(threading.Thread):
    """Writes into a pipe as another program does."""

    def __init__(self, path: str | int, content: bytes) -> None:
        super().__init__(daemon=True)
        self._path, self._content = path, content

    def run(self) -> None:
        with open(self._path, "wb") as pipe:  # noqa: PTH123, it may be a descriptor
            pipe.write(self._content)


def test_a_named_pipe(tmp_path: Path, content: bytes) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Writer(str(pipe), content)
    writer.start()
    samples = read_audio(pipe)
    writer.join()
    np.testing.assert_array_equal(samples, read_audio(io.BytesIO(content)))


@pytest.fixture
def descriptor(content: bytes) -> Iterator[int]:
    """The reading end of a pipe, as a shell's process substitution gives it."""
    reading, writing = os.pipe()
    writer = Writer(writing, content)
    writer.start()
    yield reading
    writer.join()
    os.close(reading)


def test_the_file_of_a_descriptor(descriptor: int, content: bytes) -> None:
    samples = read_audio(f"/dev/fd/{descriptor}", start=0.25, end=0.75)
    expected = read_audio(io.BytesIO(content), start=0.25, end=0.75)
    np.testing.assert_array_equal(samples, expected)


def test_its_duration(descriptor: int) -> None:
    assert audio_duration(f"/dev/fd/{descriptor}") == pytest.approx(1.0)


def test_an_empty_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Writer(str(pipe), b"")
    writer.start()
    assert message(pipe) == f"{pipe}: expected a recording, found an empty file"
    writer.join()


def test_names_that_no_file_can_have() -> None:
    assert "cannot be opened" in message("a\0b.wav")
    assert message("") == "expected the name of an audio file, found an empty one"


def test_a_read_that_fails_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    class Failing(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise OSError(5, "Input/output error")

    assert message(Failing(encode(tone()))) == (
        "the given stream: cannot be read: Input/output error"
    )
    assert capfd.readouterr() == ("", "")


def test_a_stream_of_text_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="expected a stream of bytes, found one of text"):
        read_audio(io.StringIO("text"))  # type: ignore[arg-type]
