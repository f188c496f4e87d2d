"""Checkpoint of a training run: one safetensors file, written whole or not at all.

It holds the weights, their running average, the optimiser's state, the states of all streams and
torch's random generators as tensors, and the counters as JSON in the metadata, so that
a resumed run goes on with the same bits.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import replace_file

FORMAT = "training-4"
CHECKPOINT_FILE = "checkpoint.safetensors"


def write_checkpoint(path: Path, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
    """Write ``tensors`` and ``progress`` under a temporary name and move them into place."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"format": FORMAT, "progress": json.dumps(progress)}
    with replace_file(path) as temporary:
        save_file(contiguous, temporary, metadata=metadata)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_checkpoint` wrote.

    Raises:
        SpeechError: truncated or of another format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise SpeechError(f"{path}: not a whole checkpoint: {error}") from None
    if metadata.get("format") != FORMAT:
        raise SpeechError(f"{path}: expected format {FORMAT}, found {metadata.get('format')}")
    progress: dict[str, Any] = json.loads(metadata["progress"])
    return tensors, progress


def take(tensors: dict[str, Tensor], name: str, like: Tensor, path: Path) -> Tensor:
    """Tensor ``name`` of a checkpoint, which must have the shape of ``like``.

    Raises:
        SpeechError: it is missing or has another shape.
    """
    if name not in tensors or tensors[name].shape != like.shape:
        found = list(tensors[name].shape) if name in tensors else "none"
        raise SpeechError(
            f"{path}: tensor {name}: expected {list(like.shape)}, found {found}; "
            "is the checkpoint of a network of another shape?"
        )
    return tensors[name]


def check_settings(planned: Mapping[str, Any], progress: Mapping[str, Any], path: Path) -> None:
    """Refuse the checkpoint of another training.

    Args:
        planned: settings that the training has now, as JSON has them.
        progress: of the checkpoint, whose ``settings`` must be the same.
        path: of the checkpoint.

    Raises:
        SpeechError: a setting differs (the first one by name), or there are none.
    """
    found = progress.get("settings")
    if not isinstance(found, dict):
        raise SpeechError(f"{path}: expected the checkpoint of such a training, found another one")
    for name in sorted(planned.keys() | found.keys()):
        if planned.get(name) != found.get(name):
            raise SpeechError(
                f"{path}: expected a training with {name} {planned.get(name)}, "
                f"found {found.get(name)}"
            )


def part_of(tensors: dict[str, Tensor], worker: int) -> dict[str, Tensor]:
    """What belongs to one worker: its tensors' names begin with its number and a dot."""
    prefix = f"{worker}."
    return {
        name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)
    }


def optimizer_tensors(optimizer: torch.optim.Optimizer, names: list[str]) -> dict[str, Tensor]:
    """State of an optimiser whose parameters have these names, in order."""
    return {
        f"optimizer.{names[index]}.{key}": value
        for index, entries in optimizer.state_dict()["state"].items()
        for key, value in entries.items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, names: list[str], tensors: dict[str, Tensor]
) -> None:
    """Put back what `optimizer_tensors` took."""
    state: dict[int, dict[str, Tensor]] = {}
    for index, name in enumerate(names):
        prefix = f"optimizer.{name}."
        entries = {
            key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)
        }
        if entries:
            state[index] = entries
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
