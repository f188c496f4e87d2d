"""Pipelines of plain commands, run without a shell (for `command |` in wav.scp)."""

from __future__ import annotations

import io
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from recognizer.data.errors import SpeechError


@contextmanager
def open_pipe(command: str) -> Iterator[BinaryIO]:
    """Run a pipeline such as `sph2pipe -f wav x.sph | sox -t wav - -r 16k -t wav -`.

    Words are split as a shell does, and `|` connects commands; nothing else of a shell's language
    is understood, so a data file cannot do more than start the programs it names.

    Yields:
        What the last command printed.

    Raises:
        SpeechError: other shell syntax, a program that is missing or fails.
    """
    output = b""
    for stage in _stages(command):
        try:
            done = subprocess.run(stage, input=output, capture_output=True, check=False)
        except OSError as error:
            raise SpeechError(f"{stage[0]}: cannot be run: {error.strerror}") from error
        if done.returncode:
            lines = done.stderr.decode(errors="replace").split("\n")
            reason = next((line.strip() for line in lines if line.strip()), "no message")
            raise SpeechError(f"command {command!r} failed ({done.returncode}): {reason}")
        output = done.stdout
    stream = io.BytesIO(output)
    stream.name = command
    yield stream


def _stages(command: str) -> list[list[str]]:
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    stages: list[list[str]] = [[]]
    try:
        for token in lexer:
            if token == "|":
                stages.append([])
            elif set(token) <= set("();<>|&") or "$" in token or "`" in token:
                raise SpeechError(
                    f"command {command!r}: expected plain commands joined by |, found {token!r}, "
                    "which needs a shell"
                )
            else:
                stages[-1].append(token)
    except ValueError as error:
        raise SpeechError(f"command {command!r}: {error}") from None
    if not all(stages):
        raise SpeechError(f"command {command!r}: expected commands joined by |, found an empty one")
    return stages
