"""What happened inside a Neural Turing Machine while it copied one sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class CopyTrace:
    """One copied sequence of L vectors, in 2 L + 1 steps.

    Attributes:
        inputs: [T, inputs].
        targets: [L, bits].
        predicted: probabilities of 1, [L, bits].
        write_weighting: of the first writing head, [T, N].
        read_weighting: of the first reading head, [T, N].
        added: vectors that the first writing head added, [T, M].
        read: vectors that the first reading head read, [T, M].
        memory: after the last input vector, [N, M].
    """

    inputs: npt.NDArray[np.float32]
    targets: npt.NDArray[np.float32]
    predicted: npt.NDArray[np.float32]
    write_weighting: npt.NDArray[np.float32]
    read_weighting: npt.NDArray[np.float32]
    added: npt.NDArray[np.float32]
    read: npt.NDArray[np.float32]
    memory: npt.NDArray[np.float32]
