"""A parameter server's shard: a range of all parameters, moved by whoever sends gradients.

It is an actor on Ray and needs neither torch nor the network's shape. It keeps a checkpoint of its
own, from which it goes on when Ray starts it again after its process or machine has died.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from recognizer.am.training.engine.options import TrainingOptions
from recognizer.data.errors import SpeechError
from recognizer.data.io.files import replace_file

FloatArray = npt.NDArray[np.float32]

_COUNTS = ("frames", "updates", "starts")


class ShardStatus(NamedTuple):
    """What a shard tells about itself.

    Attributes:
        updates: gradients that have been added.
        restarts: how often it went on from its checkpoint.
        pid: process that it runs in.
    """

    updates: int
    restarts: int
    pid: int


class ParameterShard:
    """One range of the parameters.

    Args:
        path: of its checkpoint, which it begins with and goes on from; on a disk that every
            machine sees. See `write_shard`.
        options: learning rates, and when to save.
        planned_frames: over which the learning rate decays, unless the options say.

    Raises:
        SpeechError: the checkpoint is missing or damaged.
    """

    def __init__(self, path: Path, options: TrainingOptions, planned_frames: int) -> None:
        self._path = path
        self._options = options
        self._planned_frames = planned_frames
        try:
            with safe_open(path, framework="numpy") as file:
                found: dict[str, Any] = dict(file.metadata())
                self._values: FloatArray = file.get_tensor("values")
            self._frames, self._updates, starts = (int(found[name]) for name in _COUNTS)
        except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
            raise SpeechError(f"{path}: expected a shard of the parameters: {error}") from None
        self._starts = starts + 1
        self._write()

    def fetch(self) -> tuple[int, FloatArray]:
        """Number of updates so far, and the parameters ``[K]``."""
        return self._updates, self._values

    def push(self, gradient: FloatArray, frames: int, updates: int) -> int:
        """One step of gradient descent.

        Args:
            gradient: ``[K]``, of parameters as they were after ``updates`` updates.
            frames: it was computed from so many.
            updates: see above.

        Returns:
            Staleness: updates by others meanwhile.
        """
        staleness = max(self._updates - updates, 0)
        rate = self._options.learning_rate_at(self._frames, self._planned_frames)
        self._values -= np.float32(rate) * gradient
        self._frames += frames
        self._updates += 1
        if self._updates % self._options.cluster.save_updates == 0:
            self._write()
        return staleness

    def status(self) -> ShardStatus:
        """What it can tell about itself."""
        return ShardStatus(self._updates, self._starts - 1, os.getpid())

    def _write(self) -> None:
        write_shard(self._path, self._values, self._frames, self._updates, self._starts)


def write_shard(
    path: Path, values: FloatArray, frames: int, updates: int = 0, starts: int = 0
) -> None:
    """Write the checkpoint of a shard.

    Args:
        path: file to write.
        values: the parameters ``[K]``.
        frames: that they were trained on.
        updates: gradients that have been added in this run.
        starts: how often the shard was started.
    """
    counts = (str(count) for count in (frames, updates, starts))
    with replace_file(path) as temporary:
        save_file(
            {"values": np.ascontiguousarray(values)},
            temporary,
            metadata=dict(zip(_COUNTS, counts, strict=True)),
        )
