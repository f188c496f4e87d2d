"""What every way of training does around its steps: counts, measures, logs, and writes files."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from recognizer.am.nnet.network_file import write_network
from recognizer.am.training.criteria.criterion import Sums
from recognizer.am.training.engine.checkpoint import (
    CHECKPOINT_FILE,
    part_of,
    take,
    write_checkpoint,
)
from recognizer.am.training.engine.evaluation import Measurement, evaluate
from recognizer.am.training.engine.learner import Position, check_finite
from recognizer.am.training.engine.log import TrainingLog, TrainingProgress, readable
from recognizer.am.training.engine.objective import Objective
from recognizer.am.training.engine.runtime import Interrupt
from recognizer.am.training.engine.task import TrainingTask
from recognizer.data.errors import SpeechError
from recognizer.data.io.console import end_of


@dataclass(frozen=True)
class TrainingResult:
    """What a training run ended with.

    Attributes:
        finished: False if it was interrupted; run again to go on.
        signal: that interrupted it, SIGINT or SIGTERM; None if none did.
        frames: trained on.
        seconds: time spent training, over all runs.
        last: latest measurement on the held-out part; None if interrupted before the first.
        best: of the best network, by the criterion's `best_by`.
        last_path: file of the last network (absent until finished).
        best_path: file of the best network.
        dropped: one line for each utterance or version that could not be used.
        trimmed: versions whose features or frame labels were cut by a few frames.
    """

    finished: bool
    signal: int | None
    frames: int
    seconds: float
    last: Measurement | None
    best: Measurement | None
    last_path: Path
    best_path: Path
    dropped: tuple[str, ...]
    trimmed: int


class TrainingRun:
    """The record of a run, kept by the one process that leads it.

    Attributes:
        task: what is done.
        model: network and criterion; their weights are what is trained, or a copy to measure with.
        weights: parameters and running statistics, see `Objective.weights`.
        names: of the weights.
        finished: whether the run has come to its end.
        frames: trained on so far, by all workers.
    """

    def __init__(self, task: TrainingTask) -> None:
        self.task = task
        self.model: Objective = task.make_model()
        self.parameters: list[Tensor] = list(self.model.parameters())
        self.names = list(self.model.weights())
        self.weights = list(self.model.weights().values())
        self.finished = False
        self.frames = 0
        self.seconds = 0.0
        self.best: Measurement | None = None
        self.last: Measurement | None = None
        self._failures = 0  # measurements since the best
        self._next_evaluation = self._evaluation_interval()
        self._recent = self.model.criterion.sums()
        self._speed_since = (0.0, 0)
        self._log: TrainingLog | None = None
        self._progress: TrainingProgress | None = None
        self._interrupt = Interrupt()
        self._began = self._saved = 0.0

    @property
    def checkpoint_path(self) -> Path:
        """File of the checkpoint."""
        return self.task.directory / CHECKPOINT_FILE

    @property
    def best_path(self) -> Path:
        """File of the best network on the held-out part."""
        return self.task.directory / "best.safetensors"

    @property
    def last_path(self) -> Path:
        """File of the network at the end."""
        return self.task.directory / "last.safetensors"

    @contextmanager
    def session(self, *, record: bool = True) -> Iterator[None]:
        """While steps are made: interrupts wait, the log is open, the progress is shown.

        Args:
            record: false in processes that do not lead, which neither log nor show.
        """
        options = self.task.options
        now = time.monotonic()
        self._began, self._saved = now - self.seconds, now
        self._speed_since = (now, self._recent.frames)
        if not record or self.finished:
            with self._interrupt:
                yield
            return
        with (
            TrainingLog(
                self.task.directory, keep_frames=self.frames, tensorboard=options.tensorboard
            ) as self._log,
            TrainingProgress(
                self.task.planned_frames,
                at_most=options.patience > 0,
                enabled=self.task.progress,
            ) as progress,
            self._interrupt,
        ):
            self._progress = progress
            yield

    def count(self, sums: Sums, epoch: int) -> None:
        """Add what was trained on."""
        self.frames += sums.frames
        self._recent = self._recent.plus(sums)
        self.seconds = time.monotonic() - self._began
        if self._progress is not None:
            self._progress.update(
                self.frames, epoch=epoch, speed=self._speed(), measures=self._recent_measures()
            )

    @property
    def enough(self) -> bool:
        """Whether the greatest number of frames has been reached."""
        return 0 < self.task.options.max_frames <= self.frames

    @property
    def impatient(self) -> bool:
        """Whether held-out measurements have failed to improve often enough."""
        return 0 < self.task.options.patience <= self._failures

    @property
    def interrupted(self) -> bool:
        """Whether somebody asked for an end."""
        return self._interrupt.signal is not None

    @property
    def evaluation_due(self) -> bool:
        """Whether it is time to measure."""
        return self.frames >= self._next_evaluation

    @property
    def checkpoint_due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._saved >= self.task.options.checkpoint_seconds

    def rate(self) -> float:
        """Learning rate now."""
        return self.task.options.learning_rate_at(self.frames, self.task.planned_frames)

    def say(self, text: str) -> None:
        """A line for people."""
        if self._progress is not None:
            self._progress.say(text)

    def measure(self, weights: Sequence[Tensor], **further: float) -> None:
        """Measure these weights on the held-out part; keep them if they are the best.

        Args:
            weights: instead of those of the model.
            further: numbers for the log.

        Raises:
            DivergedError: the weights are spoiled.
        """
        while self.evaluation_due:
            self._next_evaluation += self._evaluation_interval()
        model = self._copy_with(weights)
        result = evaluate(model, self.task.data.held_out, precision=self.task.options.precision)
        check_finite(result.loss)  # the last step may have spoiled the weights
        self.last = result
        self._failures += 1
        best_by = model.criterion.best_by
        if self.best is None or result[best_by] > self.best[best_by]:
            self.best = result
            self._failures = 0
            self._write_network(model, self.best_path, result)
        speed, training = self._speed(), self._recent_measures()
        entry = {
            "frames": self.frames,
            "epoch": round(self.frames / self.task.data.frames, 3),
            "seconds": round(self.seconds, 1),
            **({"frames_per_second": round(speed)} if training else {}),
            "learning_rate": self.rate(),
            **{f"training_{name}": round(value, 5) for name, value in training.items()},
            **{f"held_out_{name}": round(value, 5) for name, value in result.measures.items()},
            **further,
        }
        if self._log is not None:
            self._log.write(entry)
        planned = self.task.planned_frames
        trained = end = ""
        if training:
            trained = f"{speed:,.0f} frames/s  rate {self.rate():.2e}  "
            trained += f"training {readable(training)}  "
            if self.frames < planned and not (self.finished or self.impatient):
                end = f"  {end_of((planned - self.frames) * self.seconds / self.frames)}"
        self.say(
            f"epoch {entry['epoch']:.2f}  {self.frames:,} of {planned:,} frames  {trained}"
            f"held-out {readable(result.measures)}"
            + "".join(f"  {name.replace('_', ' ')} {value:g}" for name, value in further.items())
            + end
        )
        self._recent = self.model.criterion.sums()
        self._speed_since = (time.monotonic(), 0)

    def begin(self, weights: Sequence[Tensor]) -> None:
        """Before the first step: a training that starts from a network measures it.

        Training may make it no better; then it is the best network.
        """
        if self.task.initial is not None and self.frames == 0 and self.last is None:
            self.measure(weights)

    def finish(self, weights: Sequence[Tensor], **further: float) -> None:
        """The end: write the last network, measured unless these very weights have been."""
        self.finished = True
        if self.last is None or self._recent.frames:
            self.measure(weights, **further)
        self._write_network(self._copy_with(weights), self.last_path, self.last)

    def result(self) -> TrainingResult:
        """What the run has come to."""
        return TrainingResult(
            finished=self.finished,
            signal=self._interrupt.signal,
            frames=self.frames,
            seconds=self.seconds,
            last=self.last,
            best=self.best,
            last_path=self.last_path,
            best_path=self.best_path,
            dropped=self.task.data.dropped,
            trimmed=self.task.data.trimmed,
        )

    def save(
        self,
        positions: Sequence[Position],
        tensors: Mapping[str, Tensor] | None = None,
        progress: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a checkpoint.

        Args:
            positions: of all workers.
            tensors: that the way of training adds to the weights.
            progress: that it adds to the counts.
        """
        saved = {f"weights.{n}": p for n, p in zip(self.names, self.weights, strict=True)}
        for worker, (state, _) in enumerate(positions):
            saved |= {f"{worker}.{name}": tensor for name, tensor in load(state).items()}
        record = {
            "finished": self.finished,
            "frames": self.frames,
            "seconds": self.seconds,
            "next_evaluation": self._next_evaluation,
            "recent": self._recent.values(),
            "failures": self._failures,
            "positions": [position for _, position in positions],
            "best": self.best.to_table() if self.best else None,
            "last": self.last.to_table() if self.last else None,
            **self._identity(),
        }
        write_checkpoint(
            self.checkpoint_path, {**saved, **(tensors or {})}, {**record, **(progress or {})}
        )
        self._saved = time.monotonic()

    def restore(
        self, tensors: dict[str, Tensor], progress: dict[str, Any], *, workers: int
    ) -> list[Position]:
        """Go on from what `save` wrote.

        Args:
            tensors: of the checkpoint.
            progress: of the checkpoint.
            workers: number of workers now.

        Returns:
            Their positions.

        Raises:
            SpeechError: it is of another network, criterion, optimizer, seed, mode, number of
                workers or set of utterances.
        """
        path = self.checkpoint_path
        for key, own in self._identity().items():
            if progress.get(key) != own:
                raise SpeechError(f"{path}: {key}: expected {own}, found {progress.get(key)}")
        if len(progress["positions"]) != workers:
            raise SpeechError(
                f"{path}: expected a checkpoint of {workers} workers, "
                f"found one of {len(progress['positions'])}"
            )
        with torch.no_grad():
            for name, weight in zip(self.names, self.weights, strict=True):
                weight.copy_(take(tensors, f"weights.{name}", weight, path))
        self.finished = progress["finished"]
        self.frames = progress["frames"]
        self.seconds = progress["seconds"]
        self._next_evaluation = progress["next_evaluation"]
        self._recent = self.model.criterion.sums(progress["recent"])
        self._failures = progress["failures"]
        self.best = Measurement.of_table(progress["best"]) if progress["best"] else None
        self.last = Measurement.of_table(progress["last"]) if progress["last"] else None
        return [
            (save(part_of(tensors, worker)), position)
            for worker, position in enumerate(progress["positions"])
        ]

    def _identity(self) -> dict[str, Any]:
        """What a checkpoint must have in common with the run that goes on from it."""
        network = self.task.network.to_table()
        return {
            **{f"network option {name}": value for name, value in network.items()},
            "criterion": type(self.task.criterion).__name__,
            "optimizer": self.task.options.optimizer,
            "mode": self.task.options.mode,
            "seed": self.task.options.seed,
            "utterances": len(self.task.data.training),
            "hash of their names and lengths": self._data_hash,
        }

    @cached_property
    def _data_hash(self) -> str:
        text = "\n".join(f"{u.id} {len(u.target)}" for u in self.task.data.training)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _evaluation_interval(self) -> int:
        return self.task.options.evaluate_frames or self.task.data.frames

    def _speed(self) -> float:
        began, frames = self._speed_since
        return (self._recent.frames - frames) / max(time.monotonic() - began, 1e-9)

    def _recent_measures(self) -> dict[str, float]:
        """Of what was trained on since the last measurement; nothing where there was nothing."""
        return self.model.criterion.measures(self._recent) if self._recent.units else {}

    def _copy_with(self, weights: Sequence[Tensor]) -> Objective:
        """Network and criterion of their own with other weights."""
        model = copy.deepcopy(self.model)
        with torch.no_grad():
            for own, value in zip(model.weights().values(), weights, strict=True):
                own.copy_(value)
        return model

    def _write_network(self, model: Objective, path: Path, result: Measurement | None) -> None:
        record = {
            "options": dataclasses.asdict(self.task.options),
            "frames": self.frames,
            "utterances": len(self.task.data.training),
            "held_out": result.to_table() if result else None,
        }
        metadata = {**self.task.metadata, "training": record}
        network = model.network.to_network(self.task.log_priors, metadata)
        write_network(network, path)
