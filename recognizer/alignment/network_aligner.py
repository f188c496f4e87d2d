"""Forced alignment with the network of a model directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recognizer.alignment.aligned_set import AlignedSet, collect, collect_heard
from recognizer.am.features.fbank import fbank
from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.nnet.acoustic_model import AcousticModel
from recognizer.am.tree.decision_tree import Tree
from recognizer.data.alignments.alignment import Alignment
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.decoding.alignment.align import Aligner, AlignOptions, ForcedPath, path_alignment
from recognizer.decoding.alignment.tolerance import Tolerance
from recognizer.model.bundle import ModelBundle
from recognizer.model.config import ModelConfig


def align_options(config: ModelConfig) -> AlignOptions:
    """The scales of a model for alignment."""
    settings = config.alignment
    return AlignOptions(acoustic_scale=settings.acoustic_scale, graph=settings.graph)


@dataclass(frozen=True)
class AlignerParts:
    """What alignment with a network needs of a model.

    Attributes:
        acoustic_model: gives the scores, and the shift of their frames.
        phones: the phone table.
        tree: gives the pdfs of phones in context.
        transitions: over the same tree.
        lexicon: pronunciations.
        options: scales and beams.
    """

    acoustic_model: AcousticModel
    phones: PhoneTable
    tree: Tree
    transitions: TransitionModel
    lexicon: Lexicon
    options: AlignOptions


class PartsAligner:
    """Aligns with a network, a tree and a lexicon, wherever they come from."""

    def __init__(self, parts: AlignerParts) -> None:
        self._parts = parts

    @property
    def lexicon(self) -> Lexicon:
        """Pronunciations; words outside it are aligned with spoken noise."""
        return self._parts.lexicon

    @property
    def frame_shift(self) -> float:
        """Seconds from one frame of a path to the next."""
        return self._parts.acoustic_model.output_frame_shift

    def aligner(self, tolerance: Tolerance | None = None) -> Aligner:
        """An aligner with this model's states; see `Aligner`."""
        parts = self._parts
        model = parts.lexicon, parts.phones, parts.tree, parts.transitions
        return Aligner(*model, parts.options, tolerance)

    def align(
        self,
        utterances: Sequence[Utterance],
        jobs: int | None = None,
        tolerance: Tolerance | None = None,
        *,
        scored: bool = False,
    ) -> AlignedSet:
        """Align utterances with their transcripts; those that fail are listed, not dropped."""
        aligner = self.aligner(tolerance)
        model = self._parts.acoustic_model

        def find(index: int) -> ForcedPath:
            features = fbank(utterances[index].samples(), model.features)
            return aligner.path(utterances[index].tokens, model.scores(features), scored=scored)

        ids = [utterance.id for utterance in utterances]
        words = [utterance.tokens for utterance in utterances]
        return collect(ids, words, find, aligner, jobs)

    def hear(
        self, utterances: Sequence[Utterance], others: Sequence[str], jobs: int | None = None
    ) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
        """What is said in utterances by language models of their own transcripts."""
        aligner = self.aligner()
        model = self._parts.acoustic_model

        def hear(index: int) -> tuple[str, ...]:
            features = fbank(utterances[index].samples(), model.features)
            return aligner.hear(utterances[index].tokens, others, model.scores(features))

        return collect_heard([utterance.id for utterance in utterances], hear, jobs)

    def segments(self, utterance: Utterance, path: ForcedPath) -> Alignment:
        """Words and phones of an utterance's path, in seconds."""
        return path_alignment(
            utterance.id,
            path.labels(utterance.tokens),
            path.tids,
            self._parts.transitions,
            self._parts.phones,
            self.frame_shift,
        )


class NetworkAligner(PartsAligner):
    """Aligns with a recogniser's acoustic model for alignment, and its lexicon.

    Args:
        bundle: the model; its graph and language models are not read.
        lexicon: pronunciations in place of the model's.
        options: scales and beams in place of the model's.
    """

    def __init__(
        self,
        bundle: ModelBundle,
        lexicon: Lexicon | None = None,
        options: AlignOptions | None = None,
    ) -> None:
        super().__init__(
            AlignerParts(
                bundle.alignment.acoustic_model,
                bundle.phones,
                bundle.alignment.tree,
                bundle.alignment.transitions,
                bundle.lexicon if lexicon is None else lexicon,
                options or align_options(bundle.config),
            )
        )
