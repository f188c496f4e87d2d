"""From labelled corpora to a trained network with the priors of its states."""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recognizer.am.nnet.adaptation import with_new_outputs
from recognizer.am.nnet.native import NativeNetwork
from recognizer.am.nnet.network_file import Network, read_network, write_network
from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.nnet.priors import (
    count_labels,
    state_priors,
    sum_posteriors,
)
from recognizer.data.errors import SpeechError
from recognizer.data.io.options import to_table
from recognizer.model.files import ACOUSTIC, model_path
from recognizer.pipelines.acoustic.aligned_corpus import LabelledCorpus, TrainingCorpus
from recognizer.pipelines.acoustic.feature_cache import FeatureTable
from recognizer.pipelines.acoustic.options import AcousticOptions
from recognizer.pipelines.acoustic.training_modes import check_mode, require_torch
from recognizer.pipelines.acoustic.versions import RECORDING, Version

if TYPE_CHECKING:
    from recognizer.am.training.criteria.criterion import Criterion
    from recognizer.am.training.criteria.targets import Target
    from recognizer.am.training.train import TrainingResult, TrainingUtterance

PRIOR_FRAMES = 1_000_000

FeaturesOf = Mapping[str, Mapping[Version, FeatureTable]]
"""Features by corpus name and version, among these the recording itself."""


def training_utterances(
    corpora: Sequence[TrainingCorpus],
    features: FeaturesOf,
    target: Callable[[str, str, Version, int], Target | None],
) -> Iterator[TrainingUtterance]:
    """Features and targets of every version of every utterance.

    Args:
        corpora: training sets.
        features: of them.
        target: of a version with so many frames of the utterance with this id, in the set with
            this name; None leaves the version out.

    Raises:
        SpeechError: an utterance has no features.
    """
    from recognizer.am.training.data.checked_data import TrainingUtterance

    shards = 0  # of the corpora before
    for corpus in corpora:
        tables = features[corpus.name]
        loaded = {version: table.load() for version, table in tables.items()}
        for utterance in corpus.utterances:
            versions = []
            for version, rows_of in loaded.items():
                if utterance.id not in rows_of:
                    raise SpeechError(
                        f"{tables[version]}: expected utterance {utterance.id}, found none"
                    )
                rows = rows_of[utterance.id]
                if (made := target(corpus.name, utterance.id, version, len(rows))) is not None:
                    versions.append((rows, made))
            if not versions:
                continue
            (rows, first), *others = versions
            # Ids need be unique only within a corpus; held-out membership goes by this name.
            yield TrainingUtterance(
                f"{corpus.name}/{utterance.id}", rows, first, tuple(others), shards + rows.shard
            )
        shards += 1 + max((rows.shard for rows in loaded[RECORDING].values()), default=0)


def labelled_utterances(
    corpora: Sequence[LabelledCorpus], features: FeaturesOf
) -> Iterator[TrainingUtterance]:
    """Features and labels of every version of every utterance.

    Speed perturbation scales time exactly, so frame t of a version at speed s has the label of
    frame t * s of the recording itself.

    Args:
        corpora: training sets.
        features: of them.

    Raises:
        SpeechError: an utterance has no features.
    """
    from recognizer.am.training.criteria.targets import FrameLabels

    labels_of = {corpus.name: corpus.labels for corpus in corpora}

    def target(corpus: str, utterance: str, version: Version, frames: int) -> FrameLabels:
        labels = labels_of[corpus][utterance]
        if version.speed != 1.0:
            sources = (np.arange(frames) * version.speed).astype(np.int64)
            labels = labels[np.minimum(sources, len(labels) - 1)]
        return FrameLabels(labels)

    return training_utterances(corpora, features, target)


def train_network(
    utterances: Iterable[TrainingUtterance],
    outputs: int,
    options: AcousticOptions,
    directory: Path,
    *,
    criterion: Criterion | None = None,
    silence: Collection[int] = (),
    initial: Path | None = None,
    metadata: Mapping[str, Any],
) -> TrainingResult:
    """Train the network; needs torch.

    Checkpoints and curves are kept in ``directory``, where an interrupted training goes on.

    Args:
        utterances: features and targets.
        outputs: of the network.
        options: shape and training.
        directory: of the results.
        criterion: what is minimised; by default the cross-entropy of frame labels.
        silence: the labels of silence and noise, for the priors.
        initial: file of the network that it starts from, outputs and all; then ``options`` may have
            another way of training, `realign_training`.
        metadata: facts for the network's file, beside those of its features.

    Raises:
        SpeechError: no torch, or unusable data.
        KeyboardInterrupt: the training was interrupted; called again, it goes on from there.
        DivergedError: its loss is not finite any more.
    """
    require_torch()
    from recognizer.am.training.train import train

    network = NetworkOptions.of(options.network, outputs, options.features.num_bins)
    training = options.training
    if initial is not None:
        training = options.realign_training or training
    elif options.initial is not None:
        initial = directory / "initial.safetensors"
        write_network(_initial_network(options, network), initial)
    augmentation = options.augmentation
    augmented = {} if augmentation is None else {"augmentation": to_table(augmentation)}
    result = train(
        list(utterances),
        network,
        training,
        directory,
        criterion=criterion,
        silence_pdfs=silence,
        silence_weight=options.silence_weight,
        initial=initial,
        metadata={
            "features": to_table(options.features),
            "speeds": list(options.speeds),
            **augmented,
            "priors": options.recorded_priors,
            **metadata,
        },
    )
    if result.signal is not None:
        # Held back until the checkpoint was written; now it ends the process as it always does.
        signal.raise_signal(result.signal)
    if not result.finished or result.best is None:
        raise SpeechError("training was interrupted; the same command goes on from here")
    return result


def check_network(options: AcousticOptions) -> None:
    """Refuse, before any work, a network that cannot be trained.

    Raises:
        SpeechError: no torch, or a start of another shape.
        UsageError: layers or chunks that do not fit each other.
    """
    check_mode(options.training)
    options.network.check_trainable()
    for training in (options.training, options.realign_training):
        if training is not None:
            training.check_chunks(options.network.subsampling)
    # Widths of layers that do not fit each other are found without knowing the outputs.
    NetworkOptions.of(options.network, 1, options.features.num_bins)
    if options.initial is not None:
        _initial_network(options, NetworkOptions.of(options.network, 1, options.features.num_bins))


def _initial_network(options: AcousticOptions, network: NetworkOptions) -> Network:
    """The hidden layers that training starts from, below new outputs."""
    assert options.initial is not None
    path = model_path(options.initial)
    if path.is_dir():
        path /= ACOUSTIC
    training = options.training
    return with_new_outputs(
        read_network(path),
        network,
        initial_range=training.initial_range,
        seed=training.seed,
        at=str(path),
    )


def with_posterior_priors(
    network: Network,
    utterances: Iterable[TrainingUtterance],
    silence: Collection[int],
    silence_weight: float,
) -> Network:
    """The network with priors that are its own posteriors' averages over training utterances.

    States without a label, or with next to no posterior, keep the priors that they have. About
    `PRIOR_FRAMES` frames, spread over the utterances, are enough.
    """
    from recognizer.am.training.criteria.targets import FrameLabels

    known = list(utterances)
    targets = [one.target for one in known if isinstance(one.target, FrameLabels)]
    labels = count_labels((target.labels for target in targets), network.options.outputs)
    step = max(1, int(labels.sum()) // PRIOR_FRAMES)
    sums = sum_posteriors(NativeNetwork(network), (u.load()[0] for u in known[::step]))
    log_priors = state_priors(
        np.where(labels > 0, sums, 0.0), silence, silence_weight, network.log_priors
    )
    record = {
        "source": "posteriors", "silence_weight": silence_weight, "frames": round(sums.sum())
    }  # fmt: skip
    return Network(
        network.options,
        {**network.tensors, "log_priors": log_priors},
        {**network.metadata, "priors": record},
    )
