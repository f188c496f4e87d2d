from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.decoding import _search

MAX_ORDER: int

class ComposedGraph:
    def __init__(
        self,
        start: int,
        num_words: int,
        graph: dict[str, npt.NDArray[Any]],
        automaton: dict[str, npt.NDArray[Any]],
        words: npt.NDArray[np.int32],
        max_class: int,
    ) -> None: ...
    @property
    def num_pdfs(self) -> int: ...

class LookAhead:
    def __init__(self, graph: ComposedGraph, max_bytes: int) -> None: ...
    def find(self, state: int, of_class: int) -> tuple[int, float, float]: ...

# Not its subclass in fact, but it answers all the same.
class Search(_search.Search):
    def __init__(
        self,
        graph: ComposedGraph,
        beam: float,
        lattice_beam: float,
        max_active: int,
        min_active: int,
        beam_delta: float,
        acoustic_scale: float,
        prune_interval: int,
        epsilon: bool,
        look_ahead_bytes: int,
    ) -> None: ...

def word_classes(
    graph: ComposedGraph, max_words: int
) -> tuple[
    npt.NDArray[np.uint32],
    npt.NDArray[np.uint64],
    npt.NDArray[np.uint32],
    npt.NDArray[np.uint32],
]: ...
