from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

class NgramError(ValueError): ...

class AutomatonBuilder:
    def __init__(
        self,
        directory: str,
        vocabulary_size: int,
        begin: int,
        end: int,
        memory_bytes: int,
        threads: int,
        max_states: int,
    ) -> None: ...
    def begin(self) -> None: ...
    def add(
        self,
        ids: npt.NDArray[np.int32],
        log10_probs: npt.NDArray[np.float64],
        log10_backoffs: npt.NDArray[np.float64],
    ) -> None: ...
    def end(self, progress: Callable[[int], None]) -> None: ...
    def build(self, progress: Callable[[int], None]) -> None: ...

def pack(
    arrays: Mapping[str, npt.NDArray[Any]],
    log_prob_table: npt.NDArray[np.float32],
    backoff_table: npt.NDArray[np.float32],
    directory: str,
) -> list[int]: ...
def unpack(arrays: Mapping[str, npt.NDArray[Any]], directory: str) -> None: ...

class AutomatonNgrams:
    def __init__(
        self,
        arrays: Mapping[str, npt.NDArray[Any]],
        compact: bool,
        order: int,
        begin: int,
        end: int,
        begin_log10_prob: float,
    ) -> None: ...
    def counts(self) -> list[int]: ...
    def begin(self, order: int) -> None: ...
    def next(
        self, at_least: int
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64], npt.NDArray[np.float64]]: ...
