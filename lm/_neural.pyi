from typing import Any

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.floating[Any]]

def memory_step(
    emitted: Reals,
    memory: Reals,
    weighting: Reals,
    read_heads: int,
    write_heads: int,
    shift_range: int,
    new_memory: Reals,
    new_weighting: Reals,
    read: Reals,
    tape: Reals,
) -> None: ...
def memory_step_gradient(
    emitted: Reals,
    memory: Reals,
    weighting: Reals,
    read_heads: int,
    write_heads: int,
    shift_range: int,
    new_memory: Reals,
    new_weighting: Reals,
    tape: Reals,
    d_new_memory: Reals,
    d_new_weighting: Reals,
    d_read: Reals,
    d_emitted: Reals,
    d_memory: Reals,
    d_weighting: Reals,
) -> None: ...
