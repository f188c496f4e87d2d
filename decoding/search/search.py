"""The first pass: frame-synchronous Viterbi beam search over a decoding graph, with lattices.

The search itself is native (`decoding/csrc/search/static_search.h`); it prunes as Kaldi's
``LatticeFasterDecoder`` does: by beam, by the number of active tokens, and every few frames
backwards by the lattice beam.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import UsageError
from recognizer.decoding import _search
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.graph.mapped_graph import MappedGraph
from recognizer.decoding.lattice.lattice import BestPath, CompactLattice, Lattice
from recognizer.decoding.lattice.paths import best_path
from recognizer.decoding.search.decoding import CompactDecoding, LatticeDecoding
from recognizer.decoding.search.pool import MAX_IDLE_BYTES, SearchPool

FloatArray = npt.NDArray[np.float32]

_MARGIN = 2.0


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
        max_kept_links: where determinised lattices are wanted, an early part is determinised and
            let go when a pruning leaves more links than this. Word sequences within the lattice
            beam and their scores do not depend on it; of shorter utterances nothing does.
    """

    beam: float = 15.0
    lattice_beam: float = 8.0
    max_active: int = 7000
    min_active: int = 200
    acoustic_scale: float = 0.1
    prune_interval: int = 25
    prune_scale: float = 0.1
    beam_delta: float = 0.5
    max_kept_links: int = 1 << 16

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
        for name, least in (
            ("max_active", 2),
            ("min_active", 0),
            ("prune_interval", 1),
            ("max_kept_links", 1),
        ):
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
        max_idle_bytes: memory of buffers that may wait for the next utterances.

    Raises:
        SpeechError: the graph's labels do not fit the transition-ids, or its non-emitting arcs
            form a cycle.
        UsageError: an impossible option.
    """

    def __init__(
        self,
        graph: MappedGraph | DecodingGraph,
        pdfs: npt.NDArray[np.int32] | None = None,
        options: SearchOptions | None = None,
        *,
        is_silence: npt.NDArray[np.bool_] | None = None,
        max_idle_bytes: int = MAX_IDLE_BYTES,
    ) -> None:
        if max_idle_bytes < 0:
            raise UsageError(f"max_idle_bytes: expected at least 0, found {max_idle_bytes}")
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
        self._searches = SearchPool(max_idle_bytes)

    @property
    def num_pdfs(self) -> int:
        """Width of the score matrices."""
        return self._graph.num_pdfs

    @property
    def idle_bytes(self) -> int:
        """Memory of buffers that wait for the next utterances."""
        return self._searches.bytes

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

    def decode_compact(
        self, log_likelihoods: FloatArray, *, max_memory: int = 200_000_000
    ) -> CompactLattice:
        """Searches a whole utterance, however long, in bounded memory.

        Args:
            log_likelihoods: as for `decode`; errors as there.
            max_memory: as for `start_compact`.

        Returns:
            What `start_compact` gives.
        """
        decoding = self.start_compact(max_memory=max_memory)
        decoding.advance(log_likelihoods)
        return decoding.finish()

    def decode_best(self, log_likelihoods: FloatArray) -> BestPath:
        """Searches a whole utterance for its best path only: quicker, and in less memory.

        The path is that of `decode`'s lattice; arguments and errors as there.
        """
        decoding = self.start(best_only=True)
        decoding.advance(log_likelihoods)
        return best_path(decoding.finish(), self.options.acoustic_scale)

    def start(self, *, best_only: bool = False) -> LatticeDecoding:
        """Begins an utterance whose scores come piece by piece.

        Args:
            best_only: follow the best path into every state only: the lattice of `finish` is the
                best path.
        """
        return LatticeDecoding(self, best_only)

    def start_compact(self, *, max_memory: int = 200_000_000) -> CompactDecoding:
        """Begins an utterance of any length, whose lattice is determinised as it grows.

        The lattice is that of `recognizer.decoding.lattice.determinization.determinize` with
        `SearchOptions.determinization_beam`: the same bits where no more than
        `SearchOptions.max_kept_links` were held, else the same word sequences, with the same
        scores, within the lattice beam. Memory of tokens and links does not grow with the
        utterance.

        Args:
            max_memory: bytes for one determinisation, as there.

        Raises:
            UsageError: a negative ``max_memory``.
        """
        return CompactDecoding(self, max_memory)

    def take(self, best_only: bool) -> _search.Search:
        """A native search that no utterance uses; `give_back` ends its use."""
        search = self._searches.take(best_only)
        if search is None:
            search = self._make(best_only)
            if self.is_silence is not None:
                search.set_silence(self.is_silence.view(np.uint8))
        return search

    def _make(self, best_only: bool) -> _search.Search:
        return _search.StaticSearch(self._graph, self._options, best_only)

    def give_back(self, search: _search.Search, best_only: bool) -> None:
        """Lets the next utterances use a search."""
        self._searches.give_back(search, best_only)


def _check_silence(is_silence: npt.NDArray[np.bool_]) -> None:
    if is_silence.dtype != np.bool_ or is_silence.ndim != 1:
        raise UsageError(
            "is_silence: expected bool [num_transition_ids + 1], found "
            f"{is_silence.dtype} {list(is_silence.shape)}"
        )
