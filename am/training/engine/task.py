"""One training run as a value: what every process that takes part in it must know."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from recognizer.am.nnet.network_file import read_network
from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.torch.batch_norm import freeze_batch_norm
from recognizer.am.torch.networks import make_network
from recognizer.am.training.criteria.criterion import Criterion
from recognizer.am.training.data.batching import Augment
from recognizer.am.training.data.checked_data import CheckedData
from recognizer.am.training.engine.augment import Augmenter
from recognizer.am.training.engine.evaluation import PRECISIONS
from recognizer.am.training.engine.learner import Learner
from recognizer.am.training.engine.objective import Objective
from recognizer.am.training.engine.options import TrainingOptions
from recognizer.am.training.engine.runtime import training_device
from recognizer.data.errors import SpeechError


@dataclass(frozen=True)
class TrainingTask:
    """What is trained, on what, and how.

    Attributes:
        data: utterances.
        network: shape of the network.
        criterion: what is minimised, with its parameters as they are before training.
        options: how it is trained.
        directory: where everything is written.
        log_priors: of the states ``[S]``, natural log; they go into the network's file. None where
            targets are no frame labels.
        metadata: facts that go there too.
        initial: file of a network of the same shape to start from.
        augment: change of features on the fly, instead of that of the options.
        progress: show the progress on standard error.
    """

    data: CheckedData
    network: NetworkOptions
    criterion: Criterion
    options: TrainingOptions
    directory: Path
    log_priors: npt.NDArray[np.float32] | None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    initial: Path | None = None
    augment: Augment | None = None
    progress: bool = True

    @property
    def planned_frames(self) -> int:
        """Frames to train on, unless patience ends it before."""
        return self.options.max_frames or self.data.frames * self.options.epochs

    @property
    def epochs(self) -> int:
        """Passes that a worker is ready to make."""
        if not self.options.max_frames:
            return self.options.epochs
        # Versions of other speeds differ in length: allow more than the plain ratio.
        return math.ceil(1.5 * self.options.max_frames / self.data.frames) + 1

    def part(self, index: int, parts: int) -> TrainingTask:
        """The task of one of several workers, which divide the utterances among themselves."""
        return dataclasses.replace(self, data=self.data.part(index, parts))

    def make_model(self) -> Objective:
        """Network and criterion as they are before training, in every process the same.

        Raises:
            SpeechError: the network to start from has another shape, or torch cannot use the
                device.
        """
        options = self.options
        torch.manual_seed(options.seed)
        network = make_network(
            self.network,
            initial_range=options.initial_range,
            forget_bias=options.forget_bias,
            dropout=options.dropout_at(0, self.planned_frames),
            precision=PRECISIONS[options.precision],
        )
        if self.initial is not None:
            given = read_network(self.initial)
            if given.options != self.network:
                raise SpeechError(f"{self.initial}: expected {self.network}, found {given.options}")
            network.load_tensors(given.tensors)  # its hidden layers expect its normalisation
            if options.freeze_statistics:
                freeze_batch_norm(network)
        else:
            network.input.mean.copy_(torch.from_numpy(self.data.mean))
            network.input.inv_std.copy_(torch.from_numpy(self.data.inv_std))
        model = Objective(network, copy.deepcopy(self.criterion))
        return model.to(training_device(options)).train()

    def make_learner(self, model: Objective) -> Learner:
        """What computes gradients of ``model`` on ``data``."""
        augment = self.augment
        if augment is None and self.options.augment.active:
            running = self.network.mean_window > 0
            augment = Augmenter(self.options.augment, None if running else self.data.mean)
        return Learner(
            model, self.data.training, self.options, self.epochs, self.planned_frames, augment
        )
