"""The file of a trained network: float32 weights, log priors and options in one safetensors.

Nothing here imports torch: training writes this file, inference reads it.

Names of the tensors, with C cells, P projected outputs, D inputs of a layer, S outputs:

=====================================  ==========  ==============================================
``input.mean``, ``input.inv_std``      ``[D]``     a feature x enters as (x - mean) * inv_std
``layers.{l}.w_x``                     ``[4C, D]``  gate rows in the order i, f, g (cell input), o
``layers.{l}.w_r``                     ``[4C, P]``  recurrent weights, same order
``layers.{l}.bias``                    ``[4C]``    same order
``layers.{l}.peep_i`` ``_f`` ``_o``    ``[C]``     diagonal peephole weights
``layers.{l}.w_p``                     ``[P, C]``  linear recurrent projection
``output.weight``, ``output.bias``     ``[S, P]``, ``[S]``  softmax layer
``log_priors``                         ``[S]``     natural log, absent until training ends
=====================================  ==========  ==============================================
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from data.errors import SpeechError, UsageError

FORMAT = "lstmp-1"

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LstmpOptions:
    """Shape of a deep LSTMP network (Sak, Senior and Beaufays 2014).

    Attributes:
        outputs: S, number of tied HMM states (pdf-ids).
        input_dim: D, features per frame.
        cells: C, memory cells of each layer.
        projection: P, width of the linear recurrent projection.
        layers: number of LSTMP layers.
        output_delay: output at frame t + output_delay is about frame t (section 4.2 of the
            paper: 5 frames).
        cell_clip: cell states are clipped to [-cell_clip, cell_clip] (the paper: 50).
    """

    outputs: int
    input_dim: int = 40
    cells: int = 512
    projection: int = 256
    layers: int = 2
    output_delay: int = 5
    cell_clip: float = 50.0

    def __post_init__(self) -> None:
        for name in ("outputs", "input_dim", "cells", "projection", "layers"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise UsageError(f"LSTMP option {name}: expected an integer > 0, found {value!r}")
        if not isinstance(self.output_delay, int) or self.output_delay < 0:
            raise UsageError(
                f"LSTMP option output_delay: expected an integer >= 0, found {self.output_delay!r}"
            )
        if not self.cell_clip > 0:
            raise UsageError(f"LSTMP option cell_clip: expected > 0, found {self.cell_clip!r}")

    def layer_input(self, layer: int) -> int:
        """Input width of one layer: the features, or the projection of the layer below."""
        return self.input_dim if layer == 0 else self.projection

    def parameter_count(self, *, biases: bool = True) -> int:
        """Number of trained parameters.

        Per hidden layer ``n_c n_r 4 + n_i n_c 4 + n_c n_r + n_c 3`` and once ``n_r n_o``, as
        section 3 of the paper counts them; with ``biases``, 4 n_c per layer and n_o more.
        """
        total = self.projection * self.outputs
        for layer in range(self.layers):
            total += 4 * self.cells * (self.projection + self.layer_input(layer))
            total += self.cells * self.projection + 3 * self.cells
        if biases:
            total += self.layers * 4 * self.cells + self.outputs
        return total

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor of the file, without ``log_priors``."""
        C, P, S = self.cells, self.projection, self.outputs
        shapes: dict[str, tuple[int, ...]] = {
            "input.mean": (self.input_dim,),
            "input.inv_std": (self.input_dim,),
        }
        for layer in range(self.layers):
            prefix = f"layers.{layer}."
            shapes[prefix + "w_x"] = (4 * C, self.layer_input(layer))
            shapes[prefix + "w_r"] = (4 * C, P)
            shapes[prefix + "bias"] = (4 * C,)
            for gate in ("i", "f", "o"):
                shapes[f"{prefix}peep_{gate}"] = (C,)
            shapes[prefix + "w_p"] = (P, C)
        shapes["output.weight"] = (S, P)
        shapes["output.bias"] = (S,)
        return shapes


@dataclass(frozen=True)
class Network:
    """A trained network as it lies in its file.

    Attributes:
        options: its shape.
        tensors: float32 arrays by name, see the head of this module.
        metadata: free JSON-able facts (feature options, training record); kept as they are.
    """

    options: LstmpOptions
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


def check_tensors(tensors: Mapping[str, npt.NDArray[Any]], options: LstmpOptions, at: str) -> None:
    """Check names, shapes, type and finiteness of a network's tensors.

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
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise SpeechError(f"{path}: not a whole safetensors file: {error}") from None
    found = metadata.pop("format", None)
    if found != FORMAT:
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
    known = {option.name for option in dataclasses.fields(LstmpOptions)}
    unknown = sorted(set(fields) - known)
    if unknown:
        raise SpeechError(f"{path}: unknown network option {unknown[0]}")
    try:
        options = LstmpOptions(**fields)
    except (TypeError, UsageError) as error:
        raise SpeechError(f"{path}: {error}") from None
    check_tensors(tensors, options, str(path))
    return Network(options, tensors, values)


def write_network(network: Network, path: str | os.PathLike[str]) -> None:
    """Write a network's file under a temporary name and move it into place."""
    path = Path(path)
    metadata = {"format": FORMAT, "options": json.dumps(dataclasses.asdict(network.options))}
    for key, value in network.metadata.items():
        if key in metadata:
            raise UsageError(f"{path}: metadata {key} is reserved")
        metadata[key] = json.dumps(value)
    temporary = path.with_name(path.name + ".tmp")
    arrays = {name: np.ascontiguousarray(array) for name, array in network.tensors.items()}
    save_file(arrays, temporary, metadata=metadata)
    temporary.replace(path)
