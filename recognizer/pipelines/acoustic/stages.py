"""The stages from aligned corpora to an acoustic model: tree or states, features, network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol

from recognizer.alignment.alignment_file import read_paths
from recognizer.data.errors import UsageError
from recognizer.data.io.console import console
from recognizer.data.io.options import to_table
from recognizer.pipelines.acoustic.aligned_corpus import (
    AcousticInputs,
    AlignedCorpus,
    LabelledCorpus,
)
from recognizer.pipelines.acoustic.network_stages import (
    NETWORK_FILE,
    features_stage,
    network_stage,
    train_on_labels,
)
from recognizer.pipelines.acoustic.options import AcousticOptions
from recognizer.pipelines.acoustic.sequence_stages import sequence_stages
from recognizer.pipelines.acoustic.state_labels import StateInventory
from recognizer.pipelines.acoustic.tree_growing import grow_tree, read_tree, write_tree
from recognizer.stages import Stage

STATES_FILE = "states.json"


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
    root: Path = Path(),
) -> list[Stage]:
    """Stages ``tree``, ``features`` and ``network``.

    With realignment, stages ``network_1``, ``realign_1``, ``network_2`` and so on come before the
    last, ``network``, each network starting from the one before. With lattice-free MMI, a stage
    ``denominator`` comes behind ``tree``. The model's files are `TREE_FILES` of
    `recognizer.pipelines.acoustic.tree_growing` in the first's directory, and `NETWORK_FILE` in the
    last's.

    Args:
        options: what is made.
        load: reads the inputs; called once, by the first stage that has to run.
        work: parent of the stages' directories.
        inputs: plain values that stand for the inputs, so that others cause a new run.
        after: stages that the inputs come from.
        check: raises if the inputs cannot be there.
        realigner: aligns anew where the options ask for it.
        jobs: processes for features.
        root: directory that patterns of noise start from.

    Raises:
        UsageError: realignment without a realigner.
    """
    if options.lf_mmi is not None:
        return sequence_stages(
            options, load, work, inputs=inputs, after=after, check=check, jobs=jobs, root=root
        )
    if options.realign and realigner is None:
        raise UsageError("realign: expected a lexicon to align with, found none")
    load = cache(load)

    def tree(directory: Path) -> None:
        given = load()
        made, transitions = grow_tree(
            given.corpora, given.phones, given.topology, options.tree, jobs=jobs
        )
        write_tree(directory, made, transitions)

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
        features_stage(options, lambda: load().corpora, inputs, after, check, jobs, root),
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
    root: Path = Path(),
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
        root: directory that patterns of noise start from.

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
        features_stage(options, lambda: load().corpora, inputs, (), check, jobs, root),
        network_stage("network", options, ("states", "features"), network),
    ]
