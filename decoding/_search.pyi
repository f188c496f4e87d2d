from typing import Any

import numpy as np
import numpy.typing as npt

_Ints = npt.NDArray[np.int32]
_Longs = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float32]

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

class Search:
    def __init__(
        self,
        graph: Graph,
        beam: float,
        lattice_beam: float,
        max_active: int,
        min_active: int,
        beam_delta: float,
        acoustic_scale: float,
        prune_interval: int,
    ) -> None: ...
    def start(self) -> None: ...
    def advance(self, scores: _Floats) -> None: ...
    def partial(self) -> _Path: ...
    def finish(
        self,
    ) -> tuple[_Ints, _Ints, _Ints, _Ints, _Ints, _Floats, _Floats, _Floats, bool]: ...
    def stats(self) -> dict[str, int]: ...
    @property
    def num_frames(self) -> int: ...

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
