"""The file of a neural language model: weights, words and options in one safetensors.

Nothing here imports torch, and nothing is unpickled: training writes this file, rescoring reads
it. The tensors' names are those of `recognizer.lm.neural.word_options`, and ``words`` uint8 has the
words in UTF-8, each followed by a line feed. The metadata hold ``format``, ``options`` (JSON) and
``record`` (JSON): how the model was trained.
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
        shapes = self.options.shapes(len(self.words))
        for name in sorted(self.tensors.keys() - shapes.keys()):
            raise SpeechError(f"unknown tensor {name}")
        for name, shape in shapes.items():
            array = self.tensors.get(name)
            if array is None or array.shape != shape or array.dtype != np.float32:
                found = "none" if array is None else f"{array.dtype} {list(array.shape)}"
                raise SpeechError(f"tensor {name}: expected float32 {list(shape)}, found {found}")
            if not np.isfinite(array).all():
                raise SpeechError(f"tensor {name}: expected finite numbers, found NaN or inf")


def write_word_network(model: WordNetworkFile, path: str | os.PathLike[str]) -> None:
    """Write the file, whole or not at all.

    Raises:
        SpeechError: the directory does not exist or cannot be written.
    """
    text = "".join(f"{word}\n" for word in model.words).encode()
    arrays = {name: np.ascontiguousarray(array) for name, array in model.tensors.items()}
    metadata = {
        "format": FORMAT,
        "options": json.dumps(to_table(model.options)),
        "record": json.dumps(dict(model.record)),
    }
    with replace_file(path) as temporary:
        temporary.write_bytes(
            save({**arrays, _WORDS: np.frombuffer(text, np.uint8)}, metadata=metadata)
        )


def read_word_network(path: str | os.PathLike[str]) -> WordNetworkFile:
    """Read the file and check every part of it.

    Raises:
        SpeechError: missing, truncated, of another format, or with a wrong tensor, word or option.
    """
    path = Path(path)
    if not path.is_file():
        found = "a directory" if path.is_dir() else "nothing"
        raise SpeechError(f"{path}: expected a neural language model, found {found}")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            if metadata.get("format") != FORMAT:
                raise SpeechError(
                    f"{path}: expected a neural language model of format {FORMAT}, "
                    f"found {metadata.get('format', 'another file')}"
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
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
    options = from_table(WordNetworkOptions, values["options"], f"{path}: options")
    try:
        words = tensors.pop(_WORDS, np.empty(0, np.uint8)).tobytes().decode().split("\n")[:-1]
        return WordNetworkFile(options, tuple(words), tensors, values["record"])
    except UnicodeDecodeError:
        raise SpeechError(f"{path}: words: expected UTF-8 text") from None
    except SpeechError as error:
        raise SpeechError(f"{path}: {error}") from None
