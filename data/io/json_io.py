"""JSON files of the acoustic model: written atomically, read with the file named in every error."""

from __future__ import annotations

import json
import os
from typing import Any

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines, replace_text

VERSION = 1


def write_json(path: str | os.PathLike[str], kind: str, value: dict[str, Any]) -> None:
    """Writes `value` with its kind and version, first to a temporary name."""
    text = json.dumps({"kind": kind, "version": VERSION, **value}, separators=(",", ":"))
    with replace_text(path) as stream:
        stream.write(text + "\n")


def read_json(path: str | os.PathLike[str], kind: str) -> dict[str, Any]:
    """Reads a file of `write_json`.

    Raises:
        SpeechError: if it is missing, no JSON object, or of another kind or version.
    """
    text = "\n".join(read_lines(path))
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise SpeechError(f"{path}:{line}: expected JSON, found: {error}") from None
    if not isinstance(value, dict):
        raise SpeechError(f"{path}: expected a JSON object, found {type(value).__name__}")
    for name, expected in (("kind", kind), ("version", VERSION)):
        if value.get(name) != expected:
            raise SpeechError(f"{path}: {name}: expected {expected!r}, found {value.get(name)!r}")
    return value
