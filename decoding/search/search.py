"""The first pass: frame-synchronous Viterbi beam search over a decoding graph, with lattices.

The search itself is native (`decoding/csrc/search/static_search.h`); it prunes as Kaldi's
``LatticeFasterDecoder`` does: by beam, by the number of active tokens, and every few frames
backwards by the lattice beam.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding import _search
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.graph.mapped_graph import MappedGraph
from recognizer.decoding.lattice.lattice import BestPath, Lattice
from recognizer.decoding.lattice.paths import best_path

FloatArray = npt.NDArray[np.float32]

_MARGIN = 2.0


class NoPathError(SpeechError):
    """No path through the graph is as long as the utterance."""


@dataclass(frozen=True)
class PartialPath:
    """The words of the best path so far, the last of which may be cut off.

    Attributes:
        committed: words that were committed since the last update: all tokens that live share
            them, so that every later path, the final best one too, begins with all words
            committed so far.
        tentative: the words after all that were committed; the next update may have others.
    """

    committed: tuple[str, ...]
    tentative: tuple[str, ...]


@dataclass(frozen=True)
class SearchOptions:
    """Options of the first pass; costs are natural logs after the acoustic scale.

    Attributes:
        beam: tokens worse than the frame's best by more are not followed; inf for no limit.
        lattice_beam: paths worse than the best by more are not in the lattice.
        max_active: at most about so many tokens are followed in a frame, the best ones.
        min_active: at least so many tokens are followed, even outside of the beam.
        acoustic_scale: factor of the log-likelihoods, for comparisons only: lattices hold them
            unscaled.
        prune_interval: frames between two prunings of the lattice while searching. The finished
            lattice does not depend on it; longer intervals go over fewer links twice, but hold
            more memory.
        prune_scale: such a pruning goes back to earlier frames as long as costs change by more than
            this share of the lattice beam. The finished lattice does not depend on it either.
        beam_delta: added to the beam that max_active or min_active implies for the next frame.
    """

    beam: float = 15.0
    lattice_beam: float = 8.0
    max_active: int = 7000
    min_active: int = 200
    acoustic_scale: float = 0.1
    prune_interval: int = 25
    prune_scale: float = 0.1
    beam_delta: float = 0.5

    @property
    def determinization_beam(self) -> float:
        """The beam that keeps nearly all of a lattice when it is determinised.

        A raw lattice holds paths that are worse than its lattice beam, put together of parts that
        are not. With this beam the determinised lattice's oracle WER is within 0.1 % absolute of
        the raw one's (docs/inside/search.md).
        """
        return self.lattice_beam + _MARGIN

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in ("beam", "lattice_beam", "acoustic_scale", "beam_delta"):
            if not getattr(self, name) > 0.0:
                raise UsageError(f"{name}: expected a number > 0, found {getattr(self, name)}")
        if not self.acoustic_scale < float("inf"):
            raise UsageError("acoustic_scale: expected a finite number, found inf")
        if not 0.0 < self.prune_scale < 1.0:
            raise UsageError(
                f"prune_scale: expected a number between 0 and 1, found {self.prune_scale}"
            )
        for name, least in (("max_active", 2), ("min_active", 0), ("prune_interval", 1)):
            value = getattr(self, name)
            if not least <= value < 1 << 31:
                raise UsageError(f"{name}: expected an integer of {least} .. 2^31-1, found {value}")
        if self.min_active >= self.max_active:
            raise UsageError(
                f"min_active: expected less than max_active {self.max_active}, "
                f"found {self.min_active}"
            )


def native_options(options: SearchOptions) -> _search.Options:
    """The options as all native searches take them; their names are the same."""
    return _search.Options(**asdict(options))


class Decoder:
    """Searches one graph, for any number of utterances; several threads may share it.

    Args:
        graph: the decoding graph; one that is not laid out for the search yet is laid out now.
        pdfs: int32 ``[num_transition_ids + 1]``, pdf-id of each transition-id
            (`TransitionModel.pdf`); index 0 is unused. None for a `MappedGraph`, which knows.
        options: beams and scales.
        is_silence: bool ``[num_transition_ids + 1]``, whether a transition-id is one of a silence
            phone (`TransitionModel.is_silence`); only `Decoding.trailing_silence` needs it.

    Raises:
        SpeechError: the graph's labels do not fit the transition-ids, or its non-emitting arcs
            form a cycle.
    """

    def __init__(
        self,
        graph: MappedGraph | DecodingGraph,
        pdfs: npt.NDArray[np.int32] | None = None,
        options: SearchOptions | None = None,
        *,
        is_silence: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        if isinstance(graph, DecodingGraph):
            if pdfs is None:
                raise TypeError("pdfs: expected the pdf-ids of the graph's transition-ids")
            graph = MappedGraph.from_graph(graph, pdfs)
        self.graph = graph
        self.options = options or SearchOptions()
        self._graph = graph.native
        self._options = native_options(self.options)
        if is_silence is not None:
            _check_silence(is_silence)
        self.is_silence = is_silence
        # Searches whose buffers serve again; append and pop are atomic.
        self._idle: list[_search.Search] = []
        self._idle_best: list[_search.Search] = []

    @property
    def num_pdfs(self) -> int:
        """Width of the score matrices."""
        return self._graph.num_pdfs

    def decode(self, log_likelihoods: FloatArray) -> Lattice:
        """Searches a whole utterance.

        Args:
            log_likelihoods: float32 ``[T, num_pdfs]``, natural logs (log posteriors less log
                priors), C-contiguous, finite.

        Returns:
            The state-level lattice. If no final state was reached (`Lattice.reached_final`), it
            ends in all states reached, at no cost.

        Raises:
            NoPathError: no path through the graph is that long.
            SpeechError: scores of another shape or type or not finite, or no frame at all.
        """
        decoding = self.start()
        decoding.advance(log_likelihoods)
        return decoding.finish()

    def decode_best(self, log_likelihoods: FloatArray) -> BestPath:
        """Searches a whole utterance for its best path only: quicker, and in less memory.

        The path is that of `decode`'s lattice; arguments and errors as there.
        """
        decoding = self.start(best_only=True)
        decoding.advance(log_likelihoods)
        return best_path(decoding.finish(), self.options.acoustic_scale)

    def start(self, *, best_only: bool = False) -> Decoding:
        """Begins an utterance whose scores come piece by piece.

        Args:
            best_only: follow the best path into every state only: the lattice of `finish` is the
                best path.
        """
        return Decoding(self, best_only)

    def _take(self, best_only: bool) -> _search.Search:
        try:
            return (self._idle_best if best_only else self._idle).pop()
        except IndexError:
            search = self._make(best_only)
        if self.is_silence is not None:
            search.set_silence(self.is_silence.view(np.uint8))
        return search

    def _make(self, best_only: bool) -> _search.Search:
        return _search.StaticSearch(self._graph, self._options, best_only)

    def _give_back(self, search: _search.Search, best_only: bool) -> None:
        (self._idle_best if best_only else self._idle).append(search)


class Decoding:
    """One utterance in progress: `advance` any number of times, then `finish` once.

    Results do not depend on how the frames are cut into calls.

    Attributes:
        decoder: the search's graph and options.
    """

    def __init__(self, decoder: Decoder, best_only: bool) -> None:
        self.decoder = decoder
        self._best_only = best_only
        self._native: _search.Search | None = decoder._take(best_only)
        self._native.start()
        self._stats: dict[str, int] = {}

    @property
    def _search(self) -> _search.Search:
        if self._native is None:
            raise SpeechError("search: expected an utterance in progress, found a finished one")
        return self._native

    @property
    def num_frames(self) -> int:
        """Frames searched so far."""
        return self._search.num_frames

    @property
    def stats(self) -> dict[str, int]:
        """Counts so far: frames, tokens expanded, emitting arcs looked at, links made."""
        return self._stats if self._native is None else self._native.stats()

    def advance(self, log_likelihoods: FloatArray) -> None:
        """Searches the next frames, float32 ``[t, num_pdfs]``, t >= 0.

        Raises:
            NoPathError, SpeechError: as `Decoder.decode`. After wrong scores the utterance stands
                as before.
        """
        search = self._search
        check_scores(log_likelihoods, self.decoder.num_pdfs)
        try:
            search.advance(log_likelihoods)
        except ValueError as error:
            raise SpeechError(str(error)) from error
        except RuntimeError as error:
            self._release()
            raise NoPathError(str(error)) from error

    def partial(self) -> BestPath:
        """The best path so far, whether or not it ends in a final state."""
        words, tids, graph_cost, acoustic_cost = self._search.partial()
        symbols = self.decoder.graph.words
        return BestPath(
            words=tuple(symbols[word] for word in words.tolist()),
            word_ids=words,
            tids=tids,
            graph_cost=graph_cost,
            acoustic_cost=acoustic_cost,
            complete=False,
        )

    def update(self) -> PartialPath:
        """The words of the best path so far, whether or not it ends in a final state.

        The work is in proportion to the frames that are new since the last call and those in which
        the best path has become another one; the results do not depend on earlier calls, apart
        from which committed words are new. Words are committed when the lattice is pruned, every
        `SearchOptions.prune_interval` frames.
        """
        committed, tentative = self._search.update_best_path()
        symbols = self.decoder.graph.words
        return PartialPath(
            tuple(symbols[word] for word in committed.tolist()),
            tuple(symbols[word] for word in tentative.tolist()),
        )

    @property
    def trailing_silence(self) -> int:
        """Frames of silence at the end of the best path so far, as Kaldi's endpointing counts them.

        Raises:
            UsageError: the decoder does not know which transition-ids are silence.
        """
        if self.decoder.is_silence is None:
            raise UsageError("trailing_silence: expected a decoder made with is_silence")
        return self._search.trailing_silence()

    @property
    def final_relative_cost(self) -> float:
        """How much more the best path that may end here costs than the best path; inf for none.

        As Kaldi's ``FinalRelativeCost``, final costs included: small where the graph expects that
        the sentence ends.
        """
        return self._search.final_relative_cost()

    def finish(self) -> Lattice:
        """Ends the utterance; see `Decoder.decode`.

        Raises:
            SpeechError: there was no frame.
        """
        search = self._search
        if search.num_frames == 0:
            self._release()
            raise SpeechError("search: expected at least one frame of scores, found none")
        arrays = search.finish()
        self._release()
        return Lattice(*arrays, symbols=self.decoder.graph.words)

    def cancel(self) -> None:
        """Ends the utterance without a result; its buffers serve again. Later calls do nothing."""
        self._release()

    def _release(self) -> None:
        if self._native is not None:
            self._stats = self._native.stats()
            self.decoder._give_back(self._native, self._best_only)
            self._native = None


def _check_silence(is_silence: npt.NDArray[np.bool_]) -> None:
    if is_silence.dtype != np.bool_ or is_silence.ndim != 1:
        raise UsageError(
            "is_silence: expected bool [num_transition_ids + 1], found "
            f"{is_silence.dtype} {list(is_silence.shape)}"
        )


def check_scores(scores: object, num_pdfs: int) -> None:
    """Refuses what is not a C-contiguous float32 array ``[T, num_pdfs]``.

    Raises:
        SpeechError: what was expected and what was found.
    """
    if not isinstance(scores, np.ndarray):
        raise SpeechError(
            f"scores: expected a float32 array [T, {num_pdfs}], found {type(scores).__name__}"
        )
    if scores.dtype != np.float32 or scores.ndim != 2 or scores.shape[1] != num_pdfs:
        raise SpeechError(
            f"scores: expected float32 [T, {num_pdfs}], found {scores.dtype} {list(scores.shape)}"
        )
    if not scores.flags.c_contiguous:
        raise SpeechError("scores: expected a C-contiguous array, found a strided one")
