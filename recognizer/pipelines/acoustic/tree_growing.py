"""From aligned corpora to a decision tree and transition probabilities, and their files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from recognizer.alignment.gmm_features import gmm_features, speaker_groups
from recognizer.am.features.fbank import MfccOptions
from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.contexts import FrameContexts, chain_contexts, frame_pdfs
from recognizer.am.tree.decision_tree import Tree
from recognizer.am.tree.growing import TreeOptions, build_tree
from recognizer.am.tree.segment_contexts import transition_counts
from recognizer.am.tree.statistics import TreeStats
from recognizer.data.errors import SpeechError
from recognizer.data.io.console import console
from recognizer.pipelines.acoustic.aligned_corpus import AlignedCorpus

TREE_FILES = ("phones.txt", "tree.json", "transitions.json")

Shifts = list[tuple[slice, FrameContexts]]
"""Choices of frames, and the states of the frames that are chosen."""


def grow_tree(
    corpora: Sequence[AlignedCorpus],
    phones: PhoneTable,
    topology: Topology,
    options: TreeOptions,
    *,
    jobs: int | None = None,
) -> tuple[Tree, TransitionModel]:
    """Grow the decision tree on MFCCs with differences, and estimate transition probabilities.

    Features are computed for some speakers at a time and forgotten.

    Raises:
        SpeechError: no aligned utterance.
    """
    stats = _statistics(corpora, phones, lambda contexts: [(slice(None), contexts)], jobs)
    tree = build_tree(stats, phones, topology, options)
    transitions = TransitionModel(topology, phones, tree.tuples())
    counts = np.zeros(transitions.num_transition_ids + 1)
    for corpus in corpora:
        for contexts in corpus.contexts.values():
            counts += transition_counts(contexts, frame_pdfs(contexts, tree), transitions)
    return tree, transitions.update(counts)


def grow_chain_tree(
    corpora: Sequence[AlignedCorpus],
    phones: PhoneTable,
    options: TreeOptions,
    subsampling: int,
    *,
    jobs: int | None = None,
) -> tuple[Tree, TransitionModel]:
    """Grow the tree of a network with fewer output frames, for the chain topology.

    Every n-th frame of the alignments counts, for each of the n frames that this can begin with.
    Transition probabilities stay those of the topology, as in Kaldi's chain recipes.

    Args:
        corpora: aligned at the rate of the features, with any topology.
        phones: the phone table.
        options: of the tree, without right context for a denominator graph.
        subsampling: features of an output frame, n.
        jobs: processes.

    Raises:
        SpeechError: no aligned utterance.
    """

    def shifted(contexts: FrameContexts) -> Shifts:
        return [
            (slice(first, None, subsampling), chain_contexts(contexts, subsampling, first))
            for first in range(min(subsampling, len(contexts.phone)))
        ]

    topology = Topology.chain(phones)
    tree = build_tree(_statistics(corpora, phones, shifted, jobs), phones, topology, options)
    return tree, TransitionModel(topology, phones, tree.tuples())


def _statistics(
    corpora: Sequence[AlignedCorpus],
    phones: PhoneTable,
    choose: Callable[[FrameContexts], Shifts],
    jobs: int | None,
) -> TreeStats:
    mfcc = MfccOptions()
    stats = TreeStats(len(phones), 3 * mfcc.num_ceps)
    for corpus in corpora:
        for utterances in speaker_groups(corpus.utterances):
            features = gmm_features(utterances, mfcc, jobs)
            for utterance in utterances:
                contexts = corpus.contexts[utterance.id]
                frames = min(len(contexts.phone), len(features[utterance.id]))
                for rows, chosen in choose(_cut(contexts, frames)):
                    stats.add(features[utterance.id][:frames][rows], chosen)
    return stats


def _cut(contexts: FrameContexts, frames: int) -> FrameContexts:
    return FrameContexts(
        contexts.left[:frames],
        contexts.phone[:frames],
        contexts.right[:frames],
        contexts.hmm_state[:frames],
    )


def write_tree(directory: Path, tree: Tree, transitions: TransitionModel) -> None:
    """Write a tree, its transition model and their phones to a directory, and say their size."""
    transitions.phones.write(directory / "phones.txt")
    tree.write(directory / "tree.json")
    transitions.write(directory / "transitions.json")
    console.print(f"tree: {tree.num_pdfs} leaves, {transitions.num_transition_ids} transition-ids")


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
