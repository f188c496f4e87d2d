"""Networks in native code; `recognizer.am.nnet.native` is the interface to use."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

Layer = Mapping[str, FloatArray | float | str]
"""Tensors and options of a layer by name, see ``am/csrc/network/read_network.h``."""

class Network:
    def __init__(
        self,
        input_output: Mapping[str, FloatArray],
        layers: Sequence[Layer],
        int8: bool,
        level: str,
        reverse_layers: Sequence[Layer] = ...,
        subsampling: int = 1,
        mean_window: int = 0,
        mean_prior: int = 0,
    ) -> None: ...
    @property
    def level(self) -> str: ...
    @property
    def state_size(self) -> int: ...
    def run(
        self,
        features: list[FloatArray],
        states: list[FloatArray],
        skips: list[int],
        threads: int,
    ) -> list[FloatArray]: ...

def levels() -> list[str]: ...
def functions(x: FloatArray, level: str) -> tuple[FloatArray, FloatArray, FloatArray]: ...
