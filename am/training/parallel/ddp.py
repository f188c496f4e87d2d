"""Synchronous data parallel training, by processes that torchrun has started.

DistributedDataParallel averages their gradients during the backward pass. Process 0 leads: it
reads the data, measures, and writes files. The others `follow` it: they wait for tasks, and take
their part in each.
"""

from __future__ import annotations

import datetime
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from recognizer.am.training.criteria.criterion import ChunkLoss
from recognizer.am.training.data.batching import Chunk
from recognizer.am.training.engine.learner import Learner
from recognizer.am.training.engine.objective import Objective, StreamStates
from recognizer.am.training.engine.options import TrainingOptions
from recognizer.am.training.engine.run import TrainingResult
from recognizer.am.training.engine.runtime import training_device
from recognizer.am.training.engine.task import TrainingTask
from recognizer.am.training.parallel.synchronous import train_synchronously
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.parallel.processes import end_with_parent

# Others wait this long while process 0 prepares the data.
_PATIENCE = datetime.timedelta(days=7)


class ProcessGroup:
    """This process's view of torch's process group; see `synchronous.Group`."""

    def __init__(self) -> None:
        self.rank = distributed.get_rank()
        self.size = distributed.get_world_size()

    def prepare(self, learner: Learner) -> None:
        """Wrap the network, so that its backward pass averages gradients over all processes."""
        learner.objective = DistributedDataParallel(_WithAllGradients(learner.model))

    def add(self, values: list[float]) -> list[float]:
        """The sum over all processes."""
        tensor = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(tensor)
        result: list[float] = tensor.tolist()
        return result

    def gather(self, value: Any) -> list[Any]:
        """Values of all processes by rank, in process 0; elsewhere nothing of use."""
        values = [None] * self.size if self.rank == 0 else None
        distributed.gather_object(value, values)
        return values or []

    def scatter(self, values: list[Any] | None) -> Any:
        """What process 0 gives this process."""
        got = [None]
        distributed.scatter_object_list(got, values if self.rank == 0 else None)
        return got[0]


class _WithAllGradients(nn.Module):
    """An objective whose backward pass reaches every parameter, which the other processes await."""

    def __init__(self, model: Objective) -> None:
        super().__init__()
        self.model = model

    def forward(self, chunk: Chunk, states: StreamStates) -> tuple[ChunkLoss, StreamStates]:
        """See `Objective.forward`."""
        result, states = self.model(chunk, states)
        if not result.units:
            result.loss = sum(p.sum() for p in self.model.parameters()) * 0
        return result, states


@contextmanager
def process_group(options: TrainingOptions) -> Iterator[bool]:
    """The group of the processes that torchrun has started; gives whether this one leads.

    Where process 0 leaves it, `follow` ends in the others. Processes on CPUs talk by gloo; on GPUs
    gradients go by nccl, and what is on the CPU by gloo.

    Args:
        options: of the training, which say the device.

    Raises:
        UsageError: torchrun did not start this process.
        SpeechError: another process has ended, or torch cannot use the device.
    """
    if "RANK" not in os.environ or "MASTER_ADDR" not in os.environ:
        raise UsageError('mode "ddp": expected to be started by torchrun')
    end_with_parent()
    backend, device = "gloo", training_device(options)
    if device.type == "cuda":
        backend = "cpu:gloo,cuda:nccl"
        torch.cuda.set_device(device)
    distributed.init_process_group(backend, timeout=_PATIENCE)
    leads = distributed.get_rank() == 0
    try:
        yield leads
        if leads:
            distributed.broadcast_object_list([None])
    except RuntimeError as error:
        # Torch's only sign that another process is gone.
        raise SpeechError(
            f"training: another process of the group has ended: {str(error).splitlines()[0]}"
        ) from error
    finally:
        # DistributedDataParallel stands in cycles, and holds the group until these are collected:
        # at the interpreter's end that would be too late for the group's threads.
        gc.collect()
        distributed.destroy_process_group()


def lead(task: TrainingTask, *, resume: bool = True) -> TrainingResult:
    """Train in process 0 of a `process_group`, with all the others.

    Raises:
        UsageError: there is no group.
    """
    if not distributed.is_initialized():
        raise UsageError('mode "ddp": expected to be started by torchrun')
    distributed.broadcast_object_list([(task, resume)])
    return train_synchronously(task, ProcessGroup(), resume=resume)


def follow() -> None:
    """Take part in every training of process 0, until it leaves the `process_group`."""
    while True:
        received: list[Any] = [None]
        distributed.broadcast_object_list(received)
        if received[0] is None:
            return
        task, resume = received[0]
        train_synchronously(task, ProcessGroup(), resume=resume)
