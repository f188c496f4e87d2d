"""The stages from aligned corpora to an acoustic model directory: tree, features, network."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol

from recognizer.alignment.alignment_file import read_paths
from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.nnet.network_file import read_network, write_network
from recognizer.am.tree.decision_tree import Tree
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.console import console
from recognizer.data.io.options import to_table
from recognizer.pipelines.acoustic_training import (
    AcousticOptions,
    AlignedCorpus,
    LabelledCorpus,
    check_network,
    grow_tree,
    train_network,
    training_utterances,
    with_posterior_priors,
)
from recognizer.pipelines.feature_cache import (
    ComputedFeatures,
    FeatureFile,
    FeatureTable,
    cache_features,
)
from recognizer.pipelines.stages import Stage
from recognizer.pipelines.state_labels import StateInventory

TREE_FILES = ("phones.txt", "tree.json", "transitions.json")
NETWORK_FILE = "acoustic.safetensors"
STATES_FILE = "states.json"


@dataclass(frozen=True)
class AcousticInputs:
    """What the stages start from.

    Attributes:
        phones: the phone table of the alignments.
        topology: HMM topology of the model to make.
        corpora: training sets with the state of every frame.
    """

    phones: PhoneTable
    topology: Topology
    corpora: tuple[AlignedCorpus, ...]


@dataclass(frozen=True)
class StateInputs:
    """What the stages start from where alignments name the network's classes themselves.

    Attributes:
        states: the classes.
        corpora: training sets with the class of every frame.
    """

    states: StateInventory
    corpora: tuple[LabelledCorpus, ...]


class Realigner(Protocol):
    """Aligns training sets anew."""

    def __call__(
        self, network: Path, tree: Path, corpora: Sequence[AlignedCorpus], directory: Path
    ) -> None:
        """Write the transition-ids of each set to a file NAME.safetensors.

        Args:
            network: the network's file.
            tree: directory of tree, transitions and phones.
            corpora: the sets.
            directory: where the files go; those that are there already are kept.
        """
        ...


def acoustic_stages(
    options: AcousticOptions,
    load: Callable[[], AcousticInputs],
    work: Path,
    *,
    inputs: Any,
    after: tuple[str, ...] = (),
    check: Callable[[], None] = lambda: None,
    realigner: Realigner | None = None,
    jobs: int = 1,
) -> list[Stage]:
    """Stages ``tree``, ``features`` and ``network``.

    With realignment, stages ``network_1``, ``realign_1``, ``network_2`` and so on come before the
    last, ``network``, each network starting from the one before. The model's files are
    `TREE_FILES` in the first's directory and `NETWORK_FILE` in the last's.

    Args:
        options: what is made.
        load: reads the inputs; called once, by the first stage that has to run.
        work: parent of the stages' directories.
        inputs: plain values that stand for the inputs, so that others cause a new run.
        after: stages that the inputs come from.
        check: raises if the inputs cannot be there.
        realigner: aligns anew where the options ask for it.
        jobs: processes for features.

    Raises:
        UsageError: realignment without a realigner.
    """
    if options.realign and realigner is None:
        raise UsageError("realign: expected a lexicon to align with, found none")
    load = cache(load)

    def tree(directory: Path) -> None:
        given = load()
        made, transitions = grow_tree(
            given.corpora, given.phones, given.topology, options.tree, jobs=jobs
        )
        given.phones.write(directory / "phones.txt")
        made.write(directory / "tree.json")
        transitions.write(directory / "transitions.json")
        console.print(
            f"tree: {made.num_pdfs} leaves, {transitions.num_transition_ids} transition-ids"
        )

    def corpora(number: int) -> Sequence[AlignedCorpus]:
        """The sets with the states of a pass, which from the second on are a network's."""
        if number == 1:
            return load().corpora
        aligned = work / f"realign_{number - 1}"
        _, transitions = read_tree(work / "tree")
        return [
            AlignedCorpus.from_paths(
                one.name,
                one.utterances,
                read_paths(aligned / f"{one.name}.safetensors"),
                transitions,
            )
            for one in load().corpora
        ]

    def realign(directory: Path, number: int) -> None:
        assert realigner is not None
        realigner(
            work / f"network_{number}" / NETWORK_FILE, work / "tree", load().corpora, directory
        )

    def network(directory: Path, number: int) -> None:
        made, transitions = read_tree(work / "tree")
        labelled = [corpus.labelled(made) for corpus in corpora(number)]
        silence = transitions.silence_pdfs
        initial = None if number == 1 else work / f"network_{number - 1}" / NETWORK_FILE
        train_on_labels(labelled, made.num_pdfs, silence, options, work, directory, initial)

    table = to_table(options)
    stages = [
        Stage(
            "tree",
            {"tree": table["tree"], "inputs": inputs},
            after,
            tree,
            "growing the phonetic decision tree",
            check,
        ),
        features_stage(options, lambda: load().corpora, inputs, after, check, jobs),
    ]
    passes = options.realign + 1
    before: tuple[str, ...] = ()
    for number in range(1, passes + 1):
        name = "network" if number == passes else f"network_{number}"
        stages.append(
            network_stage(
                name,
                options,
                ("tree", "features", *before),
                partial(network, number=number),
                first=number == 1,
            )
        )
        if number < passes:
            before = name, f"realign_{number}"
            stages.append(
                Stage(
                    f"realign_{number}",
                    {},
                    ("tree", name),
                    partial(realign, number=number),
                    "aligning with the network",
                )
            )
    return stages


def state_stages(
    options: AcousticOptions,
    load: Callable[[], StateInputs],
    work: Path,
    *,
    inputs: Any,
    check: Callable[[], None] = lambda: None,
    jobs: int = 1,
) -> list[Stage]:
    """Stages ``states``, ``features`` and ``network``: no tree, the alignments have the classes.

    The model's files are `STATES_FILE` in the first's directory and `NETWORK_FILE` in the last's.

    Args:
        options: what is made; those of the tree do not matter.
        load: reads the inputs; called once, by the first stage that has to run.
        work: parent of the stages' directories.
        inputs: plain values that stand for the inputs, so that others cause a new run.
        check: raises if the inputs cannot be there.
        jobs: processes for features.

    Raises:
        UsageError: realignment, for which there is no tree.
    """
    if options.realign:
        raise UsageError('realign: expected labels = "phones", found "states"')
    load = cache(load)

    def states(directory: Path) -> None:
        given = load()
        given.states.write(directory / STATES_FILE)
        console.print(f"states: {len(given.states.names)}, {len(given.states.silence)} of silence")

    def network(directory: Path) -> None:
        given = load()
        outputs, silence = len(given.states.names), given.states.silence
        train_on_labels(given.corpora, outputs, silence, options, work, directory)

    return [
        Stage("states", {"inputs": inputs}, (), states, "collecting the states", check),
        features_stage(options, lambda: load().corpora, inputs, (), check, jobs),
        network_stage("network", options, ("states", "features"), network),
    ]


def features_stage(
    options: AcousticOptions,
    corpora: Callable[[], Sequence[AlignedCorpus] | Sequence[LabelledCorpus]],
    inputs: Any,
    after: tuple[str, ...],
    check: Callable[[], None],
    jobs: int,
) -> Stage:
    """Stage ``features``: those of all sets in files, if they are to be kept.

    Args:
        options: which features.
        corpora: gives the sets.
        inputs: plain values that stand for the sets.
        after: stages that the sets come from.
        check: raises if they cannot be there.
        jobs: processes.
    """

    def features(directory: Path) -> None:
        for corpus in corpora() if options.cache_features else ():
            cache_features(
                corpus.name,
                corpus.utterances,
                options.features,
                options.speeds,
                directory,
                jobs=jobs,
            )

    table = to_table(options)
    return Stage(
        "features",
        {
            **{name: table[name] for name in ("features", "speeds", "cache_features")},
            "inputs": inputs,
        },
        after,
        features,
        "computing log mel energies" if options.cache_features else "none are kept",
        check,
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
    training = {name: value for name, value in training.items() if name != "device"}
    return Stage(
        name,
        {
            "network": table["network"],
            "training": training,
            **({"initial": options.initial} if first and options.initial is not None else {}),
            "priors": table["priors"],
            "silence_weight": table["silence_weight"],
        },
        after,
        run,
        "training the network" if first else "training the network on new labels",
        partial(check_network, options),
    )


def feature_tables(
    corpora: Sequence[LabelledCorpus], options: AcousticOptions, work: Path
) -> dict[str, dict[float, FeatureTable]]:
    """The features of each set at each speed: those of stage ``features``, or computed anew."""
    return {
        corpus.name: {
            speed: FeatureFile.of(corpus.name, speed, work / "features")
            if options.cache_features
            else ComputedFeatures(corpus.utterances, options.features, speed)
            for speed in options.speeds
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
    result = train_network(corpora, outputs, silence, tables, options, directory, initial=initial)
    for line in result.dropped:
        console.print(f"dropped {line}")
    assert result.best is not None  # as it is finished
    console.print(
        f"{result.trimmed} versions trimmed by a few frames, {len(result.dropped)} dropped; "
        f"held-out frame accuracy {result.best['accuracy']:.2%}"
    )
    if options.priors == "labels":
        shutil.copyfile(result.best_path, directory / NETWORK_FILE)
        return
    network = with_posterior_priors(
        read_network(result.best_path),
        training_utterances(corpora, tables),
        silence,
        options.silence_weight,
    )
    write_network(network, directory / NETWORK_FILE)


def store_network(source: Path, options: AcousticOptions, target: Path) -> None:
    """Put a trained network into a model, as the options say.

    Raises:
        SpeechError: a damaged file, or weights beyond the range of the storage.
    """
    write_network(read_network(source), target, storage=options.storage)


def read_tree(directory: Path) -> tuple[Tree, TransitionModel]:
    """The tree and transition model of a directory.

    Raises:
        SpeechError: a missing or damaged file, or two that do not belong together.
    """
    phones = PhoneTable.read(directory / "phones.txt")
    tree = Tree.read(directory / "tree.json")
    transitions = TransitionModel.read(directory / "transitions.json", phones)
    if transitions.num_pdfs != tree.num_pdfs:
        raise SpeechError(
            f"{directory / 'transitions.json'}: expected {tree.num_pdfs} pdfs as in tree.json, "
            f"found {transitions.num_pdfs}"
        )
    return tree, transitions
