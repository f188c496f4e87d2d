"""Trains one network on one task and tests it; an interrupted training goes on to the same bits.

Nothing is drawn from a generator that would have to be kept: the sequences of an update depend on
the seed and the number of the update alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from recognizer.am.training.engine.checkpoint import read_checkpoint, take, write_checkpoint
from recognizer.am.training.engine.runtime import Interrupt, fast_arithmetic, named_device
from recognizer.data.errors import SpeechError
from recognizer.data.io.console import console
from recognizer.data.io.options import to_table
from recognizer.experiments.ntm.settings import SequenceRun
from recognizer.experiments.ntm.tasks import CopyTask, Episodes, batches_to_test
from recognizer.experiments.ntm.traces import CopyTrace
from recognizer.lm.neural.ntm import NeuralTuringMachine, NtmTrace
from recognizer.lm.neural.options import NtmOptions, StackedLstmOptions
from recognizer.lm.neural.rmsprop import RmsProp
from recognizer.lm.neural.stacked_lstm import StackedLstm

CHECKPOINT = "checkpoint.safetensors"


@dataclass
class TrainingCurve:
    """How far a training has come.

    Attributes:
        updates: done.
        costs: mean bits per sequence of each window of training sequences so far.
        best: index of the lowest of them; the weights of its end are tested.
        done: whether the training has ended: by the number of sequences, or with `enough`.
    """

    updates: int
    costs: list[float]
    best: int
    done: bool


class SequenceTraining:
    """One training in a directory.

    Args:
        run: network, task, and constants.
        directory: of its checkpoint.
        device: "cpu", or what torch calls it.

    Raises:
        SpeechError: the directory holds a training of other settings, or torch has no such device.
    """

    def __init__(self, run: SequenceRun, directory: Path, device: str = "cpu") -> None:
        self.run = run
        self.task = run.sequence_task
        self._directory = directory
        self._device = named_device(device)
        torch.manual_seed(run.seed)
        self.network = make_network(run.network).to(self._device)
        self._parameters = {
            name: value for name, value in self.network.named_parameters() if value.requires_grad
        }
        self._optimizer = RmsProp(self._parameters.items(), run.updates)
        self._best = {name: value.detach().clone() for name, value in self._parameters.items()}
        self.curve = TrainingCurve(0, [], 0, False)
        path = directory / CHECKPOINT
        if path.exists():
            self._resume(path)

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return sum(value.numel() for value in self._parameters.values())

    def train(self) -> None:
        """Train until it is done, from where the checkpoint is.

        Raises:
            SpeechError: the cost is no number any more, or the training was interrupted, which
                loses what came after the last window.
        """
        run = self.run
        self._directory.mkdir(parents=True, exist_ok=True)
        total = torch.zeros((), device=self._device)
        with Interrupt() as interrupt, fast_arithmetic(1):
            while not self.curve.done:
                random = np.random.default_rng([run.seed, self.curve.updates])
                cost = self._costs(self.task.draw(random, run.batch)).mean()
                (cost * math.log(2.0)).backward()  # type: ignore[no-untyped-call]
                self._optimizer.step()
                total += cost.detach()
                self.curve.updates += 1
                if self.curve.updates * run.batch % run.window == 0:
                    self._end_window(total.item() * run.batch / run.window)
                    total.zero_()
                if interrupt.signal is not None and not self.curve.done:
                    raise SpeechError(f"{run.name}: interrupted; the same command goes on with it")

    @torch.no_grad()
    def test(self) -> dict[str, list[float]]:
        """Bits of each sequence of each test, by the weights of the best window."""
        found = {}
        with self.best_weights(), fast_arithmetic(1):
            for name, task in self.task.tests().items():
                costs: list[float] = []
                for batch in batches_to_test(task, self.run.test_sequences):
                    costs += self._costs(batch).tolist()
                found[name] = costs
        return found

    @torch.no_grad()
    def trace_copy(self, length: int) -> CopyTrace:
        """What the heads and the memory do while a sequence of a length is copied."""
        assert isinstance(self.network, NeuralTuringMachine)
        assert isinstance(self.task, CopyTask)
        task = CopyTask(length, length, self.task.bits)
        episodes = next(batches_to_test(task, 1))
        trace = NtmTrace()
        with self.best_weights():
            inputs = torch.from_numpy(episodes.inputs).to(self._device)
            logits, _ = self.network(inputs, trace=trace)
        weightings = torch.stack(trace.weightings)[:, 0]

        def plain(values: Tensor) -> npt.NDArray[np.float32]:
            return values.cpu().numpy()

        return CopyTrace(
            episodes.inputs[:, 0],
            episodes.targets[:, 0],
            plain(torch.sigmoid(logits[-length:, 0])),
            plain(weightings[:, self.network.options.read_heads]),
            plain(weightings[:, 0]),
            plain(torch.stack(trace.added)[:, 0, 0]),
            plain(torch.stack(trace.read)[:, 0, 0]),
            plain(trace.memories[length - 1][0]),
        )

    @contextmanager
    def best_weights(self) -> Iterator[nn.Module]:
        """The network with the weights of the best window, until the block ends."""
        latest = {name: value.detach().clone() for name, value in self._parameters.items()}
        self._set(self._best)
        try:
            yield self.network
        finally:
            self._set(latest)

    def logits(self, episodes: Episodes) -> Tensor:
        """Of the steps that have targets, [T', B, outputs]."""
        inputs = torch.from_numpy(episodes.inputs).to(self._device)
        found = self.network(inputs)
        logits: Tensor = found[0] if isinstance(found, tuple) else found
        return logits[-len(episodes.targets) :]

    def _costs(self, episodes: Episodes) -> Tensor:
        """Bits of each sequence, [B]: minus log2 of the probability that the targets are given."""
        targets = torch.from_numpy(episodes.targets).to(self._device)
        nats = functional.binary_cross_entropy_with_logits(
            self.logits(episodes), targets, reduction="none"
        )
        return nats.sum((0, 2)) / math.log(2.0)

    def _end_window(self, cost: float) -> None:
        curve, run = self.curve, self.run
        if not math.isfinite(cost):
            raise SpeechError(f"{run.name}: the training diverges: its cost is {cost}")
        curve.costs.append(cost)
        if cost <= curve.costs[curve.best]:
            curve.best = len(curve.costs) - 1
            self._best = {name: value.detach().clone() for name, value in self._parameters.items()}
        sequences = curve.updates * run.batch
        curve.done = self._is_done()
        write_checkpoint(
            self._directory / CHECKPOINT,
            self._tensors(),
            {"run": _plain(self.run), **vars(curve)},
        )
        console.print(f"{run.name}: {sequences:,} sequences: {cost:.3f} bits", highlight=False)

    def _is_done(self) -> bool:
        sequences = self.curve.updates * self.run.batch
        return self.curve.costs[-1] <= self.run.enough or sequences >= self.run.sequences

    def _tensors(self) -> dict[str, Tensor]:
        return {
            **{f"network.{name}": value for name, value in self._parameters.items()},
            **{f"best.{name}": value for name, value in self._best.items()},
            **{f"rmsprop.{name}": value for name, value in self._optimizer.tensors().items()},
        }

    @torch.no_grad()
    def _resume(self, path: Path) -> None:
        tensors, progress = read_checkpoint(path)
        planned, found = _plain(self.run), progress.get("run", {})
        for name in sorted(planned.keys() | found.keys()):
            # A training may go on for longer than was planned.
            if name not in ("sequences", "enough") and planned.get(name) != found.get(name):
                raise SpeechError(
                    f"{path}: expected a training with {name} {planned.get(name)}, "
                    f"found {found.get(name)}"
                )
        for name, value in self._tensors().items():
            value.copy_(take(tensors, name, value, path))
        self.curve = TrainingCurve(**{name: progress[name] for name in vars(self.curve)})
        self.curve.done = self._is_done()

    @torch.no_grad()
    def _set(self, values: dict[str, Tensor]) -> None:
        for name, parameter in self._parameters.items():
            parameter.copy_(values[name])


def make_network(options: NtmOptions | StackedLstmOptions) -> nn.Module:
    """The network of a shape, with random weights."""
    if isinstance(options, NtmOptions):
        return NeuralTuringMachine(options)
    return StackedLstm(options)


def _plain(run: SequenceRun) -> dict[str, Any]:
    """The settings as JSON has them."""
    found: dict[str, Any] = json.loads(json.dumps(to_table(run)))
    return found
