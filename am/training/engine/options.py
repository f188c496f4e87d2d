"""Options of network training, and of the augmentation of its features."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

from recognizer.am.training.engine.schedule import Schedule
from recognizer.data.errors import UsageError

_DEVICE = re.compile(r"cpu|cuda(:\d+)?")


def _require(name: str, value: object, expected: str, ok: bool) -> None:
    if not ok:
        raise UsageError(f"training option {name}: expected {expected}, found {value!r}")


@dataclass(frozen=True)
class AugmentOptions:
    """Changes drawn anew each time an utterance is used; all are off by default.

    Attributes:
        gain_std: standard deviation of a constant added to all log-mel energies of an utterance
            (natural log of power: 0.23 is one decibel), as if it had been recorded louder.
        tilt_std: standard deviation of a straight line over the bins, its value at the two ends.
        frequency_masks: number of bands of bins replaced by the training set's mean, or the
            utterance's if the network has a running mean (SpecAugment, Park et al. 2019).
        frequency_width: greatest width of such a band, bins.
        time_masks: number of stretches of frames replaced by the mean, per 1,000 frames.
        time_width: greatest length of such a stretch, frames.
        time_share: greatest length of such a stretch as a share of the utterance (the p of the
            paper's section 2).
        noise_std: standard deviation of independent Gaussian noise on each feature.
    """

    gain_std: float = 0.0
    tilt_std: float = 0.0
    frequency_masks: int = 0
    frequency_width: int = 0
    time_masks: int = 0
    time_width: int = 0
    time_share: float = 1.0
    noise_std: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            _require(name, value, "a finite number >= 0", math.isfinite(value) and value >= 0)
        _require("time_share", self.time_share, "a number <= 1", self.time_share <= 1)

    @property
    def active(self) -> bool:
        """Whether anything is changed at all."""
        return any(value for name, value in vars(self).items() if name != "time_share")


@dataclass(frozen=True)
class ParameterServerOptions:
    """Asynchronous training over machines, mode "ray".

    Attributes:
        address: of a running Ray cluster ("auto" finds it); without one, a cluster of this
            machine alone is started and ended with the run.
        parameter_shards: processes over which the parameters are spread.
        threads: threads of a worker, which compute gradients side by side and send their sum
            (the paper: 3).
        fetch_steps: a worker fetches the parameters anew before each so many gradients.
        report_steps: a worker reports to the run after so many gradients.
        save_updates: a shard writes its checkpoint after so many updates.
    """

    address: str = ""
    parameter_shards: int = 2
    threads: int = 3
    fetch_steps: int = 1
    report_steps: int = 10
    save_updates: int = 100

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name != "address":
                _require(name, value, "an integer > 0", isinstance(value, int) and value > 0)


@dataclass(frozen=True)
class TrainingOptions:
    """How a network is trained.

    The defaults are a recipe with Adam. `TrainingOptions.paper` is plain stochastic gradient
    descent as in the paper.

    Attributes:
        mode: "single" process; "async", processes of this machine that change the same parameters
            without locks (section 3 of the paper); "ray", such over machines; or "ddp",
            synchronous data parallel, started by torchrun. See docs/guides/training.md.
        workers: of the modes "async" and "ray".
        device: that the network is trained on: "cpu", "cuda" (the first GPU; in mode "ddp" one for
            each process of a machine), or "cuda:N". GPUs only in the modes "single" and "ddp".
        epochs: passes over the training utterances.
        max_frames: end earlier, after this many frames; the learning rate then decays
            over them. 0 means no such end.
        streams: N, utterances trained in parallel (by each worker and thread).
        chunk: T, frames of truncated back-propagation through time. Networks that need whole
            utterances take them whole.
        shards_at_once: draw utterances from so many shards of the features before the next are
            begun, for corpora larger than memory; 0 shuffles over everything.
        sorted_epochs: the first so many passes take the shortest utterances first (SortaGrad,
            Amodei et al. 2015, section 3.3); the others shuffle them.
        length_buckets: the utterances are dealt into so many buckets by length, and as many as
            there are streams are drawn from one bucket: little padding where chunks are whole
            utterances. 0: streams draw from all.
        feature_processes: processes that read or compute features before they are needed; in mode
            "ddp" each process has so many. 0: the training waits for them.
        optimizer: "sgd" or "adam" (with decoupled weight decay).
        momentum: of "sgd", in Nesterov's form; 0 for none. Amodei et al. 2015 take 0.99.
        learning_rate: at the beginning.
        final_learning_rate: at the end; it decays exponentially with the frames seen.
        decay_frames: the final rate is reached after so many frames, and the decay goes on alike
            beyond; 0: it is reached at the end. For trainings that end by `patience`.
        warmup_frames: the rate first grows linearly over this many frames.
        reduction: loss of a chunk, "sum" over its frames (or what else the criterion normalises
            by) or their "mean".
        weight_decay: of "adam".
        max_gradient_norm: gradients of a chunk are scaled down to this norm; 0 never.
        dropout: probability of dropping a layer's output on its way up (of layered networks the
            strength of a random factor); the same all the time, or a schedule over the share of the
            training that is done, such as "0,0@0.20,0.5@0.50,0", see `Schedule.of`.
        initial_range: weights start uniform in (-initial_range, initial_range).
        forget_bias: bias with which forget gates start.
        freeze_statistics: of a training that starts from a network: batch normalisation keeps that
            network's averages, and takes them in training too. For little data, whose averages
            would be of a few voices.
        average_frames: the final weights are an exponential average over about this many frames;
            0 takes the weights as they are.
        precision: of the matrix products, "float32" or "bfloat16". Weights, cell states, gates
            and the loss stay in float32.
        threads: CPU threads of torch in each process; 0 leaves torch's own choice (in "async" and
            "ray": 1).
        held_out_fraction: part of the utterances, chosen by a hash of their ids, that is never
            trained on.
        evaluate_frames: measure on the held-out part after each so many frames; 0: each epoch.
        patience: end when the held-out accuracy (or what else the criterion chooses the best
            network by) has failed to improve in so many measurements one after the other; 0: only
            after `epochs` or `max_frames`.
        checkpoint_seconds: write a checkpoint after so many seconds.
        tensorboard: write curves for TensorBoard too, where that package is installed.
        length_tolerance: features and labels of an utterance may differ by so many frames (both
            are cut to the shorter); others are dropped and counted.
        augment: changes to features.
        cluster: more of mode "ray".
        seed: of initial weights, order, versions, augmentation and dropout.
    """

    mode: Literal["single", "async", "ddp", "ray"] = "single"
    workers: int = 1
    device: str = "cpu"
    epochs: int = 10
    max_frames: int = 0
    streams: int = 64
    chunk: int = 20
    shards_at_once: int = 0
    sorted_epochs: int = 0
    length_buckets: int = 0
    feature_processes: int = 0
    optimizer: str = "adam"
    momentum: float = 0.0
    learning_rate: float = 1e-3
    final_learning_rate: float = 5e-5
    decay_frames: int = 0
    warmup_frames: int = 0
    reduction: str = "mean"
    weight_decay: float = 0.0
    max_gradient_norm: float = 0.0
    dropout: float | str = 0.0
    initial_range: float = 0.02
    forget_bias: float = 0.0
    freeze_statistics: bool = False
    average_frames: int = 0
    precision: str = "float32"
    threads: int = 0
    held_out_fraction: float = 0.04
    evaluate_frames: int = 0
    patience: int = 0
    checkpoint_seconds: float = 300.0
    tensorboard: bool = True
    length_tolerance: int = 3
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    cluster: ParameterServerOptions = field(default_factory=ParameterServerOptions)
    seed: int = 0

    least_chunk: ClassVar[int] = 1

    def __post_init__(self) -> None:
        for name in ("workers", "epochs", "streams"):
            value = getattr(self, name)
            _require(name, value, "an integer > 0", isinstance(value, int) and value > 0)
        expected = f"an integer >= {self.least_chunk}"
        good = isinstance(self.chunk, int) and self.chunk >= self.least_chunk
        _require("chunk", self.chunk, expected, good)
        for name in (
            "max_frames", "warmup_frames", "average_frames", "threads", "evaluate_frames",
            "patience", "decay_frames", "length_tolerance", "shards_at_once",
            "feature_processes", "sorted_epochs", "length_buckets", "seed",
        ):  # fmt: skip
            value = getattr(self, name)
            _require(name, value, "an integer >= 0", isinstance(value, int) and value >= 0)
        for name in ("learning_rate", "final_learning_rate", "initial_range", "checkpoint_seconds"):
            value = getattr(self, name)
            _require(name, value, "a number > 0", math.isfinite(value) and value > 0)
        for name in ("weight_decay", "max_gradient_norm", "forget_bias"):
            value = getattr(self, name)
            _require(name, value, "a number >= 0", math.isfinite(value) and value >= 0)
        value = self.held_out_fraction
        _require("held_out_fraction", value, "a number in [0, 1)", 0 <= value < 1)
        _require("momentum", self.momentum, "a number in [0, 1)", 0 <= self.momentum < 1)
        if self.optimizer != "sgd":
            expected = '0 beside any optimizer but "sgd"'
            _require("momentum", self.momentum, expected, not self.momentum)
        if self.shards_at_once:
            expected = "0 beside shards_at_once, as utterances are drawn from all shards by length"
            for name in ("sorted_epochs", "length_buckets"):
                _require(name, getattr(self, name), expected, not getattr(self, name))
        values = [value for _, value in self._dropout.points]
        expected = "values in [0, 1)"
        _require("dropout", self.dropout, expected, all(0 <= value < 1 for value in values))
        for name, choices in (
            ("mode", ("single", "async", "ddp", "ray")),
            ("optimizer", ("sgd", "adam")),
            ("reduction", ("sum", "mean")),
            ("precision", ("float32", "bfloat16")),
        ):
            value = getattr(self, name)
            _require(name, value, " or ".join(choices), value in choices)
        expected = "cpu, cuda or cuda:N"
        _require("device", self.device, expected, bool(_DEVICE.fullmatch(self.device)))
        if self.mode == "ddp":
            expected = 'cpu or cuda in mode "ddp", where each process takes a GPU of its own'
            _require("device", self.device, expected, ":" not in self.device)
        if self.decay_frames:
            least = self.final_learning_rate
            expected = f"at least {least}, the final one, as it decays without end"
            _require("learning_rate", self.learning_rate, expected, self.learning_rate >= least)
        if self.mode in ("async", "ray"):
            # Updates of several workers mix at the parameters: there is no one optimiser's state.
            where = f'in mode "{self.mode}"'
            expected = 'the same all the time in mode "ray"'
            good = self.mode != "ray" or self._dropout.constant
            _require("dropout", self.dropout, expected, good)
            _require("device", self.device, f"cpu {where}", self.device == "cpu")
            _require("optimizer", self.optimizer, f"sgd {where}", self.optimizer == "sgd")
            for name in ("average_frames", "patience", "feature_processes", "momentum"):
                value = getattr(self, name)
                _require(name, value, f"0 {where}", not value)
        else:
            where = 'in mode "async" or "ray"'
            _require("workers", self.workers, f"more than 1 only {where}", self.workers == 1)

    @classmethod
    def paper(cls, *, epochs: int = 10, seed: int = 0) -> TrainingOptions:
        """Options of Sak, Senior and Beaufays 2014, section 3.

        Plain SGD on the loss summed over frames, rate 1e-5 decaying exponentially to 5e-6,
        truncated BPTT over 20 frames, 4 utterances in parallel, float32.
        """
        return cls(
            epochs=epochs, streams=4, chunk=20, optimizer="sgd", reduction="sum",
            learning_rate=1e-5, final_learning_rate=5e-6, seed=seed,
        )  # fmt: skip

    def check_chunks(self, subsampling: int) -> None:
        """Refuse chunks that are no whole number of a network's outputs.

        Args:
            subsampling: frames from one output of the network to the next.

        Raises:
            UsageError: they are not.
        """
        expected = f"a multiple of {subsampling}, the frames from one output to the next"
        _require("chunk", self.chunk, expected, self.chunk % subsampling == 0)

    @cached_property
    def _dropout(self) -> Schedule:
        try:
            return Schedule.of(self.dropout)
        except UsageError as error:
            raise UsageError(f"training option dropout: {error}") from None

    def dropout_at(self, frames: int, planned_frames: int) -> float:
        """Dropout after ``frames`` of so many."""
        return self._dropout.at(min(frames / max(planned_frames, 1), 1.0))

    def learning_rate_at(self, frames: int, planned_frames: int) -> float:
        """Rate after ``frames``: warm-up times exponential decay.

        The decay is over ``decay_frames``, or else over ``planned_frames``, where it ends.
        """
        if self.decay_frames:
            progress = frames / self.decay_frames
        else:
            progress = min(frames / max(planned_frames, 1), 1.0)
        ratio = self.final_learning_rate / self.learning_rate
        rate = self.learning_rate * math.pow(ratio, progress)
        if frames < self.warmup_frames:
            rate *= (frames + 1) / self.warmup_frames
        return rate
