"""The file of a neural language model: weights, words and options in one safetensors.

It is a file as `recognizer.data.io.tensor_file` describes: training writes it, rescoring reads it.
The tensors' names are those of `recognizer.lm.neural.word_options`, and ``words`` is a list of
words.
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
from recognizer.lm.neural.word_options import WordNetworkOptions
from recognizer.lm.ngram.model import END, UNKNOWN

FORMAT = "neural-lm-1"

_WORDS = "words"


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


def write_word_network(model: WordNetworkFile, path: str | os.PathLike[str]) -> None:
    """Write the file, whole or not at all.

    Raises:
        SpeechError: the directory does not exist or cannot be written.
    """
    content = TensorFile(to_table(model.options), model.record, dict(model.tensors))
    write_tensor_file(path, FORMAT, content, {_WORDS: model.words})


def read_word_network(path: str | os.PathLike[str]) -> WordNetworkFile:
    """Read the file and check every part of it.

    Raises:
        SpeechError: missing, truncated, of another format, or with a wrong tensor, word or option.
    """
    content, (words,) = read_tensor_file(path, FORMAT, "a neural language model", [_WORDS])
    options = from_table(WordNetworkOptions, content.options, f"{path}: options")
    try:
        return WordNetworkFile(options, words, content.arrays, content.record)
    except SpeechError as error:
        raise SpeechError(f"{path}: {error}") from None
