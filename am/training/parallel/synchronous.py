"""Synchronous training: one process, or several that act as one.

Every step, each process computes the gradient of its own chunk; the sum of all of them moves the
same parameters in the same way everywhere. Alone, a process ends with the same bits however often
it was interrupted; so does a group of the same size.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any, Protocol

import torch
from torch import Tensor

from recognizer.am.training.data.batching import Chunk
from recognizer.am.training.engine.checkpoint import (
    optimizer_tensors,
    read_checkpoint,
    restore_optimizer,
    take,
)
from recognizer.am.training.engine.learner import Learner, check_finite, scale_gradients
from recognizer.am.training.engine.options import TrainingOptions
from recognizer.am.training.engine.run import TrainingResult, TrainingRun
from recognizer.am.training.engine.runtime import fast_arithmetic
from recognizer.am.training.engine.task import TrainingTask

# The average over weights is moved after every so many chunks: it need not be finer.
_AVERAGE_EVERY = 8


class Group(Protocol):
    """Processes that train as one.

    Attributes:
        rank: of this process; 0 leads: it measures and writes files.
        size: number of processes.
    """

    rank: int
    size: int

    def prepare(self, learner: Learner) -> None:
        """Make the backward pass of ``learner`` average the gradients of all processes."""

    def add(self, values: list[float]) -> list[float]:
        """The sum over all processes."""

    def gather(self, value: Any) -> list[Any]:
        """Values of all processes by rank, in process 0; elsewhere nothing of use."""

    def scatter(self, values: list[Any] | None) -> Any:
        """What process 0 gives this process."""


class Alone:
    """A group of one."""

    rank = 0
    size = 1

    def prepare(self, learner: Learner) -> None:
        """Nothing is to be averaged."""

    def add(self, values: list[float]) -> list[float]:
        """The sum of one."""
        return values

    def gather(self, value: Any) -> list[Any]:
        """The one value."""
        return [value]

    def scatter(self, values: list[Any] | None) -> Any:
        """The one value."""
        assert values is not None
        return values[0]


class SyncTrainer:
    """One process's part in a run.

    Args:
        task: with the utterances of all processes.
        group: the processes.
    """

    def __init__(self, task: TrainingTask, group: Group | None = None) -> None:
        self.task = task
        self.group = group = group or Alone()
        self.run = TrainingRun(task)
        self.learner = task.part(group.rank, group.size).make_learner(self.run.model)
        group.prepare(self.learner)
        if group.rank:
            torch.manual_seed(task.options.seed + group.rank)  # dropout differs
        self.parameters = self.run.parameters
        self.average = [w.detach().clone() for w in self.run.weights]
        self.optimizer = _optimizer(self.parameters, task.options)
        self.chunks = 0
        self._unaveraged_frames = 0

    def train(self, *, max_chunks: int | None = None) -> TrainingResult:
        """Train to the end, or to an interrupt, or for ``max_chunks`` chunks more."""
        run, leads = self.run, self.group.rank == 0
        stop_at = None if max_chunks is None else self.chunks + max_chunks
        with run.session(record=leads), closing(self.learner.batcher):
            if leads:
                run.begin(self._final_weights())
            while not run.finished:
                stop = leads and (run.interrupted or self.chunks + 1 == stop_at)
                impatient = leads and run.impatient
                alive, save, stop, impatient = self._step(
                    leads and run.checkpoint_due, stop, impatient
                )
                if not alive or run.enough or impatient:
                    run.finished = True
                    if leads:
                        run.finish(self._final_weights())
                elif leads and run.evaluation_due:
                    run.measure(self._final_weights())
                if save or stop or run.finished:
                    self.save()
                if stop:
                    break
        return run.result()

    def _step(self, save: bool, stop: bool, impatient: bool) -> tuple[bool, bool, bool, bool]:
        """One step of all processes; whether there was anything to do, to save, to stop, to end.

        Args:
            save: process 0 wants a checkpoint after this step.
            stop: and an interruption.
            impatient: and the end of the training.
        """
        options, group = self.task.options, self.group
        chunk = self.learner.next_chunk()
        self.learner.begin_step(self.run.frames)
        # Where others are not done yet, a process without utterances takes part all the same.
        result, own = self.learner.forward(chunk or self._nothing())
        wishes = [chunk is not None, save, stop, impatient]
        total = group.add([*own.values(), *wishes])
        sums = self.run.model.criterion.sums(total[: -len(wishes)])
        flags = total[-len(wishes) :]
        check_finite(sums.loss)
        alive, save, stop, impatient = (flag > 0 for flag in flags)
        if not alive or impatient:  # the weights stay as they were measured
            return alive, False, False, impatient
        self.chunks += 1
        gradients = self.learner.gradients(result)
        if sums.units:
            scale_gradients(gradients, options, sums.units, share=1 / group.size)
            for settings in self.optimizer.param_groups:
                settings["lr"] = self.run.rate()
            self.optimizer.step()
            self.learner.end_step()
            self.run.count(sums, self.learner.epoch)
            self._move_average(sums.frames)
        return True, save, stop, impatient

    def _nothing(self) -> Chunk:
        streams, network = self.task.options.streams, self.task.network
        n = network.subsampling
        return Chunk.empty(n, streams, network.input_dim, self.learner.epoch, subsampling=n)

    def _move_average(self, frames: int) -> None:
        wanted = self.task.options.average_frames
        self._unaveraged_frames += frames
        if wanted and self.chunks % _AVERAGE_EVERY == 0:
            # Early on, the average spans only what there was so far, not the initial weights.
            span = min(wanted, self.run.frames / 2)
            weight = min(1.0, self._unaveraged_frames / span)
            self._unaveraged_frames = 0
            with torch.no_grad():
                torch._foreach_lerp_(self.average, self.run.weights, weight)

    def _final_weights(self) -> list[Tensor]:
        return self.average if self.task.options.average_frames else self.run.weights

    def save(self) -> None:
        """Write a checkpoint; all processes of the group together."""
        positions = self.group.gather(self.learner.position())
        if self.group.rank:
            return
        names = self.run.names
        tensors = {f"average.{n}": p for n, p in zip(names, self.average, strict=True)}
        tensors |= optimizer_tensors(self.optimizer, names)
        self.run.save(
            positions,
            tensors,
            {"chunks": self.chunks, "unaveraged_frames": self._unaveraged_frames},
        )

    def restore(self) -> None:
        """Go on from the checkpoint; all processes of the group together.

        Raises:
            SpeechError: it is damaged, or of another run.
        """
        group, path = self.group, self.run.checkpoint_path
        read = [read_checkpoint(path)] * group.size if group.rank == 0 else None
        tensors, progress = group.scatter(read)
        positions = self.run.restore(tensors, progress, workers=group.size)
        with torch.no_grad():
            for name, average in zip(self.run.names, self.average, strict=True):
                average.copy_(take(tensors, f"average.{name}", average, path))
        restore_optimizer(self.optimizer, self.run.names, tensors)
        self.learner.go_to(positions[group.rank], path)
        self.chunks = progress["chunks"]
        self._unaveraged_frames = progress["unaveraged_frames"]


def train_synchronously(
    task: TrainingTask, group: Group | None = None, *, resume: bool = True
) -> TrainingResult:
    """Train with all processes of a group, each of which calls this.

    Args:
        task: the same everywhere.
        group: this process's view of it; None is a process alone.
        resume: go on from a checkpoint if there is one.
    """
    with fast_arithmetic(task.options.threads):
        trainer = SyncTrainer(task, group)
        group = trainer.group
        if group.scatter([resume and trainer.run.checkpoint_path.exists()] * group.size):
            trainer.restore()
        return trainer.train()


def _optimizer(parameters: list[Tensor], options: TrainingOptions) -> torch.optim.Optimizer:
    if options.optimizer == "sgd":
        nesterov = options.momentum > 0
        return torch.optim.SGD(
            parameters, lr=options.learning_rate, momentum=options.momentum, nesterov=nesterov
        )
    return torch.optim.AdamW(
        parameters, lr=options.learning_rate, weight_decay=options.weight_decay, fused=True
    )
