"""A worker of asynchronous training over machines: threads that compute one gradient together.

Each thread has N streams of its own. A step fetches the parameters from all shards, lets every
thread compute the gradient of its next chunk, and sends the sum back, to each shard its range.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import ray
import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from recognizer.am.training.criteria.criterion import Sums
from recognizer.am.training.engine.learner import (
    Learner,
    Position,
    check_finite,
    scale_gradients,
)
from recognizer.am.training.engine.runtime import keep_freed_memory
from recognizer.am.training.engine.task import TrainingTask


class Report(NamedTuple):
    """What a worker has done since its last report.

    Attributes:
        sums: over its chunks.
        epoch: of the utterance drawn last.
        staleness: of each gradient that it has sent, the mean over the shards.
        positions: of its threads' streams.
        done: whether its utterances are used up.
    """

    sums: Sums
    epoch: int
    staleness: list[float]
    positions: list[Position]
    done: bool


class Worker:
    """An actor on Ray.

    Args:
        index: of this worker.
        task: with the utterances of all workers.
        shards: of the parameters, in order.
        positions: where its threads go on; None at the beginning.
    """

    def __init__(
        self, index: int, task: TrainingTask, shards: list[Any], positions: list[Position | None]
    ) -> None:
        options = task.options
        keep_freed_memory()
        self._task = task
        self._shards = shards
        threads = len(positions)
        parts = [
            task.part(index * threads + thread, options.workers * threads)
            for thread in range(threads)
        ]
        self._learners: list[Learner] = [part.make_learner(task.make_model()) for part in parts]
        torch.manual_seed(options.seed + index)  # dropout
        for learner, position in zip(self._learners, positions, strict=True):
            if position is not None:
                learner.go_to(position, task.directory)
        self._pool = ThreadPoolExecutor(threads, initializer=_prepare_thread)
        self._versions: list[int] = []
        self._steps = 0

    def run(self, steps: int) -> Report:
        """Make so many steps, or fewer at the end."""
        sums = self._task.criterion.sums()
        sent: list[list[Any]] = []
        done = False
        for _ in range(steps):
            if self._steps % self._task.options.cluster.fetch_steps == 0:
                self._fetch()
            self._steps += 1
            answers = list(self._pool.map(_gradients, self._learners))
            given = [answer for answer in answers if answer is not None]
            if not given:
                done = True
                break
            step = self._task.criterion.sums()
            for _, own in given:
                step = step.plus(own)
            check_finite(step.loss)
            if step.units:
                total = given[0][0]
                for gradients, _ in given[1:]:
                    torch._foreach_add_(total, gradients)
                scale_gradients(total, self._task.options, step.units)
                sent.append(self._push(total, step.frames))
                sums = sums.plus(step)
        staleness = [float(np.mean(ray.get(answers))) for answers in sent]
        return Report(
            sums,
            max(learner.epoch for learner in self._learners),
            staleness,
            [learner.position() for learner in self._learners],
            done,
        )

    def _fetch(self) -> None:
        """Take the parameters of all shards; the threads' networks share one copy."""
        fetched = ray.get([shard.fetch.remote() for shard in self._shards])
        self._versions = [version for version, _ in fetched]
        vector = torch.from_numpy(np.concatenate([values for _, values in fetched]))
        for learner in self._learners:
            vector_to_parameters(vector, learner.model.parameters())

    def _push(self, gradients: list[Tensor], frames: int) -> list[Any]:
        """Send each shard its range; gives references to the staleness at each."""
        vector = parameters_to_vector(gradients).numpy()
        pieces = np.array_split(vector, len(self._shards))
        return [
            shard.push.remote(piece, frames, version)
            for shard, piece, version in zip(self._shards, pieces, self._versions, strict=True)
        ]


def _gradients(learner: Learner) -> tuple[list[Tensor], Sums] | None:
    """Of the next chunk; None at the end of the utterances."""
    chunk = learner.next_chunk()
    if chunk is None:
        return None
    result, sums = learner.forward(chunk)
    return learner.gradients(result), sums


def _prepare_thread() -> None:
    # Both settings belong to the thread.
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
