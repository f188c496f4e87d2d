from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

_Ints = npt.NDArray[np.int32]
_Longs = npt.NDArray[np.int64]
_Doubles = npt.NDArray[np.float64]

class _Histories(Protocol):
    def start(self) -> int: ...
    def score(self, history: int, word: int) -> tuple[float, int]: ...
    def final(self, history: int) -> float: ...

class Model: ...

class AutomatonModel(Model):
    def __init__(
        self, arrays: Mapping[str, npt.NDArray[Any]], word_ids: _Ints, epsilon: bool
    ) -> None: ...

class CompactAutomatonModel(Model):
    def __init__(
        self, arrays: Mapping[str, npt.NDArray[Any]], word_ids: _Ints, epsilon: bool
    ) -> None: ...

class PythonModel(Model):
    def __init__(self, open: Callable[[], _Histories], num_words: int) -> None: ...

class MixtureModel(Model):
    def __init__(self) -> None: ...
    def add(self, model: Model, weight: float, scores: npt.NDArray[np.bool_]) -> None: ...

class Rescoring:
    def __init__(
        self,
        arc_offsets: _Longs,
        targets: _Ints,
        words: _Ints,
        graph_costs: _Doubles,
        acoustic_costs: _Doubles,
        final_graph_costs: _Doubles,
        final_acoustic_costs: _Doubles,
        ends: bool,
        old: Model,
        new: Model,
    ) -> None: ...
    def expand(
        self,
        acoustic_scale: float,
        lm_scale: float,
        word_insertion_penalty: float,
        beam: float,
        max_arcs: int,
    ) -> tuple[int, float, float] | None: ...
    def stats(self) -> tuple[int, int, int, float, bool]: ...
    def best_path(self) -> tuple[_Longs, float]: ...
    def lattice(self) -> tuple[_Ints, _Doubles, _Ints, _Ints, _Longs, _Doubles]: ...
