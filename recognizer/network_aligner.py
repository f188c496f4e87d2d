"""Forced alignment with the network of a model directory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from am.features import fbank
from am.inference import scaled_log_likelihoods
from data.alignment import Alignment
from data.corpus import Utterance
from decoding.align import Aligner, AlignOptions, ForcedPath
from recognizer.aligned_set import AlignedSet, collect
from recognizer.bundle import ModelBundle

IntArray = npt.NDArray[np.int32]


class NetworkAligner:
    """Aligns with a recogniser's own acoustic model, tree and lexicon.

    Args:
        bundle: the model; its graph and language models are not read.
    """

    def __init__(self, bundle: ModelBundle) -> None:
        config = bundle.config
        self._features = config.features
        self._network = bundle.acoustic_model
        self._aligner = Aligner(
            bundle.lexicon,
            bundle.phones,
            bundle.tree,
            bundle.transitions,
            AlignOptions(
                acoustic_scale=config.search.acoustic_scale,
                self_loop_scale=config.graph.self_loop_scale,
                transition_scale=config.graph.transition_scale,
                silence_probability=config.graph.silence_probability,
            ),
        )

    def align(self, utterances: Sequence[Utterance], jobs: int | None = None) -> AlignedSet:
        """Align utterances with their transcripts; those that fail are listed, not dropped."""

        def find(index: int) -> ForcedPath:
            features = fbank(utterances[index].samples(), self._features)
            scores = scaled_log_likelihoods(self._network, features)
            return self._aligner.path(utterances[index].words, scores)

        ids = [utterance.id for utterance in utterances]
        words = [utterance.words for utterance in utterances]
        return collect(ids, words, find, self._aligner, jobs)

    def segments(self, utterance: Utterance, tids: IntArray) -> Alignment:
        """Words and phones of an utterance's path, in seconds."""
        shift = self._features.frame_shift
        return self._aligner.segments(utterance.id, utterance.words, tids, shift)
