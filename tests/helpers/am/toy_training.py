"""A toy task for all ways of training: features are noisy marks of the labels."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.training.train import (
    FrameLabels,
    TrainingOptions,
    TrainingTask,
    TrainingUtterance,
    make_task,
)

STATES, DIM = 6, 5
NETWORK = NetworkOptions(outputs=STATES, input_dim=DIM, cells=16, projection=8, output_delay=2)
SGD = TrainingOptions(
    epochs=3,
    streams=2,
    optimizer="sgd",
    reduction="sum",
    learning_rate=2e-2,
    final_learning_rate=1e-2,
    initial_range=0.3,
    max_gradient_norm=20.0,
    held_out_fraction=0.2,
    threads=1,
    tensorboard=False,
)


def make_utterances(count: int = 30, seed: int = 0) -> list[TrainingUtterance]:
    """Utterances in two versions, far from zero mean and unit variance."""
    rng = np.random.default_rng(seed)
    marks = np.random.default_rng(99).normal(size=(STATES, DIM))
    utterances = []
    for k in range(count):
        versions = []
        for _ in range(2):
            labels = np.repeat(rng.integers(0, STATES, 12), 4)[: rng.integers(30, 49)]
            features = 20 + 3 * (marks[labels] + 0.3 * rng.normal(size=(len(labels), DIM)))
            versions.append((features.astype(np.float16), FrameLabels(labels.astype(np.int32))))
        utterances.append(TrainingUtterance(f"u{k}", *versions[0], (versions[1],)))
    return utterances


def toy_task(
    directory: Path,
    options: TrainingOptions = SGD,
    network: NetworkOptions = NETWORK,
    **changes: Any,
) -> TrainingTask:
    """A task with these options, changed."""
    directory.mkdir(exist_ok=True)
    options = dataclasses.replace(options, **changes)
    return make_task(make_utterances(), network, options, directory, progress=False)
