"""Options of state-level minimum Bayes risk."""

from __future__ import annotations

import math
from dataclasses import dataclass

from recognizer.data.errors import UsageError


@dataclass(frozen=True)
class SmbrOptions:
    """How lattices are scored and the criterion is smoothed; the scale is that of Kaldi's recipes.

    Attributes:
        acoustic_scale: factor of log posteriors less log priors, beside the lattices' weights.
        cross_entropy: weight of the references' cross-entropy, which keeps the network from
            fitting the few paths of the lattices (f-smoothing, Su et al. 2013).
    """

    acoustic_scale: float = 0.1
    cross_entropy: float = 0.1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.acoustic_scale) and self.acoustic_scale > 0):
            raise UsageError(
                f"sMBR option acoustic_scale: expected a number > 0, found {self.acoustic_scale!r}"
            )
        if not (math.isfinite(self.cross_entropy) and self.cross_entropy >= 0):
            raise UsageError(
                f"sMBR option cross_entropy: expected a number >= 0, found {self.cross_entropy!r}"
            )
