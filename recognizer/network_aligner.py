"""Forced alignment with the network of a model directory."""

from __future__ import annotations

from collections.abc import Sequence

from am.features import fbank
from am.inference import scaled_log_likelihoods
from data.alignment import Alignment
from data.corpus import Utterance
from data.lexicon import Lexicon
from decoding.align import Aligner, AlignOptions, ForcedPath, path_alignment
from decoding.tolerance import Tolerance
from recognizer.aligned_set import AlignedSet, collect
from recognizer.bundle import ModelBundle
from recognizer.model_config import ModelConfig


def align_options(config: ModelConfig) -> AlignOptions:
    """The scales of a model's search, for alignment with it."""
    return AlignOptions(
        acoustic_scale=config.search.acoustic_scale,
        self_loop_scale=config.graph.self_loop_scale,
        transition_scale=config.graph.transition_scale,
        silence_probability=config.graph.silence_probability,
    )


class NetworkAligner:
    """Aligns with a recogniser's own acoustic model, tree and lexicon.

    Args:
        bundle: the model; its graph and language models are not read.
        lexicon: pronunciations in place of the model's.
    """

    def __init__(self, bundle: ModelBundle, lexicon: Lexicon | None = None) -> None:
        self._bundle = bundle
        self._lexicon = lexicon or bundle.lexicon
        self._shift = bundle.config.features.frame_shift

    def aligner(self, tolerance: Tolerance | None = None) -> Aligner:
        """An aligner with this model's states; see `Aligner`."""
        bundle = self._bundle
        parts = self._lexicon, bundle.phones, bundle.tree, bundle.transitions
        return Aligner(*parts, align_options(bundle.config), tolerance)

    def align(
        self,
        utterances: Sequence[Utterance],
        jobs: int | None = None,
        tolerance: Tolerance | None = None,
    ) -> AlignedSet:
        """Align utterances with their transcripts; those that fail are listed, not dropped."""
        aligner = self.aligner(tolerance)
        network, options = self._bundle.acoustic_model, self._bundle.config.features

        def find(index: int) -> ForcedPath:
            features = fbank(utterances[index].samples(), options)
            return aligner.path(utterances[index].words, scaled_log_likelihoods(network, features))

        ids = [utterance.id for utterance in utterances]
        words = [utterance.words for utterance in utterances]
        return collect(ids, words, find, aligner, jobs)

    def segments(self, utterance: Utterance, path: ForcedPath) -> Alignment:
        """Words and phones of an utterance's path, in seconds."""
        bundle = self._bundle
        return path_alignment(
            utterance.id,
            path.labels(utterance.words),
            path.tids,
            bundle.transitions,
            bundle.phones,
            self._shift,
        )
