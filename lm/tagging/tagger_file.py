"""The file of a tagger: int8 weights, words and options in one safetensors.

It is a file as `recognizer.data.io.tensor_file` describes. Of each matrix (names in
`recognizer.lm.tagging.options`) the file has int8 rows and, as ``NAME.scale`` float32, the factor
of each row; biases are float32. ``words`` and ``endings`` are lists of words.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.data.io.options import from_table, to_table
from recognizer.data.io.tensor_file import (
    TensorFile,
    check_tensors,
    read_tensor_file,
    write_tensor_file,
)
from recognizer.lm.tagging.options import TaggerOptions
from recognizer.lm.tagging.vocabulary import TaggerVocabulary

FORMAT = "tagger-1"

_LARGEST = 127
_LISTS = ("words", "endings")


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
        check_tensors(self.tensors, shapes)


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
            arrays[name] = array
    lists = {name: getattr(model.vocabulary, name) for name in _LISTS}
    content = TensorFile(to_table(model.options), model.record, arrays)
    write_tensor_file(path, FORMAT, content, lists)


def read_tagger(path: str | os.PathLike[str]) -> TaggerFile:
    """Read the file and check every part of it.

    Raises:
        SpeechError: missing, truncated, of another format, or with a wrong tensor, word or option.
    """
    content, lists = read_tensor_file(path, FORMAT, "a tagger", _LISTS)
    options = from_table(TaggerOptions, content.options, f"{path}: options")
    try:
        vocabulary = TaggerVocabulary(*lists)
        return TaggerFile(options, vocabulary, _float(content.arrays), content.record)
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
