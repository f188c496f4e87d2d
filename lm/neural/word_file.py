"""The file of a neural language model: weights, words and options in one safetensors.

It is a file as `recognizer.data.io.tensor_file` describes: training writes it, rescoring reads it.
The tensors' names are those of `recognizer.lm.neural.word_options`, and ``words`` is a list of
words.

In int8, each row of a matrix is whole numbers from -127 to 127 times its scale, which is the tensor
of the matrix's name with ``.scale``, float32 ``[rows]``. Reading makes float32 of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

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
from recognizer.lm.neural.word_options import WordNetworkOptions
from recognizer.lm.ngram.model import END, UNKNOWN

FORMAT = "neural-lm-1"

Precision = Literal["float32", "int8"]

_WORDS = "words"
_SCALE = ".scale"
_LARGEST = 127  # -128 has no opposite


@dataclass(frozen=True, eq=False)
class WordNetworkFile:
    """A neural language model as it lies in its file.

    Attributes:
        options: its shape.
        words: by number; the first two are `</s>` and `<unk>`.
        tensors: float32 arrays by name.
        record: how it was trained (free).

    Raises:
        SpeechError: a tensor is missing, unknown, of another shape or type, or not finite; or
            the words are not distinct or begin otherwise.
    """

    options: WordNetworkOptions
    words: tuple[str, ...]
    tensors: Mapping[str, npt.NDArray[np.float32]]
    record: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.words[:2] != (END, UNKNOWN) or len(set(self.words)) != len(self.words):
            raise SpeechError(
                f"words: expected {END}, {UNKNOWN} and distinct words, "
                f"found {len(self.words)} that begin with {' '.join(self.words[:2]) or 'none'}"
            )
        check_tensors(self.tensors, self.options.shapes(len(self.words)))


def write_word_network(
    model: WordNetworkFile, path: str | os.PathLike[str], precision: Precision = "float32"
) -> None:
    """Write the file, whole or not at all.

    Args:
        model: what to write.
        path: the file.
        precision: of matrices; vectors are float32 always.

    Raises:
        SpeechError: the directory does not exist or cannot be written.
    """
    tensors: dict[str, npt.NDArray[Any]] = {}
    for name, array in model.tensors.items():
        if precision == "int8" and array.ndim == 2:
            tensors[name], tensors[name + _SCALE] = _quantized(array)
        else:
            tensors[name] = array
    content = TensorFile(to_table(model.options), model.record, tensors)
    write_tensor_file(path, FORMAT, content, {_WORDS: model.words})


def read_word_network(path: str | os.PathLike[str]) -> WordNetworkFile:
    """Read the file and check every part of it.

    Raises:
        SpeechError: missing, truncated, of another format, or with a wrong tensor, word or option.
    """
    content, (words,) = read_tensor_file(path, FORMAT, "a neural language model", [_WORDS])
    options = from_table(WordNetworkOptions, content.options, f"{path}: options")
    try:
        return WordNetworkFile(options, words, _float32(content.arrays), content.record)
    except SpeechError as error:
        raise SpeechError(f"{path}: {error}") from None


def _quantized(matrix: npt.NDArray[np.float32]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Whole numbers and the scales of rows."""
    scales = np.abs(matrix).max(axis=1) / np.float32(_LARGEST)
    scales[scales == 0] = 1
    return np.rint(matrix / scales[:, None]).astype(np.int8), scales


def _float32(tensors: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Tensors without those of int8, which become float32; others as they are.

    Raises:
        SpeechError: the scales of an int8 matrix are missing, or not one for each row.
    """
    found = dict(tensors)
    for name, array in tensors.items():
        if array.dtype != np.int8:
            continue
        scales = found.pop(name + _SCALE, None)
        if scales is None or scales.dtype != np.float32 or scales.shape != array.shape[:1]:
            what = "none" if scales is None else f"{scales.dtype} {list(scales.shape)}"
            raise SpeechError(
                f"tensor {name}{_SCALE}: expected float32 {list(array.shape[:1])}, found {what}"
            )
        found[name] = array.astype(np.float32) * scales[:, None]
    return found
