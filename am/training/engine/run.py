"""What every way of training does around its steps: counts, measures, logs, and writes files."""

from __future__ import annotations

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
from recognizer.am.torch.network_module import NetworkModule
from recognizer.am.torch.networks import make_network
from recognizer.am.training.engine.checkpoint import (
    CHECKPOINT_FILE,
    part_of,
    take,
    write_checkpoint,
)
from recognizer.am.training.engine.evaluation import Evaluation, evaluate
from recognizer.am.training.engine.learner import Place, Sums, check_finite
from recognizer.am.training.engine.log import TrainingLog, TrainingProgress
from recognizer.am.training.engine.runtime import Interrupt
from recognizer.am.training.engine.task import TrainingTask
from recognizer.data.errors import SpeechError


@dataclass(frozen=True)
class TrainingResult:
    """What a training run ended with.

    Attributes:
        finished: False if it was interrupted; run again to go on.
        frames: labelled frames trained on.
        seconds: time spent training, over all runs.
        last: latest measurement on the held-out part; None if interrupted before the first.
        best: of the best network, by accuracy.
        last_path: file of the last network (absent until finished).
        best_path: file of the best network.
        dropped: one line for each utterance or version that could not be used.
        trimmed: versions whose features or labels were cut by a few frames.
    """

    finished: bool
    frames: int
    seconds: float
    last: Evaluation | None
    best: Evaluation | None
    last_path: Path
    best_path: Path
    dropped: tuple[str, ...]
    trimmed: int


class TrainingRun:
    """The record of a run, kept by the one process that leads it.

    Attributes:
        task: what is done.
        model: the network; its parameters are what is trained, or a copy to measure with.
        finished: whether the run has come to its end.
        frames: labelled frames trained on so far, by all workers.
    """

    def __init__(self, task: TrainingTask) -> None:
        self.task = task
        self.model: NetworkModule = task.make_model()
        self.parameters: list[Tensor] = list(self.model.parameters())
        self.names = [name for name, _ in self.model.named_parameters()]
        self.finished = False
        self.frames = 0
        self.seconds = 0.0
        self.best: Evaluation | None = None
        self.last: Evaluation | None = None
        self._failures = 0  # measurements since the best
        self._next_evaluation = self._evaluation_interval()
        self._recent = Sums()
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
        """File of the network with the best held-out accuracy."""
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
                None if options.patience else self.task.planned_frames, enabled=self.task.progress
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
                self.frames, epoch=epoch, speed=self._speed(),
                loss=self._recent.loss / max(self._recent.frames, 1),
                accuracy=self._recent.correct / max(self._recent.frames, 1),
            )  # fmt: skip

    @property
    def enough(self) -> bool:
        """Whether the greatest number of frames has been reached."""
        return 0 < self.task.options.max_frames <= self.frames

    @property
    def impatient(self) -> bool:
        """Whether the held-out accuracy has failed to improve often enough."""
        return 0 < self.task.options.patience <= self._failures

    @property
    def interrupted(self) -> bool:
        """Whether somebody asked for an end."""
        return self._interrupt.requested

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
            weights: one for each parameter.
            further: numbers for the log.

        Raises:
            DivergedError: the weights are spoiled.
        """
        while self.evaluation_due:
            self._next_evaluation += self._evaluation_interval()
        model = self._copy_with(weights)
        result = evaluate(model, self.task.data.held_out, precision=self.task.options.precision)
        check_finite(Sums(result.cross_entropy))  # the last step may have spoiled the weights
        self.last = result
        self._failures += 1
        if self.best is None or result.accuracy > self.best.accuracy:
            self.best = result
            self._failures = 0
            self._write_network(model, self.best_path, result)
        recent, speed = self._recent, self._speed()
        loss, accuracy = (value / max(recent.frames, 1) for value in (recent.loss, recent.correct))
        entry = {
            "frames": self.frames,
            "epoch": round(self.frames / self.task.data.frames, 3),
            "seconds": round(self.seconds, 1),
            "frames_per_second": round(speed),
            "learning_rate": self.rate(),
            "training_cross_entropy": round(loss, 5),
            "training_accuracy": round(accuracy, 5),
            "held_out_cross_entropy": round(result.cross_entropy, 5),
            "held_out_accuracy": round(result.accuracy, 5),
            **further,
        }
        if self._log is not None:
            self._log.write(entry)
        self.say(
            f"epoch {entry['epoch']:.2f}  {self.frames:,} frames  {speed:,.0f} frames/s  "
            f"rate {self.rate():.2e}  training {loss:.4f} {accuracy:.2%}  "
            f"held-out {result.cross_entropy:.4f} {result.accuracy:.2%}"
            + "".join(f"  {name.replace('_', ' ')} {value:g}" for name, value in further.items())
        )
        self._recent = Sums()
        self._speed_since = (time.monotonic(), 0)

    def finish(self, weights: Sequence[Tensor], **further: float) -> None:
        """The end: measure once more and write the last network."""
        self.finished = True
        self.measure(weights, **further)
        self._write_network(self._copy_with(weights), self.last_path, self.last)

    def result(self) -> TrainingResult:
        """What the run has come to."""
        return TrainingResult(
            finished=self.finished,
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
        places: Sequence[Place],
        tensors: Mapping[str, Tensor] | None = None,
        progress: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a checkpoint.

        Args:
            places: of all workers.
            tensors: that the way of training adds to the parameters.
            progress: that it adds to the counts.
        """
        saved = {f"weights.{n}": p for n, p in zip(self.names, self.parameters, strict=True)}
        for worker, (state, _) in enumerate(places):
            saved |= {f"{worker}.{name}": tensor for name, tensor in load(state).items()}
        record = {
            "finished": self.finished,
            "frames": self.frames,
            "seconds": self.seconds,
            "next_evaluation": self._next_evaluation,
            "recent": self._recent,
            "failures": self._failures,
            "places": [place for _, place in places],
            "best": dataclasses.asdict(self.best) if self.best else None,
            "last": dataclasses.asdict(self.last) if self.last else None,
            **self._identity(),
        }
        write_checkpoint(
            self.checkpoint_path, {**saved, **(tensors or {})}, {**record, **(progress or {})}
        )
        self._saved = time.monotonic()

    def restore(
        self, tensors: dict[str, Tensor], progress: dict[str, Any], *, workers: int
    ) -> list[Place]:
        """Go on from what `save` wrote.

        Args:
            tensors: of the checkpoint.
            progress: of the checkpoint.
            workers: number of workers now.

        Returns:
            Their places.

        Raises:
            SpeechError: it is of another network, optimizer, seed, mode, set of utterances or
                number of workers.
        """
        path = self.checkpoint_path
        for key, own in self._identity().items():
            if progress.get(key) != own:
                raise SpeechError(f"{path}: {key}: expected {own}, found {progress.get(key)}")
        if len(progress["places"]) != workers:
            raise SpeechError(
                f"{path}: expected a checkpoint of {workers} workers, "
                f"found one of {len(progress['places'])}"
            )
        with torch.no_grad():
            for name, parameter in zip(self.names, self.parameters, strict=True):
                parameter.copy_(take(tensors, f"weights.{name}", parameter, path))
        self.finished = progress["finished"]
        self.frames = progress["frames"]
        self.seconds = progress["seconds"]
        self._next_evaluation = progress["next_evaluation"]
        self._recent = Sums(*progress["recent"])
        self._failures = progress["failures"]
        self.best = Evaluation(**progress["best"]) if progress["best"] else None
        self.last = Evaluation(**progress["last"]) if progress["last"] else None
        return [
            (save(part_of(tensors, worker)), place)
            for worker, place in enumerate(progress["places"])
        ]

    def _identity(self) -> dict[str, Any]:
        """What a checkpoint must have in common with the run that goes on from it."""
        network = self.task.network.to_table()
        return {
            **{f"network option {name}": value for name, value in network.items()},
            "optimizer": self.task.options.optimizer,
            "mode": self.task.options.mode,
            "seed": self.task.options.seed,
            "utterances": len(self.task.data.training),
            "hash of their names and lengths": self._data_hash,
        }

    @cached_property
    def _data_hash(self) -> str:
        text = "\n".join(f"{u.id} {len(u.labels)}" for u in self.task.data.training)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _evaluation_interval(self) -> int:
        return self.task.options.evaluate_frames or self.task.data.frames

    def _speed(self) -> float:
        began, frames = self._speed_since
        return (self._recent.frames - frames) / max(time.monotonic() - began, 1e-9)

    def _copy_with(self, weights: Sequence[Tensor]) -> NetworkModule:
        """A network of its own with other weights."""
        model = make_network(self.task.network, generator=torch.Generator())
        model.load_state_dict(self.model.state_dict())
        with torch.no_grad():
            for own, value in zip(model.parameters(), weights, strict=True):
                own.copy_(value)
        return model

    def _write_network(self, model: NetworkModule, path: Path, result: Evaluation | None) -> None:
        record = {
            "options": dataclasses.asdict(self.task.options),
            "frames": self.frames,
            "utterances": len(self.task.data.training),
            "held_out": dataclasses.asdict(result) if result else None,
        }
        network = model.to_network(self.task.log_priors, {**self.task.metadata, "training": record})
        write_network(network, path)
