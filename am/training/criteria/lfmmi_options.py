"""Options of lattice-free MMI."""

from __future__ import annotations

import math
from dataclasses import dataclass

from recognizer.data.errors import UsageError


@dataclass(frozen=True)
class LfMmiOptions:
    """How lattice-free MMI is regularised; the defaults are those of Kaldi's chain recipes.

    Attributes:
        leak: coefficient of the leaky HMM: before each frame a competing path may jump to any
            state, with this times the state's occupancy.
        l2: half of this times the squared outputs of each frame is added to the loss.
        cross_entropy: weight of the cross-entropy branch, an output layer of its own that learns
            the numerator's posteriors and is not part of the trained model.
    """

    leak: float = 0.1
    l2: float = 5e-5
    cross_entropy: float = 0.1

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise UsageError(f"LF-MMI option {name}: expected a number >= 0, found {value!r}")
