from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_LETTERS: int
MAX_PHONES: int

class AlignmentGraphs:
    def __init__(
        self,
        letters: npt.NDArray[np.int32],
        letter_offsets: npt.NDArray[np.int64],
        phones: npt.NDArray[np.int32],
        phone_offsets: npt.NDArray[np.int64],
    ) -> None: ...
    def graphones(self) -> npt.NDArray[np.int32]: ...
    def count(
        self, log_weights: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], float]: ...
    def align(
        self, log_weights: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]: ...

def pronounce(
    automaton: Mapping[str, npt.NDArray[Any]],
    compact: bool,
    graphones: npt.NDArray[np.int32],
    letters: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    count: int,
    beam: float,
    max_active: int,
    max_paths: int,
) -> tuple[
    npt.NDArray[np.int32],
    npt.NDArray[np.int64],
    npt.NDArray[np.float64],
    npt.NDArray[np.int64],
]: ...
