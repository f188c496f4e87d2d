"""The decoding graph as the search reads it: contiguous arrays in one memory-mapped file.

A `DecodingGraph` is what graph algebra makes and exports; a `MappedGraph` is made of one, once.
Opening its file parses nothing: pages are read from disk when the search first looks at them.

Arrays, for N states, A emitting and E non-emitting arcs, K states that have non-emitting arcs:

``offsets``          uint32 ``[N + 1]``: arcs of state n are ``offsets[n]:offsets[n + 1]``
                     (``wide_offsets``, uint64, in graphs of more than 2^32 - 1 arcs)
``arcs``             uint32 ``[3 A]``: next state, label, cost (bits of a float32); label bits 0..15
                     are the pdf-id, 16..30 which of the pdf's transition-ids, 31 if there is a word
``arc_words``        uint32 ``[A]``: word id, 0 for none
``epsilon_offsets``  uint64 ``[K + 1]``: non-emitting arcs of state n < K
``ranks``            uint16 ``[K]``, ascending: non-emitting arcs lead to higher ranks
``epsilons``         uint32 ``[3 E]``: next state, word id, cost (bits of a float32)
``final_states``     uint32 ``[F]``, ascending, and ``final_costs`` float32 ``[F]``
``tid_offsets``      uint32 ``[P + 1]``: transition-ids of pdf p are ``tids[tid_offsets[p]:...]``
``tids``             uint32 ``[T]``
``words``            uint8: word of each id, joined by newlines; id 0 is ``<eps>``
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.data.io.mapped_arrays import MappedArrays, open_arrays, write_arrays
from recognizer.decoding import _search
from recognizer.decoding.graph.graph import DecodingGraph

KIND = "decoding-graph"
VERSION = 2
_PDF_MASK = 0xFFFF
_HAS_WORD = 1 << 31


@dataclass(frozen=True, eq=False)
class MappedGraph:
    """A decoding graph's arrays, in memory or in a mapped file.

    Attributes:
        start: the start state.
        arrays: as the module describes.
        words: word of each id; id 0 is ``<eps>``.
        file: that it came from, if it came from one.
    """

    start: int
    arrays: Mapping[str, npt.NDArray[Any]]
    words: tuple[str, ...]
    file: MappedArrays | None = None

    @classmethod
    def from_graph(cls, graph: DecodingGraph, pdfs: npt.NDArray[np.int32]) -> MappedGraph:
        """Lays a graph out for the search; its states are numbered anew.

        Args:
            graph: the decoding graph.
            pdfs: int32 ``[num_transition_ids + 1]``, pdf-id of each transition-id
                (`TransitionModel.pdf`); index 0 is unused.

        Raises:
            SpeechError: the graph's labels do not fit the transition-ids, or its non-emitting
                arcs form a cycle.
        """
        pdfs = np.asarray(pdfs)
        if pdfs.ndim != 1 or pdfs.dtype.kind not in "iu":
            raise SpeechError(
                f"pdfs: expected integers [num_transition_ids + 1], "
                f"found {pdfs.dtype} {list(pdfs.shape)}"
            )
        try:
            arrays = _search.pack(
                graph.start,
                graph.offsets,
                graph.num_emitting,
                graph.ilabels,
                graph.olabels,
                graph.costs,
                graph.next_states,
                graph.final_costs,
                np.ascontiguousarray(pdfs, dtype=np.int32),
            )
        except ValueError as error:
            raise SpeechError(str(error)) from error
        return cls(arrays.pop("start"), arrays, graph.words)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, validate: bool = True) -> MappedGraph:
        """Maps a file of `save`.

        Args:
            path: the file.
            validate: look at every arc once, so that a damaged file cannot mislead the search
                (about 2 ns per arc and the reading of the whole file). Files that are trusted and
                larger than memory can go without.

        Raises:
            SpeechError: naming the file, if it is missing, truncated, damaged or no decoding graph.
        """
        mapped = open_arrays(path, kind=KIND, version=VERSION)
        arrays = dict(mapped.arrays)
        try:
            start = int(mapped.metadata["start"])
            words = tuple(arrays.pop("words").tobytes().decode().split("\n"))
        except (KeyError, ValueError) as error:
            raise SpeechError(f"{path}: expected a decoding graph, found {error!r}") from None
        graph = cls(start, arrays, words, mapped)
        graph._native(validate=validate)
        return graph

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the file that `open` maps."""
        words = np.frombuffer("\n".join(self.words).encode(), dtype=np.uint8)
        write_arrays(
            path,
            {**self.arrays, "words": words},
            kind=KIND,
            version=VERSION,
            metadata={"start": str(self.start)},
        )

    @property
    def path(self) -> Path | None:
        """The file, if it came from one."""
        return None if self.file is None else self.file.path

    def release(self) -> None:
        """Give back the memory of a file's pages; see `MappedArrays.release`."""
        if self.file is not None:
            self.file.release()

    @property
    def num_states(self) -> int:
        """Number of states N."""
        return len(self._offsets) - 1

    @property
    def num_arcs(self) -> int:
        """Number of arcs, emitting and non-emitting."""
        return len(self.arrays["arc_words"]) + len(self.arrays["epsilons"]) // 3

    @property
    def num_pdfs(self) -> int:
        """Width of the score matrices."""
        return len(self.arrays["tid_offsets"]) - 1

    @cached_property
    def native(self) -> _search.Graph:
        """The native view of the arrays."""
        return self._native(validate=False)

    def pdfs(self) -> npt.NDArray[np.int32]:
        """int32 ``[num_transition_ids + 1]``: pdf-id of each transition-id; index 0 is -1."""
        tids = self.arrays["tids"]
        pdfs = np.full(len(tids) + 1, -1, np.int32)
        counts = _lengths(self.arrays["tid_offsets"])
        pdfs[tids] = np.repeat(np.arange(self.num_pdfs, dtype=np.int32), counts)
        return pdfs

    def to_graph(self) -> DecodingGraph:
        """The graph that it was made of, up to the numbering of its states."""
        arrays = self.arrays
        arcs = arrays["arcs"].reshape(-1, 3)
        epsilons = arrays["epsilons"].reshape(-1, 3)
        emitting = _lengths(self._offsets)
        silent = np.zeros_like(emitting)
        silent[: len(arrays["ranks"])] = _lengths(arrays["epsilon_offsets"])
        states = np.arange(self.num_states)
        # Emitting arcs of a state before its others: both are sorted by state already.
        sources = np.concatenate((np.repeat(states, emitting), np.repeat(states, silent)))
        order = np.argsort(sources, kind="stable")
        labels = arcs[:, 1]
        starts = arrays["tid_offsets"][labels & _PDF_MASK]
        tids = arrays["tids"][starts + ((labels & ~np.uint32(_HAS_WORD)) >> 16)]
        final_costs = np.full(self.num_states, np.inf, np.float32)
        final_costs[arrays["final_states"]] = arrays["final_costs"]

        def column(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return np.concatenate((first, second))[order]

        return DecodingGraph(
            start=self.start,
            offsets=np.concatenate((np.zeros(1, np.int64), np.cumsum(emitting + silent))),
            num_emitting=emitting.astype(np.uint32),
            ilabels=column(tids, np.zeros(len(epsilons), np.uint32)).astype(np.int32),
            olabels=column(arrays["arc_words"], epsilons[:, 1]).astype(np.int32),
            costs=column(arcs[:, 2], epsilons[:, 2]).view(np.float32),
            next_states=column(arcs[:, 0], epsilons[:, 0]).astype(np.int32),
            final_costs=final_costs,
            words=self.words,
        )

    @property
    def _offsets(self) -> npt.NDArray[Any]:
        narrow = self.arrays.get("offsets")
        return self.arrays["wide_offsets"] if narrow is None else narrow

    def _native(self, *, validate: bool) -> _search.Graph:
        try:
            return _search.Graph(self.start, len(self.words), dict(self.arrays), validate)
        except (ValueError, TypeError) as error:
            place = "" if self.path is None else f"{self.path}: "
            raise SpeechError(f"{place}{error}") from None


def _lengths(offsets: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    wide = offsets.astype(np.int64)
    return wide[1:] - wide[:-1]
