from typing import Any

import numpy as np
import numpy.typing as npt

_Ints = npt.NDArray[np.int32]

class ExtendableGraph:
    def __init__(
        self,
        start: int,
        graph: dict[str, npt.NDArray[Any]],
        transitions: dict[str, npt.NDArray[Any]],
        tree: dict[str, npt.NDArray[Any]],
        ends_word: npt.NDArray[np.bool_],
        silence: int,
        no_silence: float,
        shared: float,
    ) -> None: ...
    def extend(
        self,
        offsets: npt.NDArray[np.int64],
        phones: _Ints,
        words: _Ints,
        costs: npt.NDArray[np.float32],
    ) -> dict[str, npt.NDArray[Any]]: ...
