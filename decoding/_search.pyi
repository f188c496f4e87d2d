from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.decoding._lattice import CompactArrays

_Ints = npt.NDArray[np.int32]
_Longs = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float32]

MAX_ORDER: int

_Path = tuple[_Ints, _Ints, float, float]

class Graph:
    def __init__(
        self,
        start: int,
        num_words: int,
        arrays: dict[str, npt.NDArray[Any]],
        validate: bool,
    ) -> None: ...
    @property
    def num_pdfs(self) -> int: ...

class Options:
    def __init__(
        self,
        *,
        beam: float,
        lattice_beam: float,
        max_active: int,
        min_active: int,
        acoustic_scale: float,
        prune_interval: int,
        prune_scale: float,
        beam_delta: float,
        max_kept_links: int,
    ) -> None: ...
    @property
    def beam(self) -> float: ...
    @property
    def lattice_beam(self) -> float: ...
    @property
    def max_active(self) -> int: ...
    @property
    def min_active(self) -> int: ...
    @property
    def acoustic_scale(self) -> float: ...
    @property
    def prune_interval(self) -> int: ...
    @property
    def prune_scale(self) -> float: ...
    @property
    def beam_delta(self) -> float: ...
    @property
    def max_kept_links(self) -> int: ...

class Search:
    def start(self) -> None: ...
    def start_compact(self, acoustic_scale: float, beam: float, max_memory: int) -> None: ...
    def advance(self, scores: _Floats) -> None: ...
    def partial(self) -> _Path: ...
    def update_best_path(self) -> tuple[_Ints, _Ints]: ...
    def trailing_silence(self) -> int: ...
    def final_relative_cost(self) -> float: ...
    def set_silence(self, is_silence: npt.NDArray[np.uint8]) -> None: ...
    def finish(
        self,
    ) -> tuple[_Ints, _Ints, _Ints, _Ints, _Ints, _Floats, _Floats, _Floats, bool]: ...
    def finish_compact(self) -> tuple[CompactArrays, bool]: ...
    def memory(self) -> dict[str, int]: ...
    def stats(self) -> dict[str, int]: ...
    @property
    def num_frames(self) -> int: ...

class StaticSearch(Search):
    def __init__(self, graph: Graph, options: Options, best_only: bool) -> None: ...

class CompositionPool:
    def __init__(
        self, graph: ComposedGraph, epsilon: bool, max_bytes: int, phrases: Phrases | None
    ) -> None: ...

class OnTheFlySearch(Search):
    def __init__(self, pool: CompositionPool, options: Options, best_only: bool) -> None: ...

class Phrases:
    def __init__(
        self,
        words: npt.NDArray[np.uint32],
        offsets: _Longs,
        bonuses: _Floats,
    ) -> None: ...
    def next(self, node: int, word: int) -> tuple[int, float]: ...
    def advance(self, node: int) -> float: ...

class ComposedGraph:
    def __init__(
        self,
        start: int,
        num_words: int,
        graph: dict[str, npt.NDArray[Any]],
        automaton: dict[str, npt.NDArray[Any]],
        words: _Ints,
        num_ahead: int,
        max_class: int,
    ) -> None: ...

class LookAhead:
    def __init__(self, graph: ComposedGraph, max_bytes: int) -> None: ...
    def find(self, state: int, of_class: int) -> tuple[int, float, float]: ...

def word_classes(
    graph: ComposedGraph, max_words: int
) -> tuple[
    npt.NDArray[np.uint32],
    npt.NDArray[np.uint64],
    npt.NDArray[np.uint32],
    npt.NDArray[np.uint32],
]: ...
def pack(
    start: int,
    offsets: _Longs,
    num_emitting: npt.NDArray[np.uint32],
    ilabels: _Ints,
    olabels: _Ints,
    costs: _Floats,
    next_states: _Ints,
    final_costs: _Floats,
    pdfs: _Ints,
) -> dict[str, Any]: ...
