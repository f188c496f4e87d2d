"""Forward-backward of sequence criteria; `recognizer.am.training.criteria` uses it."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Real = TypeVar("Real", Floats, Doubles)

class Denominator:
    def __init__(
        self,
        sources: Ints,
        destinations: Ints,
        pdfs: Ints,
        log_probs: Floats,
        occupancy: Floats,
        outputs: int,
        leak: float,
        level: str = "",
    ) -> None: ...
    def run(
        self,
        logits: Real,
        begins: Longs,
        lengths: Longs,
        alphas: Real,
        posteriors: Real | None,
        threads: int,
    ) -> Doubles: ...

def numerators(
    logits: Floats | Doubles,
    begins: Longs,
    lengths: Longs,
    sources: Ints,
    destinations: Ints,
    labels: Ints,
    log_probs: Floats,
    first_frames: Ints,
    last_frames: Ints,
    arcs: Longs,
    states: Longs,
    alphas: Doubles,
    finals: Doubles,
    threads: int,
) -> tuple[Doubles, Longs, Longs, Doubles]: ...
def expected_accuracies(
    scores: Floats | Doubles,
    begins: Longs,
    lengths: Longs,
    sources: Ints,
    destinations: Ints,
    labels: Ints,
    log_probs: Floats,
    accuracies: Floats,
    arcs: Longs,
    state_frames: Ints,
    finals: Floats,
    states: Longs,
    threads: int,
) -> tuple[Doubles, Longs, Longs, Doubles]: ...
def levels() -> list[str]: ...
