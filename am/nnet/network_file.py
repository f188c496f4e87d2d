"""The file of a trained network: weights, log priors and options in one safetensors.

Weights are float32; matrices may be stored as float16, in half the space. Nothing here imports
torch: training writes this file, inference reads it. The tensors' names are those of
`recognizer.am.nnet.options`, and ``log_priors`` ``[S]`` (natural log), absent until training ends.
The metadata hold ``format``, ``options`` (JSON) and free JSON facts.

Files of the former format "lstmp-1", which held LSTMP networks only, are read too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from recognizer.am.nnet.options import NetworkOptions
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.options import from_table

FORMAT = "network-2"

_FORMER = "lstmp-1"
"""Its options are some of today's, and what it could not say are today's defaults."""

FloatArray = npt.NDArray[np.float32]

Storage = Literal["float32", "float16"]
"""Type of weight matrices in the file; float16 keeps 11 bits of each, more than int8 inference."""


@dataclass(frozen=True)
class Network:
    """A trained network as it lies in its file.

    Attributes:
        options: its shape.
        tensors: float32 arrays by name, see `recognizer.am.nnet.options`.
        metadata: free JSON-able facts (feature options, training record); kept as they are.
    """

    options: NetworkOptions
    tensors: Mapping[str, FloatArray]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_tensors(self.tensors, self.options, "network")

    @property
    def log_priors(self) -> FloatArray:
        """Log prior of each output ``[S]``, natural log.

        Raises:
            SpeechError: the network has none (training has not ended).
        """
        if "log_priors" not in self.tensors:
            raise SpeechError("network: expected a tensor log_priors, found none")
        return self.tensors["log_priors"]


def check_tensors(
    tensors: Mapping[str, npt.NDArray[Any]], options: NetworkOptions, at: str
) -> None:
    """Check names, shapes, type and finiteness of a network's tensors, and that a mean is there.

    Raises:
        SpeechError: naming ``at``, the tensor, what was expected and what was found.
    """
    shapes = options.shapes()
    if "log_priors" in tensors:
        shapes["log_priors"] = (options.outputs,)
    unknown = sorted(set(tensors) - set(shapes))
    if unknown:
        raise SpeechError(f"{at}: unknown tensor {unknown[0]}")
    for name, shape in shapes.items():
        if name not in tensors:
            raise SpeechError(f"{at}: tensor {name} is missing")
        array = tensors[name]
        if array.shape != shape or array.dtype != np.float32:
            raise SpeechError(
                f"{at}: tensor {name}: expected float32 {list(shape)}, "
                f"found {array.dtype} {list(array.shape)}"
            )
        if not np.isfinite(array).all():
            raise SpeechError(f"{at}: tensor {name}: expected finite numbers, found NaN or inf")
        if name.endswith(".norm.variance") and array.min() < 0:
            raise SpeechError(f"{at}: tensor {name}: expected variances, found {array.min()}")
    if options.mean_window and not tensors["input.mean"].any():
        raise SpeechError(
            f"{at}: tensor input.mean: expected the mean of the training features, with which the "
            f"running mean (mean_window {options.mean_window}) begins, found zeros"
        )


def read_network(path: str | os.PathLike[str]) -> Network:
    """Read a network's file and check every part of it.

    Raises:
        SpeechError: missing, truncated, of another format, or with a wrong tensor or option.
    """
    path = Path(path)
    if not path.is_file():
        raise SpeechError(f"{path}: expected a network file, found none")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: _as_float32(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise SpeechError(f"{path}: not a whole safetensors file: {error}") from None
    found = metadata.pop("format", None)
    if found not in (FORMAT, _FORMER):
        raise SpeechError(f"{path}: expected format {FORMAT}, found {found}")
    values = {}
    for key, text in metadata.items():
        try:
            values[key] = json.loads(text)
        except ValueError:
            raise SpeechError(f"{path}: metadata {key}: expected JSON, found {text!r}") from None
    fields = values.pop("options", None)
    if not isinstance(fields, dict):
        raise SpeechError(f"{path}: metadata: expected an object named options, found {fields!r}")
    options = from_table(NetworkOptions, fields, f"{path}: network options")
    check_tensors(tensors, options, str(path))
    return Network(options, tensors, values)


def write_network(
    network: Network, path: str | os.PathLike[str], *, storage: Storage = "float32"
) -> None:
    """Write a network's file under a temporary name and move it into place.

    Args:
        network: its weights and metadata.
        path: of the file.
        storage: type of the matrices in it; vectors such as biases and priors stay float32.

    Raises:
        SpeechError: a weight is beyond the range of the storage.
    """
    path = Path(path)
    metadata = {"format": FORMAT, "options": json.dumps(network.options.to_table())}
    for key, value in network.metadata.items():
        if key in metadata:
            raise UsageError(f"{path}: metadata {key} is reserved")
        metadata[key] = json.dumps(value)
    temporary = path.with_name(path.name + ".tmp")
    arrays = {
        name: np.ascontiguousarray(array if array.ndim < 2 else _stored(name, array, storage))
        for name, array in network.tensors.items()
    }
    # Not its save_file, whose files only their owner may read.
    temporary.write_bytes(save(arrays, metadata=metadata))
    temporary.replace(path)


def _stored(name: str, array: FloatArray, storage: Storage) -> npt.NDArray[np.floating]:
    limit = float(np.finfo(storage).max)
    if np.abs(array).max() > limit:
        raise SpeechError(f"tensor {name}: expected weights of at most {limit} as {storage}")
    return array.astype(storage, copy=False)


def _as_float32(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return array.astype(np.float32) if array.dtype == np.float16 else array
