import numpy as np
import numpy.typing as npt

_Ints = npt.NDArray[np.int32]
_Longs = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float32]
_Doubles = npt.NDArray[np.float64]

CompactArrays = tuple[
    _Ints,
    _Ints,
    _Ints,
    _Ints,
    _Doubles,
    _Doubles,
    _Longs,
    _Ints,
    _Doubles,
    _Doubles,
    _Longs,
    _Ints,
    float,
]

def determinize(
    sources: _Ints,
    targets: _Ints,
    tids: _Ints,
    words: _Ints,
    graph_costs: _Floats,
    acoustic_costs: _Floats,
    final_costs: _Floats,
    acoustic_scale: float,
    beam: float,
    max_memory: int,
) -> CompactArrays: ...
def best_path(
    sources: _Ints,
    targets: _Ints,
    tids: _Ints,
    words: _Ints,
    graph_costs: _Floats,
    acoustic_costs: _Floats,
    final_costs: _Floats,
    acoustic_scale: float,
) -> tuple[_Ints, _Ints, float, float]: ...
def forward_backward(
    sources: _Ints, targets: _Ints, words: _Ints, costs: _Doubles, final_costs: _Doubles
) -> tuple[_Doubles, _Doubles]: ...
def minimum_bayes_risk(
    sources: _Ints,
    targets: _Ints,
    words: _Ints,
    costs: _Doubles,
    final_costs: _Doubles,
    begins: _Doubles,
    ends: _Doubles,
    final_begins: _Doubles,
    final_ends: _Doubles,
    hypothesis: _Ints,
    decode: bool,
) -> tuple[float, _Ints, _Longs, _Ints, _Doubles, _Doubles, _Doubles]: ...
def oracle(
    sources: _Ints,
    targets: _Ints,
    words: _Ints,
    costs: _Doubles,
    final_costs: _Doubles,
    reference: _Ints,
) -> tuple[int, int, int, _Ints]: ...
