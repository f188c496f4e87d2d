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
def write_arpa(
    arrays: Mapping[str, npt.NDArray[Any]],
    compact: bool,
    vocabulary: npt.NDArray[np.uint8],
    order: int,
    begin: int,
    end: int,
    begin_log10_prob: float,
    decimals: int,
    write: Callable[[bytes], object],
) -> None: ...
def format_log10(log10: float, decimals: int) -> str: ...
