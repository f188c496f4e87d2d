"""Models in one safetensors file: tensors, lists of words, options and a record of the training.

Nothing here imports torch, and nothing is unpickled. The metadata hold ``format``, ``options``
(JSON) and ``record`` (JSON). A list of words is a uint8 tensor of UTF-8 text, each word followed by
a line feed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import replace_file

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class TensorFile:
    """What such a file holds.

    Attributes:
        options: table of the model's shape (`recognizer.data.io.options`).
        record: how the model was trained (free).
        arrays: tensors by name.
    """

    options: Mapping[str, Any]
    record: Mapping[str, Any]
    arrays: Arrays


def write_tensor_file(
    path: str | os.PathLike[str],
    file_format: str,
    content: TensorFile,
    lists: Mapping[str, Sequence[str]],
) -> None:
    """Write the file, whole or not at all.

    Args:
        path: the file.
        file_format: its format's name with a version.
        content: what it holds.
        lists: lists of words by tensor name.

    Raises:
        SpeechError: the directory does not exist or cannot be written.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in content.arrays.items()}
    for name, words in lists.items():
        arrays[name] = np.frombuffer("".join(f"{word}\n" for word in words).encode(), np.uint8)
    metadata = {
        "format": file_format,
        "options": json.dumps(dict(content.options)),
        "record": json.dumps(dict(content.record)),
    }
    with replace_file(path) as temporary:
        temporary.write_bytes(save(arrays, metadata=metadata))


def read_tensor_file(
    path: str | os.PathLike[str], file_format: str, what: str, lists: Sequence[str]
) -> tuple[TensorFile, tuple[tuple[str, ...], ...]]:
    """Read the file, and the lists of words with these tensor names.

    Args:
        path: the file.
        file_format: that it must have.
        what: it is, for messages: "a tagger".
        lists: names of the tensors that are lists of words.

    Returns:
        What the file holds besides these lists, and the lists; a missing one is empty.

    Raises:
        SpeechError: missing, truncated, of another format, with metadata that are no JSON objects,
            or a list that is not UTF-8.
    """
    path = Path(path)
    if not path.is_file():
        found = "a directory" if path.is_dir() else "nothing"
        raise SpeechError(f"{path}: expected {what}, found {found}")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            if metadata.get("format") != file_format:
                raise SpeechError(
                    f"{path}: expected {what} of format {file_format}, "
                    f"found {metadata.get('format', 'another file')}"
                )
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise SpeechError(f"{path}: not a whole safetensors file: {error}") from None
    tables = []
    for name in ("options", "record"):
        try:
            table = json.loads(metadata.get(name, ""))
        except ValueError:
            table = None
        if not isinstance(table, dict):
            raise SpeechError(f"{path}: metadata {name}: expected a JSON object, found none")
        tables.append(table)
    words = []
    for name in lists:
        try:
            text = arrays.pop(name, np.empty(0, np.uint8)).tobytes().decode()
        except UnicodeDecodeError:
            raise SpeechError(f"{path}: {name}: expected UTF-8 text") from None
        words.append(tuple(text.split("\n")[:-1]))
    options, record = tables
    return TensorFile(options, record, arrays), tuple(words)


def check_tensors(
    tensors: Mapping[str, npt.NDArray[Any]], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Check names, shapes, type and finiteness of a model's float32 tensors.

    Raises:
        SpeechError: a tensor is missing, unknown, of another shape or type, or not finite.
    """
    for name in sorted(tensors.keys() - shapes.keys()):
        raise SpeechError(f"unknown tensor {name}")
    for name, shape in shapes.items():
        array = tensors.get(name)
        if array is None or array.shape != shape or array.dtype != np.float32:
            found = "none" if array is None else f"{array.dtype} {list(array.shape)}"
            raise SpeechError(f"tensor {name}: expected float32 {list(shape)}, found {found}")
        if not np.isfinite(array).all():
            raise SpeechError(f"tensor {name}: expected finite numbers, found NaN or inf")
