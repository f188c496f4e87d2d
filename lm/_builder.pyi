import numpy as np
import numpy.typing as npt

def count_keys(
    keys: npt.NDArray[np.uint32],
    directory: str,
    memory_bytes: int,
    threads: int,
    runs: list[str] = ...,
    keep: bool = ...,
) -> npt.NDArray[np.uint32]: ...
