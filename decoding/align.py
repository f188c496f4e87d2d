"""Forced alignment: when was each word and phone of a known transcript spoken?

Viterbi over the transcript's graph, as Kaldi's ``gmm-align`` and ``nnet-align``. The acoustic model
may be anything that gives log-likelihoods of pdfs: Gaussian mixtures or a network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from am.phones import PhoneTable
from am.transitions import TransitionModel
from am.tree import Tree
from data.alignment import Alignment, Segment
from data.errors import SpeechError, UsageError
from data.lexicon import Lexicon
from decoding._align import viterbi
from decoding.utterance_graph import GraphCompiler, UtteranceGraph

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]

LogLikelihoods = FloatArray | Callable[[IntArray], FloatArray]
"""Natural-log likelihoods: ``[T, num_pdfs]``, or a function from pdf-ids ``[K]`` to ``[T, K]``."""


class AlignmentError(SpeechError):
    """No path through the transcript survives: too little audio, or audio of something else."""


@dataclass(frozen=True)
class AlignOptions:
    """Options of alignment; the defaults are those of Kaldi's training scripts.

    Attributes:
        acoustic_scale: factor of the log-likelihoods.
        self_loop_scale: factor of the self-loops' log probabilities.
        transition_scale: factor of the other transitions' log probabilities.
        silence_probability: of silence at the start and after each word.
        beam: states further below the best (in scaled log) are dropped.
        retry_beam: the beam of the second attempt where the first finds no path; 0 for none.
    """

    acoustic_scale: float = 0.1
    self_loop_scale: float = 0.1
    transition_scale: float = 1.0
    silence_probability: float = 0.5
    beam: float = 10.0
    retry_beam: float = 40.0

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in ("acoustic_scale", "self_loop_scale", "transition_scale", "retry_beam"):
            if not getattr(self, name) >= 0.0:
                raise UsageError(f"{name}: expected a number >= 0, found {getattr(self, name)}")
        if not self.beam > 0.0:
            raise UsageError(f"beam: expected a number > 0, found {self.beam}")
        if not 0.0 <= self.silence_probability <= 1.0:
            raise UsageError(
                f"silence_probability: expected 0 .. 1, found {self.silence_probability}"
            )


@dataclass(frozen=True)
class ForcedPath:
    """The best path of one utterance.

    Attributes:
        tids: transition-id of every frame, ``[T]``.
        log_prob: natural-log score of the path, acoustics scaled by the acoustic scale.
    """

    tids: IntArray
    log_prob: float


class Aligner:
    """Aligns utterances with their transcripts.

    Args:
        lexicon: pronunciations; words outside it are aligned with spoken noise.
        phones: the phone table.
        tree: pdf-ids of phones in context.
        transitions: transition-ids and their probabilities.
        options: scales, beams and the optional silence.
    """

    def __init__(
        self,
        lexicon: Lexicon,
        phones: PhoneTable,
        tree: Tree,
        transitions: TransitionModel,
        options: AlignOptions | None = None,
    ) -> None:
        self.options = options or AlignOptions()
        self.phones = phones
        self._lexicon = lexicon
        self._compiler = GraphCompiler(
            lexicon, phones, tree, transitions, self.options.silence_probability
        )
        self.set_transitions(transitions)

    def set_transitions(self, transitions: TransitionModel) -> None:
        """Use other transition probabilities; the transition-ids must mean the same."""
        self.transitions = transitions
        self._log_probs = transitions.scaled_log_probs(
            self.options.self_loop_scale, self.options.transition_scale
        )

    def graph(self, words: Sequence[str]) -> UtteranceGraph:
        """The transcript's graph, for aligning the same utterance more than once."""
        return self._compiler.compile(words)

    def unknown(self, words: Sequence[str]) -> list[str]:
        """The words that the lexicon lacks, which are aligned with spoken noise."""
        return [word for word in words if word not in self._lexicon]

    def path(
        self, transcript: Sequence[str] | UtteranceGraph, log_likelihoods: LogLikelihoods
    ) -> ForcedPath:
        """The best path of an utterance.

        Args:
            transcript: its words (lower case), or their graph.
            log_likelihoods: natural log; all pdfs, or a function that is asked for those needed.

        Raises:
            AlignmentError: where no path reaches the end, even with the wider beam.
        """
        graph = transcript if isinstance(transcript, UtteranceGraph) else self.graph(transcript)
        if callable(log_likelihoods):
            scores, columns = log_likelihoods(graph.pdfs), graph.columns
        else:
            scores, columns = log_likelihoods, graph.pdfs[graph.columns]
        scores = np.ascontiguousarray(scores, dtype=np.float32)
        options = self.options
        entering = self._log_probs[graph.transition_ids]
        loops = np.where(
            graph.loop_ids > 0, self._log_probs[graph.loop_ids], np.float32(-np.inf)
        ).astype(np.float32)
        for beam in (options.beam, options.retry_beam):
            if not beam:
                continue
            nodes, log_prob = viterbi(
                scores,
                options.acoustic_scale,
                beam,
                columns,
                loops,
                graph.final_scores,
                graph.offsets,
                graph.targets,
                graph.arc_scores + entering[graph.targets],
                graph.starts,
                graph.start_scores + entering[graph.starts],
            )
            if nodes.size:
                stays = np.concatenate(([False], nodes[1:] == nodes[:-1]))
                tids = np.where(stays, graph.loop_ids[nodes], graph.transition_ids[nodes])
                return ForcedPath(tids, log_prob)
        raise AlignmentError(
            f"no path through the transcript's {len(graph.transition_ids)} states within the "
            f"beam, in {len(scores)} frames"
        )

    def align(
        self, transcript: Sequence[str] | UtteranceGraph, log_likelihoods: LogLikelihoods
    ) -> IntArray:
        """The transition-ids ``[T]`` of the best path; see :meth:`path`."""
        return self.path(transcript, log_likelihoods).tids

    def segments(
        self, utterance: str, words: Sequence[str], tids: IntArray, frame_shift: float
    ) -> Alignment:
        """Words and phones with their times.

        Args:
            utterance: its id.
            words: the transcript that was aligned.
            tids: the path, ``[T]``.
            frame_shift: seconds from one frame to the next.

        Raises:
            SpeechError: where the path does not speak as many words as the transcript has.
        """
        return path_segments(utterance, words, tids, self.transitions, self.phones, frame_shift)


def path_segments(
    utterance: str,
    words: Sequence[str],
    tids: IntArray,
    transitions: TransitionModel,
    phones: PhoneTable,
    frame_shift: float,
) -> Alignment:
    """Words and phones (base names, silence as SIL) of a path; arguments as of `Aligner.segments`.

    A word ends where a phone in final position (_E, _S) ends, so boundaries are exact even where
    the tree shares pdfs between phones.
    """
    starts = transitions.phone_starts(tids)
    bounds = np.append(starts, len(tids)) * frame_shift
    ids = transitions.phone[tids[starts]]
    phone_segments = []
    word_bounds = []
    word_start = 0.0
    for phone, start, end in zip(
        ids.tolist(), bounds[:-1].tolist(), bounds[1:].tolist(), strict=True
    ):
        phone_segments.append(Segment(phones.base(phone), start, end))
        position = phones.position(phone)
        if position in ("B", "S"):
            word_start = start
        if position in ("E", "S"):
            word_bounds.append((word_start, end))
    if len(word_bounds) != len(words):
        raise SpeechError(
            f"utterance {utterance}: expected a path of {len(words)} words, "
            f"found {len(word_bounds)}"
        )
    return Alignment(
        utterance,
        tuple(
            Segment(word, start, end) for word, (start, end) in zip(words, word_bounds, strict=True)
        ),
        tuple(phone_segments),
    )
