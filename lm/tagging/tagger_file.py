"""The file of a tagger: int8 weights, words and options in one safetensors.

Nothing here imports torch, and nothing is unpickled. Of each matrix (names in
`recognizer.lm.tagging.options`) the file has int8 rows and, as ``NAME.scale`` float32, the factor
of each row; biases are float32. ``words`` and ``endings`` (uint8) are UTF-8 text, a line each. The
metadata hold ``format``, ``options`` (JSON) and ``record`` (JSON): how the tagger was trained.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import replace_file
from recognizer.data.io.options import from_table, to_table
from recognizer.lm.tagging.options import TaggerOptions
from recognizer.lm.tagging.vocabulary import TaggerVocabulary

FORMAT = "tagger-1"

_LARGEST = 127


@dataclass(frozen=True, eq=False)
class TaggerFile:
    """A tagger as it lies in its file.

    Attributes:
        options: its shape.
        vocabulary: its words and endings.
        tensors: float32 arrays by name; writing rounds the matrices to int8.
        record: how it was trained (free).

    Raises:
        SpeechError: a tensor is missing, unknown, of another shape or type, or not finite.
    """

    options: TaggerOptions
    vocabulary: TaggerVocabulary
    tensors: Mapping[str, npt.NDArray[np.float32]]
    record: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shapes = self.options.shapes(len(self.vocabulary.words), len(self.vocabulary.endings))
        for name in sorted(self.tensors.keys() - shapes.keys()):
            raise SpeechError(f"unknown tensor {name}")
        for name, shape in shapes.items():
            array = self.tensors.get(name)
            if array is None or array.shape != shape or array.dtype != np.float32:
                found = "none" if array is None else f"{array.dtype} {list(array.shape)}"
                raise SpeechError(f"tensor {name}: expected float32 {list(shape)}, found {found}")
            if not np.isfinite(array).all():
                raise SpeechError(f"tensor {name}: expected finite numbers, found NaN or inf")


def rounded(model: TaggerFile) -> TaggerFile:
    """The model as it is after writing and reading."""
    tensors = {}
    for name, array in model.tensors.items():
        if array.ndim == 2:
            whole, scale = _quantized(array)
            tensors[name] = whole.astype(np.float32) * scale[:, None]
        else:
            tensors[name] = array
    return TaggerFile(model.options, model.vocabulary, tensors, model.record)


def write_tagger(model: TaggerFile, path: str | os.PathLike[str]) -> None:
    """Write the file, whole or not at all.

    Raises:
        SpeechError: the directory does not exist or cannot be written.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, array in model.tensors.items():
        if array.ndim == 2:
            arrays[name], arrays[f"{name}.scale"] = _quantized(array)
        else:
            arrays[name] = np.ascontiguousarray(array)
    for name in ("words", "endings"):
        text = "".join(f"{one}\n" for one in getattr(model.vocabulary, name)).encode()
        arrays[name] = np.frombuffer(text, np.uint8)
    metadata = {
        "format": FORMAT,
        "options": json.dumps(to_table(model.options)),
        "record": json.dumps(dict(model.record)),
    }
    with replace_file(path) as temporary:
        temporary.write_bytes(save(arrays, metadata=metadata))


def read_tagger(path: str | os.PathLike[str]) -> TaggerFile:
    """Read the file and check every part of it.

    Raises:
        SpeechError: missing, truncated, of another format, or with a wrong tensor, word or option.
    """
    path = Path(path)
    if not path.is_file():
        found = "a directory" if path.is_dir() else "nothing"
        raise SpeechError(f"{path}: expected a tagger, found {found}")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            if metadata.get("format") != FORMAT:
                raise SpeechError(
                    f"{path}: expected a tagger of format {FORMAT}, "
                    f"found {metadata.get('format', 'another file')}"
                )
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise SpeechError(f"{path}: not a whole safetensors file: {error}") from None
    values = {}
    for name in ("options", "record"):
        try:
            values[name] = json.loads(metadata.get(name, ""))
        except ValueError:
            values[name] = None
        if not isinstance(values[name], dict):
            raise SpeechError(f"{path}: metadata {name}: expected a JSON object, found none")
    options = from_table(TaggerOptions, values["options"], f"{path}: options")
    try:
        lists = []
        for name in ("words", "endings"):
            text = arrays.pop(name, np.empty(0, np.uint8)).tobytes().decode()
            lists.append(tuple(text.split("\n")[:-1]))
        vocabulary = TaggerVocabulary(*lists)
        return TaggerFile(options, vocabulary, _float(arrays), values["record"])
    except UnicodeDecodeError:
        raise SpeechError(f"{path}: expected words and endings in UTF-8") from None
    except SpeechError as error:
        raise SpeechError(f"{path}: {error}") from None


def _quantized(
    array: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Rows of whole numbers up to 127, and the factor of each row."""
    scale = np.abs(array).max(axis=1) / _LARGEST
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    return np.rint(array / scale[:, None]).astype(np.int8), scale


def _float(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
    """The matrices of a file in float32; what is no matrix of int8 stays for `TaggerFile`."""
    tensors = {}
    for name, array in arrays.items():
        if name.removesuffix(".scale") != name and name.removesuffix(".scale") in arrays:
            continue
        scale = arrays.get(f"{name}.scale")
        if array.dtype == np.int8 and array.ndim == 2:
            if scale is None or scale.shape != array.shape[:1] or scale.dtype != np.float32:
                found = "none" if scale is None else f"{scale.dtype} {list(scale.shape)}"
                raise SpeechError(
                    f"tensor {name}.scale: expected float32 [{len(array)}], found {found}"
                )
            array = array.astype(np.float32) * scale[:, None]
        tensors[name] = array
    return tensors
