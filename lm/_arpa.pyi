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
