"""Training sets aligned anew with a network that was trained on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recognizer.alignment.align_sets import align_set
from recognizer.alignment.aligned_set import AlignedSet
from recognizer.alignment.network_aligner import AlignerParts, PartsAligner
from recognizer.am.features.fbank import FbankOptions
from recognizer.am.nnet.acoustic_model import HybridModel
from recognizer.am.nnet.native import NativeNetwork
from recognizer.am.nnet.network_file import read_network
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.decoding.alignment.align import AlignOptions
from recognizer.pipelines.acoustic.aligned_corpus import AlignedCorpus
from recognizer.pipelines.acoustic.tree_growing import read_tree


@dataclass(frozen=True)
class NetworkRealigner:
    """Aligns training sets with their transcripts, whatever their first alignments were.

    Attributes:
        lexicon: gives the pronunciations; called when the first alignment begins.
        features: the network's input.
        options: scales and beams.
        jobs: threads.
    """

    lexicon: Callable[[], Lexicon]
    features: FbankOptions
    options: AlignOptions
    jobs: int | None = None

    def __call__(
        self, network: Path, tree: Path, corpora: Sequence[AlignedCorpus], directory: Path
    ) -> None:
        """Write the transition-ids of each set to a file; see `Realigner`.

        Utterances that cannot be aligned are told of and left out of the next training.

        Raises:
            SpeechError: a set of which nothing can be aligned, or a damaged file.
        """
        made, transitions = read_tree(tree)
        aligner = PartsAligner(
            AlignerParts(
                HybridModel(NativeNetwork(read_network(network)), self.features),
                transitions.phones,
                made,
                transitions,
                self.lexicon(),
                self.options,
            )
        )
        for corpus in corpora:

            def moved(aligned: AlignedSet, before: AlignedCorpus = corpus) -> str:
                after = AlignedCorpus.from_paths(
                    before.name, before.utterances, aligned.paths, transitions
                )
                return f"; {_moved(before, after):.2%} of the frames in another state than before"

            target = directory / f"{corpus.name}.safetensors"
            align_set(
                aligner, corpus.name, corpus.utterances, target, jobs=self.jobs, further=moved
            )


def _moved(before: AlignedCorpus, after: AlignedCorpus) -> float:
    """Share of the frames of both alignments whose phone or HMM state differs."""
    moved = frames = 0
    for utterance in after.utterances:
        old, new = before.contexts[utterance.id], after.contexts[utterance.id]
        length = min(len(old.phone), len(new.phone))
        same = old.phone[:length] == new.phone[:length]
        same &= old.hmm_state[:length] == new.hmm_state[:length]
        moved += int((~same).sum())
        frames += length
    return moved / max(frames, 1)
