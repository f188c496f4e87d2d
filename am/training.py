"""Training of a network on frame labels: cross-entropy, truncated BPTT, one process.

`train` is the whole: it splits off a held-out part, measures the features' statistics, trains,
measures while it trains, writes checkpoints and the best and last networks with their state
priors. An interrupted run goes on from its checkpoint with the same bits.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from am.batching import (
    Augment,
    StreamBatcher,
    TrainingUtterance,
    feature_statistics,
    is_held_out,
    prepare,
)
from am.network_file import read_network, write_network
from am.network_module import NetworkModule, reset_state
from am.network_options import NetworkOptions
from am.networks import from_network, make_network
from am.priors import SILENCE_WEIGHT, count_labels, state_priors
from am.training_augment import Augmenter
from am.training_checkpoint import (
    optimizer_tensors,
    read_checkpoint,
    restore_optimizer,
    take,
    write_checkpoint,
)
from am.training_evaluation import PRECISIONS, Evaluation, RecentSums, evaluate
from am.training_log import TrainingLog, TrainingProgress
from am.training_options import AugmentOptions, TrainingOptions
from am.training_runtime import Interrupt, keep_freed_memory
from data.errors import SpeechError

__all__ = [
    "AugmentOptions",
    "Evaluation",
    "NetworkOptions",
    "Trainer",
    "TrainingOptions",
    "TrainingResult",
    "TrainingUtterance",
    "evaluate",
    "train",
]

# The average over weights is moved after every so many chunks: it need not be finer.
_AVERAGE_EVERY = 8


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


class Trainer:
    """One training run; see `train` for the arguments."""

    def __init__(
        self,
        utterances: Sequence[TrainingUtterance],
        network: NetworkOptions,
        options: TrainingOptions,
        directory: Path,
        *,
        silence_pdfs: Collection[int] = (),
        silence_weight: float = SILENCE_WEIGHT,
        held_out: Sequence[TrainingUtterance] | None = None,
        augment: Augment | None = None,
        initial: NetworkModule | None = None,
        metadata: Mapping[str, Any] | None = None,
        progress: bool = True,
    ) -> None:
        self.options = options
        self.network = network
        self.directory = directory
        self.metadata = dict(metadata or {})
        self.show_progress = progress
        prepared = prepare(utterances, network.input_dim, network.outputs, options.length_tolerance)
        self.trimmed, self.dropped = prepared.trimmed, prepared.dropped
        fraction = options.held_out_fraction if held_out is None else 0.0
        self.training = [u for u in prepared.utterances if not is_held_out(u.id, fraction)]
        if held_out is None:
            self.held_out = [u for u in prepared.utterances if is_held_out(u.id, fraction)]
        else:
            checked = prepare(
                held_out, network.input_dim, network.outputs, options.length_tolerance
            )
            self.held_out = list(checked.utterances)
            self.dropped += checked.dropped
        if not self.training or not self.held_out:
            raise SpeechError(
                f"training data: {len(self.training)} utterances to train on and "
                f"{len(self.held_out)} held out, expected some of both"
            )
        self.log_priors = state_priors(
            count_labels((u.labels for u in self.training), network.outputs),
            silence_pdfs,
            silence_weight,
        )
        mean, inv_std = feature_statistics(self.training)
        frames = sum(len(u.labels) for u in self.training)
        self.epoch_frames = frames
        self.planned_frames = options.max_frames or frames * options.epochs
        epochs = options.epochs
        if options.max_frames:
            # Versions of other speeds differ in length: allow more epochs than the plain ratio.
            epochs = math.ceil(1.5 * options.max_frames / frames) + 1

        torch.manual_seed(options.seed)
        if initial is None:
            self.model = make_network(
                network,
                initial_range=options.initial_range,
                forget_bias=options.forget_bias,
                dropout=options.dropout,
            )
        else:
            self.model = initial
            self.model.dropout = options.dropout
        self.model.precision = PRECISIONS[options.precision]
        self.model.input.mean.copy_(torch.from_numpy(mean))
        self.model.input.inv_std.copy_(torch.from_numpy(inv_std))
        self.names = [name for name, _ in self.model.named_parameters()]
        self.parameters: list[Tensor] = list(self.model.parameters())
        self.average = [p.detach().clone() for p in self.parameters]
        self.optimizer = _optimizer(self.parameters, options)
        self.state = self.model.initial_state(options.streams)
        if augment is None and options.augment.active:
            augment = Augmenter(options.augment, mean)
        self.batcher = StreamBatcher(
            self.training,
            streams=options.streams,
            chunk=options.chunk,
            delay=network.output_delay,
            epochs=epochs,
            seed=options.seed,
            augment=augment,
        )
        self.finished = False
        self.frames = 0
        self.chunks = 0
        self.seconds = 0.0
        self.next_evaluation = self._evaluation_interval()
        self.best: Evaluation | None = None
        self.last: Evaluation | None = None

    @property
    def checkpoint_path(self) -> Path:
        """File of the checkpoint."""
        return self.directory / "checkpoint.safetensors"

    @property
    def best_path(self) -> Path:
        """File of the network with the best held-out accuracy."""
        return self.directory / "best.safetensors"

    @property
    def last_path(self) -> Path:
        """File of the network at the end."""
        return self.directory / "last.safetensors"

    def _evaluation_interval(self) -> int:
        return self.options.evaluate_frames or self.epoch_frames

    def run(self, *, max_chunks: int | None = None) -> TrainingResult:
        """Train to the end, or to an interrupt, or for ``max_chunks`` chunks more."""
        options = self.options
        if self.finished:
            return self._result()
        log = TrainingLog(self.directory / "training.jsonl", keep_frames=self.frames)
        self.model.train()
        begin_chunks = self.chunks
        saved = started = time.monotonic()
        before = self.seconds
        recent = RecentSums()
        with (
            Interrupt() as interrupt,
            TrainingProgress(self.planned_frames, enabled=self.show_progress) as progress,
        ):
            for chunk in self.batcher:
                self._step(chunk.features, chunk.labels, chunk.fresh, recent)
                now = time.monotonic()
                self.seconds = before + now - started
                progress.update(
                    self.frames, epoch=chunk.epoch, speed=recent.speed(),
                    loss=recent.loss(), accuracy=recent.accuracy(),
                )  # fmt: skip
                if options.max_frames and self.frames >= options.max_frames:
                    self.finished = True
                    break
                if self.frames >= self.next_evaluation:
                    self.next_evaluation += self._evaluation_interval()
                    self._measure(log, progress, recent)
                    recent = RecentSums()
                stop = interrupt.requested or (
                    max_chunks is not None and self.chunks - begin_chunks >= max_chunks
                )
                if stop or now - saved >= options.checkpoint_seconds:
                    self.save()
                    saved = time.monotonic()
                if stop:
                    break
            else:
                self.finished = True
            if self.finished:
                self._measure(log, progress, recent)
                self._write_network(self.last_path, self.last)
                self.save()
        return self._result()

    def _result(self) -> TrainingResult:
        return TrainingResult(
            finished=self.finished,
            frames=self.frames,
            seconds=self.seconds,
            last=self.last,
            best=self.best,
            last_path=self.last_path,
            best_path=self.best_path,
            dropped=self.dropped,
            trimmed=self.trimmed,
        )

    def _step(self, features: Any, labels: Any, fresh: Any, recent: RecentSums) -> None:
        options = self.options
        reset_state(self.state, torch.from_numpy(fresh))
        result = self.model.chunk_loss(
            torch.from_numpy(features), torch.from_numpy(labels), self.state
        )
        self.state = result.state
        self.chunks += 1
        if result.frames == 0:
            return
        loss = result.loss if options.reduction == "sum" else result.loss / result.frames
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        value = result.loss.item()
        if not math.isfinite(value):
            raise SpeechError(
                f"training: loss is not finite after {self.frames:,} frames; "
                "lower the learning rate or set max_gradient_norm"
            )
        if options.max_gradient_norm:
            torch.nn.utils.clip_grad_norm_(self.parameters, options.max_gradient_norm)
        rate = options.learning_rate_at(self.frames, self.planned_frames)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.frames += result.frames
        recent.add(value, result.correct, result.frames)
        if options.average_frames and self.chunks % _AVERAGE_EVERY == 0:
            per_chunk = options.streams * options.chunk
            # Early on, the average spans only what there was so far, not the initial weights.
            span = min(options.average_frames, self.frames / 2)
            weight = min(1.0, _AVERAGE_EVERY * per_chunk / span)
            with torch.no_grad():
                torch._foreach_lerp_(self.average, self.parameters, weight)

    def _final_weights(self) -> list[Tensor]:
        return self.average if self.options.average_frames else self.parameters

    def _with_final_weights(self) -> NetworkModule:
        """A network of its own with the weights that would be kept now."""
        model = make_network(self.network, generator=torch.Generator())
        model.load_state_dict(self.model.state_dict())
        with torch.no_grad():
            for own, value in zip(model.parameters(), self._final_weights(), strict=True):
                own.copy_(value)
        return model

    def _measure(self, log: TrainingLog, progress: TrainingProgress, recent: RecentSums) -> None:
        result = evaluate(
            self._with_final_weights(), self.held_out, precision=self.options.precision
        )
        self.last = result
        if self.best is None or result.accuracy > self.best.accuracy:
            self.best = result
            self._write_network(self.best_path, result)
        rate = self.options.learning_rate_at(self.frames, self.planned_frames)
        entry = {
            "frames": self.frames,
            "epoch": round(self.frames / self.epoch_frames, 3),
            "seconds": round(self.seconds, 1),
            "frames_per_second": round(recent.speed()),
            "learning_rate": rate,
            "training_cross_entropy": round(recent.loss(), 5),
            "training_accuracy": round(recent.accuracy(), 5),
            "held_out_cross_entropy": round(result.cross_entropy, 5),
            "held_out_accuracy": round(result.accuracy, 5),
        }
        log.write(entry)
        progress.say(
            f"epoch {entry['epoch']:.2f}  {self.frames:,} frames  {recent.speed():,.0f} frames/s  "
            f"rate {rate:.2e}  training {recent.loss():.4f} {recent.accuracy():.2%}  "
            f"held-out {result.cross_entropy:.4f} {result.accuracy:.2%}"
        )

    def _write_network(self, path: Path, result: Evaluation | None) -> None:
        record = {
            "options": dataclasses.asdict(self.options),
            "frames": self.frames,
            "utterances": len(self.training),
            "held_out": dataclasses.asdict(result) if result else None,
        }
        network = self._with_final_weights().to_network(
            self.log_priors, {**self.metadata, "training": record}
        )
        write_network(network, path)

    def save(self) -> None:
        """Write a checkpoint."""
        tensors = {f"weights.{n}": p for n, p in zip(self.names, self.parameters, strict=True)}
        tensors |= {f"average.{n}": p for n, p in zip(self.names, self.average, strict=True)}
        tensors |= optimizer_tensors(self.optimizer, self.names)
        tensors |= {f"state.{index}": tensor for index, tensor in enumerate(self.state)}
        tensors["rng"] = torch.get_rng_state()
        progress = {
            "finished": self.finished,
            "frames": self.frames,
            "chunks": self.chunks,
            "seconds": self.seconds,
            "next_evaluation": self.next_evaluation,
            "best": dataclasses.asdict(self.best) if self.best else None,
            "last": dataclasses.asdict(self.last) if self.last else None,
            "batcher": self.batcher.state(),
            "seed": self.options.seed,
            "utterances": len(self.training),
        }
        write_checkpoint(self.checkpoint_path, tensors, progress)

    def restore(self) -> None:
        """Go on from the checkpoint.

        Raises:
            SpeechError: it is damaged, or of another network, seed or set of utterances.
        """
        path = self.checkpoint_path
        tensors, progress = read_checkpoint(path)
        for key, own in (("seed", self.options.seed), ("utterances", len(self.training))):
            if progress[key] != own:
                raise SpeechError(f"{path}: {key}: expected {own}, found {progress[key]}")
        with torch.no_grad():
            for name, parameter, average in zip(
                self.names, self.parameters, self.average, strict=True
            ):
                parameter.copy_(take(tensors, f"weights.{name}", parameter, path))
                average.copy_(take(tensors, f"average.{name}", average, path))
        restore_optimizer(self.optimizer, self.names, tensors)
        self.state = [
            take(tensors, f"state.{index}", own, path).to(own.dtype)
            for index, own in enumerate(self.state)
        ]
        torch.set_rng_state(tensors["rng"])
        self.finished = progress["finished"]
        self.frames = progress["frames"]
        self.chunks = progress["chunks"]
        self.seconds = progress["seconds"]
        self.next_evaluation = progress["next_evaluation"]
        self.best = Evaluation(**progress["best"]) if progress["best"] else None
        self.last = Evaluation(**progress["last"]) if progress["last"] else None
        self.batcher.restore(progress["batcher"])


def _optimizer(parameters: list[Tensor], options: TrainingOptions) -> Any:
    if options.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=options.learning_rate)
    return torch.optim.AdamW(
        parameters, lr=options.learning_rate, weight_decay=options.weight_decay, fused=True
    )


def train(
    utterances: Sequence[TrainingUtterance],
    network: NetworkOptions,
    options: TrainingOptions,
    directory: str | Path,
    *,
    silence_pdfs: Collection[int] = (),
    silence_weight: float = SILENCE_WEIGHT,
    held_out: Sequence[TrainingUtterance] | None = None,
    augment: Augment | None = None,
    initial: str | Path | None = None,
    metadata: Mapping[str, Any] | None = None,
    resume: bool = True,
    progress: bool = True,
) -> TrainingResult:
    """Train a network; an unfinished run in the same directory goes on.

    Args:
        utterances: features and labels.
        network: shape of the network.
        options: how it is trained.
        directory: gets ``checkpoint.safetensors``, ``training.jsonl``, ``best.safetensors`` and
            ``last.safetensors`` (see `am.network_file`).
        silence_pdfs: pdf-ids of all states of silence phones, for the priors.
        silence_weight: their counts are divided by this (the paper: 2.7).
        held_out: utterances to measure on; without them a part is split off ``utterances``.
        augment: change of features on the fly, instead of ``options.augment``.
        initial: file of a network of the same shape to start from.
        metadata: facts that go into the network's file (feature options, corpora).
        resume: go on from a checkpoint if there is one; otherwise it is replaced.
        progress: show the progress on standard error.

    Raises:
        SpeechError: unusable data, a checkpoint of another run, or a loss that is not finite.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    if options.threads:
        torch.set_num_threads(options.threads)
    keep_freed_memory()
    start = None
    if initial is not None:
        given = read_network(initial)
        if given.options != network:
            raise SpeechError(f"{initial}: expected {network}, found {given.options}")
        start = from_network(given)
    trainer = Trainer(
        utterances, network, options, directory,
        silence_pdfs=silence_pdfs, silence_weight=silence_weight, held_out=held_out,
        augment=augment, initial=start, metadata=metadata, progress=progress,
    )  # fmt: skip
    if resume and trainer.checkpoint_path.exists():
        trainer.restore()
    # Gradients of rarely used cells fade into denormals, which cost a hundred cycles each.
    torch.set_flush_denormal(True)
    try:
        return trainer.run()
    finally:
        torch.set_flush_denormal(False)
