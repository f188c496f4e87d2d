"""The stages from aligned corpora to an acoustic model directory: tree, features, network."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from am.network_file import read_network, write_network
from am.phones import PhoneTable
from am.topology import Topology
from am.transitions import TransitionModel
from am.tree import Tree
from data.errors import SpeechError
from recognizer.acoustic_training import (
    AcousticOptions,
    AlignedCorpus,
    grow_tree,
    require_torch,
    silence_pdfs,
    train_network,
    training_utterances,
    with_posterior_priors,
)
from recognizer.console import console
from recognizer.feature_cache import FeatureFile, cache_features
from recognizer.options import to_table
from recognizer.stages import Stage

TREE_FILES = ("phones.txt", "tree.json", "transitions.json")
NETWORK_FILE = "acoustic.safetensors"


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


def acoustic_stages(
    options: AcousticOptions,
    load: Callable[[], AcousticInputs],
    work: Path,
    *,
    inputs: Any,
    after: tuple[str, ...] = (),
    check: Callable[[], None] = lambda: None,
    jobs: int = 1,
) -> list[Stage]:
    """Stages ``tree``, ``features`` and ``network``.

    The model's files are `TREE_FILES` in the first's directory and `NETWORK_FILE` in the last's.

    Args:
        options: what is made.
        load: reads the inputs; called once, by the first stage that has to run.
        work: parent of the stages' directories.
        inputs: plain values that stand for the inputs, so that others cause a new run.
        after: stages that the inputs come from.
        check: raises if the inputs cannot be there.
        jobs: processes for features.
    """
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

    def features(directory: Path) -> None:
        for corpus in load().corpora:
            cache_features(
                corpus.name,
                corpus.utterances,
                options.features,
                options.speeds,
                directory,
                jobs=jobs,
            )

    def network(directory: Path) -> None:
        given = load()
        files = {
            corpus.name: {
                speed: FeatureFile.of(corpus.name, speed, work / "features")
                for speed in options.speeds
            }
            for corpus in given.corpora
        }
        made, transitions = read_tree(work / "tree")
        result = train_network(
            given.corpora, given.phones, made, transitions, files, options, directory
        )
        for line in result.dropped:
            console.print(f"dropped {line}")
        if not result.finished or result.best is None:
            raise SpeechError("training was interrupted; the same command goes on from here")
        console.print(
            f"{result.trimmed} versions trimmed by a few frames, {len(result.dropped)} dropped; "
            f"held-out frame accuracy {result.best.accuracy:.2%}"
        )
        if options.priors == "labels":
            shutil.copyfile(result.best_path, directory / NETWORK_FILE)
            return
        network = with_posterior_priors(
            read_network(result.best_path),
            training_utterances(given.corpora, made, files),
            silence_pdfs(given.phones, transitions),
            options.silence_weight,
        )
        write_network(network, directory / NETWORK_FILE)

    table = to_table(options)
    return [
        Stage(
            "tree",
            {"tree": table["tree"], "inputs": inputs},
            after,
            tree,
            "growing the phonetic decision tree",
            check,
        ),
        Stage(
            "features",
            {"features": table["features"], "speeds": table["speeds"], "inputs": inputs},
            after,
            features,
            "computing log mel energies",
            check,
        ),
        Stage(
            "network",
            {
                "network": table["network"],
                "training": table["training"],
                "priors": table["priors"],
                "silence_weight": table["silence_weight"],
            },
            ("tree", "features"),
            network,
            "training the network",
            require_torch,
        ),
    ]


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
