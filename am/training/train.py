"""Training of networks: a criterion, truncated BPTT or whole utterances, in several modes.

`train` is the whole: it checks the data, splits off a held-out part, measures the features'
statistics, trains in the mode that the options ask for, measures while it trains, writes
checkpoints and the best and last networks with their state priors. An interrupted run goes on
from its checkpoint.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.am.nnet.network_file import read_network
from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.nnet.priors import SILENCE_WEIGHT, state_priors
from recognizer.am.training.criteria.criterion import Criterion
from recognizer.am.training.criteria.cross_entropy import CrossEntropy
from recognizer.am.training.criteria.targets import (
    FrameLabels,
    StateLattice,
    SupervisionGraph,
    TokenSequence,
)
from recognizer.am.training.data.batching import Augment
from recognizer.am.training.data.checked_data import CheckedData, TrainingUtterance
from recognizer.am.training.engine.evaluation import Measurement, evaluate
from recognizer.am.training.engine.log import checking
from recognizer.am.training.engine.objective import Objective
from recognizer.am.training.engine.options import AugmentOptions, TrainingOptions
from recognizer.am.training.engine.run import TrainingResult
from recognizer.am.training.engine.task import TrainingTask
from recognizer.am.training.parallel.synchronous import train_synchronously

__all__ = [
    "AugmentOptions",
    "Criterion",
    "CrossEntropy",
    "FrameLabels",
    "Measurement",
    "NetworkOptions",
    "Objective",
    "StateLattice",
    "SupervisionGraph",
    "TokenSequence",
    "TrainingOptions",
    "TrainingResult",
    "TrainingTask",
    "TrainingUtterance",
    "evaluate",
    "make_task",
    "train",
]


def train(
    utterances: Iterable[TrainingUtterance],
    network: NetworkOptions,
    options: TrainingOptions,
    directory: str | Path,
    *,
    resume: bool = True,
    **arguments: Any,
) -> TrainingResult:
    """Train a network; an unfinished run in the same directory goes on.

    Args:
        utterances: features and targets.
        network: shape of the network.
        options: how it is trained.
        directory: gets ``checkpoint.safetensors``, ``training.jsonl``, ``tensorboard/``,
            ``best.safetensors`` and ``last.safetensors`` (see `recognizer.am.nnet.network_file`).
        resume: go on from a checkpoint if there is one; otherwise it is replaced.
        arguments: see `make_task`.

    Raises:
        SpeechError: unusable data, a device that torch cannot use, a checkpoint of another run, a
            loss that is not finite, or a worker that died.
    """
    task = make_task(utterances, network, options, directory, **arguments)
    task.directory.mkdir(parents=True, exist_ok=True)
    if options.mode == "async":
        from recognizer.am.training.parallel.asynchronous import train_async

        return train_async(task, resume=resume)
    if options.mode == "ray":
        from recognizer.am.training.parallel.ray_training import train_on_ray

        return train_on_ray(task, resume=resume)
    if options.mode == "ddp":
        from recognizer.am.training.parallel.ddp import lead

        return lead(task, resume=resume)
    return train_synchronously(task, resume=resume)


def make_task(
    utterances: Iterable[TrainingUtterance],
    network: NetworkOptions,
    options: TrainingOptions,
    directory: str | Path,
    *,
    criterion: Criterion | None = None,
    silence_pdfs: Collection[int] = (),
    silence_weight: float = SILENCE_WEIGHT,
    held_out: Iterable[TrainingUtterance] | None = None,
    augment: Augment | None = None,
    initial: str | Path | None = None,
    metadata: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> TrainingTask:
    """Check the data of a training and put together all that it needs.

    Args:
        utterances: features and targets.
        network: shape of the network.
        options: how it is trained.
        directory: where everything is written.
        criterion: what is minimised; `CrossEntropy` of frame labels by default.
        silence_pdfs: pdf-ids of all states of silence phones, for the priors.
        silence_weight: their counts are divided by this (the paper: 2.7).
        held_out: utterances to measure on; without them a part is split off ``utterances``.
        augment: change of features on the fly, instead of ``options.augment``; in modes of
            several processes, a function of a module.
        initial: file of a network of the same shape to start from; its normalisation of the input
            stays, and so do the priors of states that the labels lack.
        metadata: facts that go into the network's file (feature options, corpora).
        progress: show the progress on standard error.

    Raises:
        SpeechError: nothing is left to train on or to measure on, or a criterion that is none of
            the network's.
        UsageError: a network whose kind cannot be trained with subsampled outputs, or chunks that
            are no whole number of outputs.
    """
    network.check_trainable()
    options.check_chunks(network.subsampling)
    criterion = criterion or CrossEntropy()
    criterion.check_network(network)
    data = CheckedData.of(
        checking(utterances, enabled=progress),
        criterion=criterion,
        input_dim=network.input_dim,
        outputs=network.outputs,
        tolerance=options.length_tolerance,
        subsampling=network.subsampling,
        held_out_fraction=options.held_out_fraction if held_out is None else 0.0,
        held_out=held_out or (),
        mean_window=network.mean_window,
        mean_prior=network.mean_prior,
    )
    known = log_priors = None
    if initial is not None:
        given = read_network(Path(initial))
        if given.options == network:  # otherwise making the model says what differs
            known = given.tensors.get("log_priors")
    if criterion.target is FrameLabels:
        log_priors = state_priors(data.label_counts, silence_pdfs, silence_weight, known)
    elif criterion.target is SupervisionGraph:
        # Outputs trained on whole paths are scores of these already: there is nothing to divide by.
        log_priors = np.zeros(network.outputs, dtype=np.float32)
    elif criterion.target is StateLattice:
        log_priors = known  # those that its outputs were divided by in training
    return TrainingTask(
        data,
        network,
        criterion,
        options,
        Path(directory),
        log_priors,
        dict(metadata or {}),
        Path(initial) if initial is not None else None,
        augment,
        progress,
    )
