"""From aligned corpora to a decision tree and transition probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recognizer.alignment.gmm_features import gmm_features, speaker_groups
from recognizer.am.features.fbank import MfccOptions
from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.contexts import FrameContexts, frame_pdfs
from recognizer.am.tree.decision_tree import Tree
from recognizer.am.tree.growing import TreeOptions, build_tree
from recognizer.am.tree.segment_contexts import transition_counts
from recognizer.am.tree.statistics import TreeStats
from recognizer.pipelines.acoustic.aligned_corpus import AlignedCorpus


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
    mfcc = MfccOptions()
    stats = TreeStats(len(phones), 3 * mfcc.num_ceps)
    for corpus in corpora:
        for utterances in speaker_groups(corpus.utterances):
            features = gmm_features(utterances, mfcc, jobs)
            for utterance in utterances:
                contexts = corpus.contexts[utterance.id]
                frames = min(len(contexts.phone), len(features[utterance.id]))
                stats.add(features[utterance.id][:frames], _cut(contexts, frames))
    tree = build_tree(stats, phones, topology, options)
    transitions = TransitionModel(topology, phones, tree.tuples())
    counts = np.zeros(transitions.num_transition_ids + 1)
    for corpus in corpora:
        for contexts in corpus.contexts.values():
            counts += transition_counts(contexts, frame_pdfs(contexts, tree), transitions)
    return tree, transitions.update(counts)


def _cut(contexts: FrameContexts, frames: int) -> FrameContexts:
    return FrameContexts(
        contexts.left[:frames],
        contexts.phone[:frames],
        contexts.right[:frames],
        contexts.hmm_state[:frames],
    )
