"""Forced alignment: when was each word and phone of a known transcript spoken?

The transcript's graph is searched like any decoding graph (`recognizer.decoding.search.search`,
best path only), as Kaldi's ``gmm-align`` does with its ``FasterDecoder``. The acoustic model may be
anything that gives log-likelihoods of pdfs: Gaussian mixtures or a network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.decision_tree import Tree
from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.decoding.alignment.phone_scores import PathScores, PhoneScorer
from recognizer.decoding.alignment.tolerance import GARBAGE, Tolerance
from recognizer.decoding.alignment.utterance_graph import GraphCompiler, UtteranceGraph
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.graph.options import GraphOptions
from recognizer.decoding.lattice.lattice import BestPath
from recognizer.decoding.lattice.segments import PathSegments, path_segments
from recognizer.decoding.search.decoding import NoPathError
from recognizer.decoding.search.search import Decoder, SearchOptions

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]

LogLikelihoods = FloatArray | Callable[[IntArray], FloatArray]
"""Natural-log likelihoods: ``[T, num_pdfs]``, or a function from pdf-ids ``[K]`` to ``[T, K]``."""


_UNLIMITED = (1 << 31) - 1
_MAX_ACTIVE = 100_000  # where the beam is no limit
_MIN_ACTIVE = 20  # as Kaldi's FasterDecoder, which gmm-align uses


class AlignmentError(SpeechError):
    """No path through the transcript survives: too little audio, or audio of something else."""


@dataclass(frozen=True)
class AlignOptions:
    """Options of alignment; the defaults are those of Kaldi's training scripts.

    Attributes:
        acoustic_scale: factor of the log-likelihoods.
        graph: scales of the transitions, and the probability of optional silence.
        beam: states further below the best (in scaled log) are dropped.
        retry_beam: the beam of the second attempt where the first finds no path; 0 for none.
    """

    acoustic_scale: float = 0.1
    graph: GraphOptions = GraphOptions()
    beam: float = 10.0
    retry_beam: float = 40.0

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        if not self.retry_beam >= 0.0:
            raise UsageError(f"retry_beam: expected a number >= 0, found {self.retry_beam}")
        for name in ("acoustic_scale", "beam"):
            if not getattr(self, name) > 0.0:
                raise UsageError(f"{name}: expected a number > 0, found {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class ForcedPath:
    """The best path of one utterance.

    Attributes:
        tids: transition-id of every frame, int32 ``[T]``.
        log_prob: natural-log score of the path, acoustics scaled by the acoustic scale; in
            tolerant alignment less the costs of departures, and garbage scored without context.
        spoken: for each word of the path in order of time, its index in the transcript, or -1
            for garbage. Without tolerance these are all words of the transcript.
        scores: how well the path agrees with the model, where that was asked for.
    """

    tids: IntArray
    log_prob: float
    spoken: tuple[int, ...]
    scores: PathScores | None = None

    def labels(self, words: Sequence[str]) -> tuple[str, ...]:
        """The words along the path, of a transcript; garbage is <garbage>."""
        return tuple(GARBAGE if index < 0 else words[index] for index in self.spoken)

    def skipped(self, words: Sequence[str]) -> tuple[int, ...]:
        """Indices of the transcript's words that the path does not say."""
        said = set(self.spoken)
        return tuple(index for index in range(len(words)) if index not in said)


class Aligner:
    """Aligns utterances with their transcripts.

    Args:
        lexicon: pronunciations; words outside it are aligned with spoken noise.
        phones: the phone table.
        tree: pdf-ids of phones in context.
        transitions: transition-ids and their probabilities.
        options: scales, beams and the optional silence.
        tolerance: lets words be skipped and garbage be said; None for transcripts as they are.
    """

    def __init__(
        self,
        lexicon: Lexicon,
        phones: PhoneTable,
        tree: Tree,
        transitions: TransitionModel,
        options: AlignOptions | None = None,
        tolerance: Tolerance | None = None,
    ) -> None:
        self.options = options or AlignOptions()
        self.tolerance = tolerance
        self.phones = phones
        self._lexicon = lexicon
        self._tree = tree
        silence_probability = self.options.graph.silence_probability
        self._compiler = GraphCompiler(
            lexicon, phones, tree, transitions, silence_probability, tolerance
        )
        self._scorer = PhoneScorer(phones, transitions)
        self.set_transitions(transitions)

    def set_transitions(self, transitions: TransitionModel) -> None:
        """Use other transition probabilities; the transition-ids must mean the same."""
        self.transitions = transitions
        self._log_probs = transitions.scaled_log_probs(
            self.options.graph.self_loop_scale, self.options.graph.transition_scale
        )
        loop = self._compiler.loop
        if loop is not None:
            added = self._log_probs[loop.transition_ids]
            self._log_probs = np.concatenate((self._log_probs, added))

    def graph(self, words: Sequence[str]) -> UtteranceGraph:
        """The transcript's graph, for aligning the same utterance more than once."""
        return self._compiler.compile(words)

    def unknown(self, words: Sequence[str]) -> list[str]:
        """The words that the lexicon lacks, which are aligned with spoken noise."""
        return [word for word in words if word not in self._lexicon]

    def path(
        self,
        transcript: Sequence[str] | UtteranceGraph,
        log_likelihoods: LogLikelihoods,
        *,
        scored: bool = False,
    ) -> ForcedPath:
        """The best path of an utterance.

        Args:
            transcript: its words (lower case), or their graph.
            log_likelihoods: natural log; all pdfs, or a function that is asked for those needed.
            scored: compare the path with what the model alone finds likeliest, for which all pdfs
                are needed (`ForcedPath.scores`).

        Raises:
            AlignmentError: where no path reaches the end, even with the wider beam.
            SpeechError: scores of another width, or not finite.
        """
        graph = transcript if isinstance(transcript, UtteranceGraph) else self.graph(transcript)
        if callable(log_likelihoods) and (scored or self._compiler.loop is not None):
            # Phones without context need all pdfs.
            every = np.arange(self.transitions.num_pdfs, dtype=np.int32)
            log_likelihoods = log_likelihoods(every)
        scores, columns = self._scores(graph, log_likelihoods)
        arcs = self._with_transitions(graph)
        beams = (self.options.beam, self.options.retry_beam)
        if self.tolerance is not None:
            # Where many words in a row are missing, the way past them lies beyond any beam.
            beams = (self.tolerance.beam, float("inf"))
        for beam in beams:
            if beam > 0:
                best = self._search(arcs, columns, scores, beam)
                if best is not None:
                    path = self._forced(best)
                    if not scored or callable(log_likelihoods):
                        return path
                    return replace(path, scores=self._scorer(path.tids, log_likelihoods))
        shortest = graph.min_frames()
        if len(scores) < shortest:
            raise AlignmentError(
                f"expected at least the {shortest} frames that the transcript takes, "
                f"found {len(scores)}"
            )
        raise AlignmentError(
            f"no path through the transcript within the beam, in {len(scores)} frames"
        )

    def hear(
        self, transcript: Sequence[str], others: Sequence[str], log_likelihoods: LogLikelihoods
    ) -> tuple[str, ...]:
        """What is said by an utterance's own language model.

        The model is that of `recognizer.decoding.alignment.own_words`.

        Args:
            transcript: its words (lower case), at least one.
            others: words that may be said instead.
            log_likelihoods: as of `path`.

        Raises:
            AlignmentError: too few frames for any word.
            SpeechError: scores of another width, or not finite, or no words.
        """
        graph = self._compiler.compile_own(transcript, others)
        scores, columns = self._scores(graph, log_likelihoods)
        arcs = self._with_transitions(graph)
        for beam in (self.options.beam, self.options.retry_beam):
            if beam > 0 and (best := self._search(arcs, columns, scores, beam)) is not None:
                words = (*transcript, *others)
                return tuple(words[number - 1] for number in best.word_ids.tolist())
        raise AlignmentError(f"no words within the beam, in {len(scores)} frames")

    def _with_transitions(self, graph: UtteranceGraph) -> DecodingGraph:
        """The graph with the transition probabilities of the model."""
        return replace(graph.arcs, costs=graph.arcs.costs - self._log_probs[graph.arcs.ilabels])

    def _scores(
        self, graph: UtteranceGraph, log_likelihoods: LogLikelihoods
    ) -> tuple[FloatArray, IntArray]:
        """The scores of the graph's labels, and the column of each label; 0 is unused."""
        pdf, loop = self.transitions.pdf, self._compiler.loop
        number = np.zeros(self.transitions.num_pdfs, dtype=np.int32)
        number[graph.pdfs] = np.arange(len(graph.pdfs))
        columns = number[pdf]
        if callable(log_likelihoods):
            scores = log_likelihoods(graph.pdfs)
        else:
            if log_likelihoods.ndim != 2 or log_likelihoods.shape[1] != len(number):
                raise SpeechError(
                    f"scores: expected [T, {len(number)}], found {list(log_likelihoods.shape)}"
                )
            scores = np.take(log_likelihoods, graph.pdfs, axis=1)
            if loop is not None:
                scores = np.concatenate((scores, loop.scores(log_likelihoods)), axis=1)
                columns = np.concatenate((columns, len(graph.pdfs) + loop.columns))
        return np.ascontiguousarray(scores, dtype=np.float32), columns

    def _search(
        self, arcs: DecodingGraph, columns: IntArray, scores: FloatArray, beam: float
    ) -> BestPath | None:
        options = SearchOptions(
            beam=beam,
            max_active=_UNLIMITED if beam < float("inf") else _MAX_ACTIVE,
            min_active=_MIN_ACTIVE,
            acoustic_scale=self.options.acoustic_scale,
        )
        try:
            best = Decoder(arcs, columns, options).decode_best(scores)
        except NoPathError:
            return None
        return best if best.complete else None

    def _forced(self, best: BestPath) -> ForcedPath:
        log_prob = -best.cost(self.options.acoustic_scale)
        said = (best.word_ids - 1).tolist()
        loop = self._compiler.loop
        if loop is None:
            return ForcedPath(best.tids, log_prob, tuple(said))
        tids = loop.in_context(best.tids, self._tree)
        garbage = loop.is_garbage(best.tids)
        words = iter(said)
        spoken = [
            -1 if garbage[start] else next(words)
            for start in self.transitions.phone_starts(tids).tolist()
            if self.phones.position(int(self.transitions.phone[tids[start]])) in ("B", "S")
        ]
        return ForcedPath(tids, log_prob, tuple(spoken))

    def align(
        self, transcript: Sequence[str] | UtteranceGraph, log_likelihoods: LogLikelihoods
    ) -> IntArray:
        """The transition-ids ``[T]`` of the best path; see :meth:`path`."""
        return self.path(transcript, log_likelihoods).tids

    def segments(self, words: Sequence[str], path: ForcedPath) -> PathSegments:
        """HMM states, phones and words of a path, in frames; garbage is the word <garbage>.

        Args:
            words: the transcript that was aligned.
            path: its path.

        Raises:
            SpeechError: where the path is not that of the transcript.
        """
        return path_segments(path.tids, path.labels(words), self.transitions, self.phones)


def path_alignment(
    utterance: str,
    words: Sequence[str],
    tids: IntArray,
    transitions: TransitionModel,
    phones: PhoneTable,
    frame_shift: float,
) -> Alignment:
    """Words and phones of a path in seconds, phones by their base names, silence as SIL.

    Args:
        utterance: its id.
        words: the words that the path says (`ForcedPath.labels`).
        tids: the path, ``[T]``.
        transitions: the transition model of the ids.
        phones: its phone table.
        frame_shift: seconds from one frame to the next.

    Raises:
        SpeechError: where the path does not say as many words.
    """
    try:
        found = path_segments(tids, words, transitions, phones)
    except SpeechError as error:
        raise SpeechError(f"utterance {utterance}: {error}") from None
    return Alignment(
        utterance,
        tuple(Segment(w.word, w.start * frame_shift, w.end * frame_shift) for w in found.words),
        tuple(
            Segment(phones.base(p.phone), p.start * frame_shift, p.end * frame_shift)
            for p in found.phones
        ),
    )
