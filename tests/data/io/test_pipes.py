"""Pipelines run without a shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from recognizer.data.errors import SpeechError
from recognizer.data.io.command import open_pipe


def output(command: str) -> bytes:
    with open_pipe(command) as stream:
        return stream.read()


def test_pipelines_of_plain_commands(tmp_path: Path) -> None:
    path = tmp_path / "a file.txt"
    path.write_bytes(b"one\ntwo\n\xff\n")
    assert output(f"cat '{path}'") == b"one\ntwo\n\xff\n"
    assert output(f"cat '{path}' | head -n 2 | tail -n 1") == b"two\n"
    assert output(f"cat '{path}'|head -n 1") == b"one\n"
    assert output("printf '%s' 'a | b # c'") == b"a | b # c"


@pytest.mark.parametrize(
    "command",
    [
        "cat a; rm b",
        "cat a && rm b",
        "cat a > b",
        "cat < a",
        "echo $HOME",
        "echo `id`",
        "echo $(id)",
        "cat a &",
        "cat a || rm b",
        "(cat a)",
    ],
)
def test_what_needs_a_shell_is_refused(command: str) -> None:
    with pytest.raises(SpeechError, match="needs a shell"):
        output(command)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("", "found an empty one"),
        ("cat a | | cat", "found an empty one"),
        ("cat 'a", "No closing quotation"),
        ("no-such-program-here x", "no-such-program-here: cannot be run: No such file"),
        ("cat /no/such/file | head", r"failed \(1\): cat: /no/such/file"),
    ],
)
def test_commands_that_fail(command: str, expected: str) -> None:
    with pytest.raises(SpeechError, match=expected) as caught:
        output(command)
    assert "\n" not in str(caught.value)
