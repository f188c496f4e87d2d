"""JSON files of the acoustic model: written atomically, read with the file named in every error."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from data.errors import SpeechError

VERSION = 1


def write_json(path: str | os.PathLike[str], kind: str, value: dict[str, Any]) -> None:
    """Writes `value` with its kind and version, first to a temporary name."""
    target = Path(path)
    temporary = target.with_name(target.name + ".tmp")
    text = json.dumps({"kind": kind, "version": VERSION, **value}, separators=(",", ":"))
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(target)


def read_json(path: str | os.PathLike[str], kind: str) -> dict[str, Any]:
    """Reads a file of `write_json`.

    Raises:
        SpeechError: if it is missing, no JSON object, or of another kind or version.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise SpeechError(f"{path}: cannot read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SpeechError(f"{path}: expected UTF-8 text, found other bytes") from None
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise SpeechError(
            f"{path}: line {error.lineno}: expected JSON, found: {error.msg}"
        ) from None
    if not isinstance(value, dict):
        raise SpeechError(f"{path}: expected a JSON object, found {type(value).__name__}")
    for name, expected in (("kind", kind), ("version", VERSION)):
        if value.get(name) != expected:
            raise SpeechError(f"{path}: {name}: expected {expected!r}, found {value.get(name)!r}")
    return value
