"""The stages that compute features and train a network on frame labels."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recognizer.am.nnet.network_file import read_network, write_network
from recognizer.data.augmentation.sounds import check_sounds, read_sounds, write_sounds
from recognizer.data.io.console import console
from recognizer.data.io.options import to_table
from recognizer.pipelines.acoustic.aligned_corpus import LabelledCorpus, TrainingCorpus
from recognizer.pipelines.acoustic.feature_cache import (
    ComputedFeatures,
    FeatureComputer,
    FeatureFile,
    cache_features,
)
from recognizer.pipelines.acoustic.network_training import (
    FeaturesOf,
    check_network,
    labelled_utterances,
    train_network,
    with_posterior_priors,
)
from recognizer.pipelines.acoustic.options import AcousticOptions
from recognizer.stages import Stage

if TYPE_CHECKING:
    from recognizer.am.training.train import TrainingResult

NETWORK_FILE = "acoustic.safetensors"

# Those of `AcousticOptions` that determine the features.
_FEATURE_OPTIONS = "features", "speeds", "augmentation", "cache_features"


def features_stage(
    options: AcousticOptions,
    corpora: Callable[[], Sequence[TrainingCorpus]],
    inputs: Any,
    after: tuple[str, ...],
    check: Callable[[], None],
    jobs: int,
    root: Path,
) -> Stage:
    """Stage ``features``: those of all sets in files, if they are to be kept.

    With augmentation also what it needs, see `write_sounds`.

    Args:
        options: which features.
        corpora: gives the sets.
        inputs: plain values that stand for the sets.
        after: stages that the sets come from.
        check: raises if they cannot be there.
        jobs: processes.
        root: directory that patterns of noise start from.
    """
    augmentation = options.augmentation

    def features(directory: Path) -> None:
        augmenter = None
        if augmentation is not None:
            write_sounds(augmentation, directory, root, jobs=jobs)
            augmenter = read_sounds(augmentation, directory)
        for corpus in corpora() if options.cache_features else ():
            for version in options.versions:
                computer = FeatureComputer(corpus.name, options.features, version, augmenter)
                cache_features(computer, corpus.utterances, directory, jobs=jobs)

    def check_all() -> None:
        check()
        if augmentation is not None:
            check_sounds(augmentation, root)

    table = to_table(options)
    wanted = [name for name in _FEATURE_OPTIONS if name in table]
    return Stage(
        "features",
        {**{name: table[name] for name in wanted}, "inputs": inputs},
        after,
        features,
        "computing log mel energies" if options.cache_features else "none are kept",
        check_all,
    )


def network_stage(
    name: str,
    options: AcousticOptions,
    after: tuple[str, ...],
    run: Callable[[Path], None],
    *,
    first: bool = True,
) -> Stage:
    """A stage that trains a network.

    Args:
        name: of the stage.
        options: which network.
        after: stages that it reads.
        run: trains it, given the stage's directory (`train_on_labels`).
        first: false for the trainings after a realignment.
    """
    table = to_table(options)
    training = table["training"] if first else table.get("realign_training", table["training"])
    # Where it is trained does not say what is made: nothing need run anew on another device.
    where = "device", "feature_processes"
    training = {name: value for name, value in training.items() if name not in where}
    return Stage(
        name,
        {
            "network": table["network"],
            "training": training,
            **({"initial": options.initial} if first and options.initial is not None else {}),
            "priors": table["priors"],
            "silence_weight": table["silence_weight"],
            **({"lf_mmi": table["lf_mmi"]} if options.lf_mmi is not None else {}),
        },
        after,
        run,
        "training the network" if first else "training the network on new labels",
        partial(check_network, options),
    )


def feature_tables(
    corpora: Sequence[TrainingCorpus],
    options: AcousticOptions,
    work: Path,
) -> FeaturesOf:
    """The features of each version of each set: those of stage ``features``, or computed anew.

    Raises:
        SpeechError: what the augmentation needs is missing, or damaged.
    """
    directory = work / "features"
    if options.cache_features:
        return {
            corpus.name: {
                version: FeatureFile.of(corpus.name, version, directory)
                for version in options.versions
            }
            for corpus in corpora
        }
    augmentation = options.augmentation
    augmenter = None if augmentation is None else read_sounds(augmentation, directory)
    return {
        corpus.name: {
            version: ComputedFeatures(
                corpus.utterances,
                FeatureComputer(corpus.name, options.features, version, augmenter),
            )
            for version in options.versions
        }
        for corpus in corpora
    }


def train_on_labels(
    corpora: Sequence[LabelledCorpus],
    outputs: int,
    silence: Collection[int],
    options: AcousticOptions,
    work: Path,
    directory: Path,
    initial: Path | None = None,
) -> None:
    """Train a network and write it with its priors to `NETWORK_FILE`.

    Args:
        corpora: training sets, whose features lie in ``work`` / "features" if they are kept.
        outputs: number of labels.
        silence: the labels of silence and noise.
        options: shape and training.
        work: parent of the stages' directories.
        directory: of this training.
        initial: file of the network that it starts from, outputs and all.

    Raises:
        SpeechError: the training was interrupted, or its data cannot be used.
        DivergedError: its loss is not finite any more.
    """
    tables = feature_tables(corpora, options, work)
    result = train_network(
        labelled_utterances(corpora, tables),
        outputs,
        options,
        directory,
        silence=silence,
        initial=initial,
        metadata={"corpora": [corpus.name for corpus in corpora]},
    )
    assert result.best is not None  # as it is finished
    tell_result(result, f"held-out frame accuracy {result.best['accuracy']:.2%}")
    if options.priors == "labels":
        shutil.copyfile(result.best_path, directory / NETWORK_FILE)
        return
    network = with_posterior_priors(
        read_network(result.best_path),
        labelled_utterances(corpora, tables),
        silence,
        options.silence_weight,
    )
    write_network(network, directory / NETWORK_FILE)


def tell_result(result: TrainingResult, measured: str) -> None:
    """Say what could not be trained on, and what was measured."""
    for line in result.dropped:
        console.print(f"dropped {line}", markup=False)
    console.print(
        f"{result.trimmed} versions trimmed by a few frames, {len(result.dropped)} dropped; "
        f"{measured}"
    )


def store_network(source: Path, options: AcousticOptions, target: Path) -> None:
    """Put a trained network into a model, as the options say.

    Raises:
        SpeechError: a damaged file, or weights beyond the range of the storage.
    """
    write_network(read_network(source), target, storage=options.storage)
