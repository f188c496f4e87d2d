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

from am.training_options import TrainingOptions
from data.errors import SpeechError
from data.files import replace_file

FloatArray = npt.NDArray[np.float32]


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
        path: of its checkpoint, on a disk that every machine sees. If it is there, the shard goes
            on from it; whoever begins a run removes it first.
        values: the parameters ``[K]`` at the beginning.
        frames: trained on before.
        options: learning rates, and when to save.
        planned_frames: over which the learning rate decays.
    """

    def __init__(
        self, path: Path, values: FloatArray, frames: int, options: TrainingOptions,
        planned_frames: int,
    ) -> None:  # fmt: skip
        self._path = path
        self._options = options
        self._planned_frames = planned_frames
        self._values = np.array(values)  # what comes through Ray cannot be written to
        self._frames, self._updates, self._restarts = frames, 0, 0
        if path.exists():
            self._read()
            self._restarts += 1
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
        return ShardStatus(self._updates, self._restarts, os.getpid())

    def _write(self) -> None:
        counts = {"frames": self._frames, "updates": self._updates, "restarts": self._restarts}
        with replace_file(self._path) as temporary:
            save_file(
                {"values": self._values},
                temporary,
                metadata={name: str(value) for name, value in counts.items()},
            )

    def _read(self) -> None:
        try:
            with safe_open(self._path, framework="numpy") as file:
                found: dict[str, Any] = dict(file.metadata())
                values = file.get_tensor("values")
            counts = [int(found[name]) for name in ("frames", "updates", "restarts")]
        except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
            raise SpeechError(f"{self._path}: not a whole checkpoint of a shard: {error}") from None
        if values.shape != self._values.shape:
            raise SpeechError(
                f"{self._path}: expected {list(self._values.shape)} parameters, "
                f"found {list(values.shape)}"
            )
        self._values = values
        self._frames, self._updates, self._restarts = counts
