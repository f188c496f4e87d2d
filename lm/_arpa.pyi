import numpy as np
import numpy.typing as npt

class ArpaError(ValueError): ...

class ArpaParser:
    def __init__(self) -> None: ...
    def parse(
        self, text: bytes, order: int, highest: bool, first_line: int
    ) -> tuple[
        npt.NDArray[np.int64],
        npt.NDArray[np.float64],
        npt.NDArray[np.float64],
        npt.NDArray[np.int32],
    ]: ...
    def add(self, word: bytes) -> None: ...
    def words(self) -> list[bytes]: ...

class WordList:
    def __init__(self, text: bytes) -> None: ...
    def __len__(self) -> int: ...

def format_ngrams(
    words: WordList,
    order: int,
    ids: npt.NDArray[np.int32],
    log10_probs: npt.NDArray[np.float64],
    log10_backoffs: npt.NDArray[np.float64] | None,
    decimals: int,
) -> bytes: ...
def format_log10(log10: float, decimals: int) -> str: ...
