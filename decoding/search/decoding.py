"""An utterance that is being searched: frames in, partial results, a lattice at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding import _search
from recognizer.decoding.lattice.determinization import check_max_memory, compact_lattice
from recognizer.decoding.lattice.lattice import BestPath, CompactLattice, Lattice

if TYPE_CHECKING:
    from recognizer.decoding.search.search import Decoder

FloatArray = npt.NDArray[np.float32]


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


class Decoding:
    """One utterance in progress: `advance` any number of times, then ``finish`` once.

    Results do not depend on how the frames are cut into calls.

    Attributes:
        decoder: the search's graph and options.
    """

    def __init__(self, decoder: Decoder, best_only: bool) -> None:
        self.decoder = decoder
        self._best_only = best_only
        self._native: _search.Search | None = decoder.take(best_only)
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

    @property
    def memory(self) -> dict[str, int]:
        """Bytes of this utterance so far.

        Of ``buffers`` of tokens and links, which serve again; and, where the lattice is
        determinised as it grows, of ``open`` parts, which will be determinised again with what
        follows, and of parts that are ``done``.
        """
        return self._search.memory()

    def cancel(self) -> None:
        """Ends the utterance without a result; its buffers serve again. Later calls do nothing."""
        self._release()

    def _check_frames(self) -> None:
        if self._search.num_frames == 0:
            self._release()
            raise SpeechError("search: expected at least one frame of scores, found none")

    def _release(self) -> None:
        if self._native is not None:
            self._stats = self._native.stats()
            self.decoder.give_back(self._native, self._best_only)
            self._native = None


class LatticeDecoding(Decoding):
    """An utterance whose state-level lattice is wanted; see `Decoder.start`."""

    def __init__(self, decoder: Decoder, best_only: bool) -> None:
        super().__init__(decoder, best_only)
        self._search.start()

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

    def finish(self) -> Lattice:
        """Ends the utterance; see `Decoder.decode`.

        Raises:
            SpeechError: there was no frame.
        """
        self._check_frames()
        arrays = self._search.finish()
        self._release()
        return Lattice(*arrays, symbols=self.decoder.graph.words)


class CompactDecoding(Decoding):
    """An utterance whose determinised lattice is wanted; see `Decoder.start_compact`."""

    def __init__(self, decoder: Decoder, max_memory: int) -> None:
        check_max_memory(max_memory)
        super().__init__(decoder, best_only=False)
        options = decoder.options
        self._search.start_compact(options.acoustic_scale, options.determinization_beam, max_memory)

    def finish(self) -> CompactLattice:
        """Ends the utterance.

        Raises:
            SpeechError: there was no frame.
        """
        self._check_frames()
        arrays, reached_final = self._search.finish_compact()
        self._release()
        return compact_lattice(
            arrays,
            self.decoder.options.determinization_beam,
            reached_final=reached_final,
            symbols=self.decoder.graph.words,
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
