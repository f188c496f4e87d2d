"""The decoders that `benchmarks.search` compares, each as its process is to make it.

All get the same graph, scores and options: beam, limits of active tokens, acoustic scale, lattice
beam. Costs are sums in double precision along the best path, since a path's cost of thousands
leaves float32 no more than two or three digits after the point.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kaldi_decoder
import kaldifst
import numpy as np
import numpy.typing as npt

# kaldifst.ArcIterator does not take a Lattice.
from kaldifst.lib._kaldifst import _ArcIteratorLattice

from benchmarks.search.workers import Found, Searcher
from recognizer.decoding.graph.mapped_graph import MappedGraph
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.oracle import oracle
from recognizer.decoding.lattice.paths import best_path
from recognizer.decoding.search.on_the_fly import BackoffMode, OnTheFlyDecoder
from recognizer.decoding.search.search import Decoder, SearchOptions
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.recognizer import Recognizer

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class StaticSearch:
    """Our search of a static graph.

    Attributes:
        graph: file of the decoding graph, mapped.
        options: beams and scales.
        lattice: make a determinised lattice; otherwise the best path alone.
    """

    graph: Path
    options: SearchOptions
    lattice: bool = True

    def open(self) -> Searcher:
        """Makes the searcher."""
        decoder = Decoder(MappedGraph.open(self.graph), options=self.options)
        return LatticeSearcher(decoder) if self.lattice else BestPathSearcher(decoder)


class LatticeSearcher:
    """Search, determinisation, and the lattice's best path."""

    def __init__(self, decoder: Decoder | OnTheFlyDecoder) -> None:
        self._decoder = decoder

    def oracle_errors(self, file: Path, words: Sequence[str]) -> tuple[int, int]:
        """Fewest errors of any path of the determinised and of the raw lattice."""
        options = self._decoder.options
        raw = self._decoder.decode(np.load(file))
        lattice = determinize(raw, options.acoustic_scale, options.determinization_beam)
        return oracle(lattice, words).errors, oracle(raw, words).errors

    def search(self, scores: FloatArray) -> Found:
        """Searches an utterance."""
        options = self._decoder.options
        decoding = self._decoder.start()
        decoding.advance(scores)
        raw = decoding.finish()
        lattice = determinize(raw, options.acoustic_scale, options.determinization_beam)
        path = best_path(lattice, options.acoustic_scale)
        return Found(
            path.cost(options.acoustic_scale),
            path.words,
            decoding.stats["tokens"],
        )


class BestPathSearcher:
    """The best path without a lattice."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder

    def search(self, scores: FloatArray) -> Found:
        """Searches an utterance."""
        scale = self._decoder.options.acoustic_scale
        decoding = self._decoder.start(best_only=True)
        decoding.advance(scores)
        path = best_path(decoding.finish(), scale)
        return Found(path.cost(scale), path.words, decoding.stats["tokens"])


@dataclass(frozen=True)
class OnTheFlySearch:
    """Our search that composes with the language model as it goes.

    Attributes:
        hcl: file of the graph without a language model, mapped.
        automaton: file of the language model.
        options: beams and scales.
        mode: how words back off.
    """

    hcl: Path
    automaton: Path
    options: SearchOptions
    mode: BackoffMode = "exact"

    def open(self) -> Searcher:
        """Makes the searcher."""
        return LatticeSearcher(
            OnTheFlyDecoder(
                MappedGraph.open(self.hcl),
                None,
                NgramAutomaton.open(self.automaton),
                self.options,
                self.mode,
            )
        )


@dataclass(frozen=True)
class Threads:
    """Our search of a static graph, of many utterances at once."""

    static: StaticSearch

    def open(self) -> ThreadsSearcher:
        """Makes the searcher."""
        graph = MappedGraph.open(self.static.graph)
        return ThreadsSearcher(Decoder(graph, options=self.static.options))


class ThreadsSearcher(LatticeSearcher):
    """Wall time of a batch."""

    def seconds(self, files: Sequence[Path], threads: int) -> float:
        """Wall time of the lattices of all utterances, determinised."""
        scores = [np.load(file) for file in files]
        begin = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(self.search, scores):
                pass
        return time.perf_counter() - begin


@dataclass(frozen=True)
class PeerBestPath:
    """kaldi-decoder's `FasterDecoder`, which makes no lattice.

    Attributes:
        fst: file of the graph as OpenFst's, input labels pdf-id + 1.
        words: file of the words by id, one a line.
        options: beams and scales.
    """

    fst: Path
    words: Path
    options: SearchOptions

    def open(self) -> Searcher:
        """Makes the searcher."""
        options = self.options
        return _PeerSearcher(
            self.fst,
            self.words,
            options,
            kaldi_decoder.FasterDecoder,
            kaldi_decoder.FasterDecoderOptions(
                beam=options.beam,
                max_active=options.max_active,
                min_active=options.min_active,
                beam_delta=options.beam_delta,
            ),
        )


@dataclass(frozen=True)
class PeerLattice:
    """kaldi-decoder's `LatticeSimpleDecoder`, which knows no limit of active tokens."""

    fst: Path
    words: Path
    options: SearchOptions

    def open(self) -> Searcher:
        """Makes the searcher."""
        options = self.options
        return _PeerSearcher(
            self.fst,
            self.words,
            options,
            kaldi_decoder.LatticeSimpleDecoder,
            kaldi_decoder.LatticeSimpleDecoderConfig(
                beam=options.beam,
                lattice_beam=options.lattice_beam,
                prune_interval=options.prune_interval,
            ),
        )


class _PeerSearcher:
    def __init__(
        self, fst: Path, words: Path, options: SearchOptions, decoder: Any, peer_options: Any
    ) -> None:
        self._fst = kaldifst.StdVectorFst.read(str(fst))
        self._words = words.read_text(encoding="utf-8").split("\n")
        self._scale = np.float32(options.acoustic_scale)
        self._decoder, self._options = decoder, peer_options

    def search(self, scores: FloatArray) -> Found:
        """Searches an utterance."""
        scores *= self._scale
        decoder = self._decoder(self._fst, self._options)
        decoder.decode(kaldi_decoder.DecodableCtc(scores))
        _, path = decoder.get_best_path()
        _, _, words, _ = kaldifst.get_linear_symbol_sequence(path)
        return Found(_linear_cost(path), tuple(self._words[word] for word in words))


def _linear_cost(path: Any) -> float:
    """Cost of a `kaldifst.Lattice` of one path."""
    cost, state = 0.0, path.start
    while path.num_arcs(state):
        arc = _ArcIteratorLattice(path, state).value
        cost += arc.weight.value1 + arc.weight.value2
        state = arc.nextstate
    final = path.final(state)
    return float(cost + final.value1 + final.value2)


@dataclass(frozen=True)
class Rescoring:
    """The recogniser's two passes, with the model's own options.

    Attributes:
        model: the model directory.
    """

    model: Path

    def open(self) -> RescoringSearcher:
        """Makes the searcher."""
        return RescoringSearcher(Recognizer(self.model))


class RescoringSearcher:
    """Both passes, and the time of each."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer

    def search(self, scores: FloatArray) -> Found:
        """Searches an utterance."""
        path = self._recognizer.second_pass(self._recognizer.first_pass(scores)).best
        return Found(path.cost(self._recognizer.search.acoustic_scale), path.words)

    def seconds(self, file: Path) -> tuple[float, float]:
        """CPU time of first and second pass."""
        scores = np.load(file)
        begin = time.process_time()
        lattice = self._recognizer.first_pass(scores)
        middle = time.process_time()
        self._recognizer.second_pass(lattice)
        return middle - begin, time.process_time() - middle
