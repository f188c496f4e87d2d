"""Speed perturbation."""

from __future__ import annotations

import numpy as np
import soxr

from recognizer.data.audio.reading import SAMPLE_RATE, Samples
from recognizer.data.errors import UsageError


def speed_perturb(samples: Samples, factor: float) -> Samples:
    """Speak faster (factor > 1) or slower, pitch moving along, as sox's `speed` does.

    Ko, Peddinti, Povey, Khudanpur: Audio augmentation for speech recognition, Interspeech 2015.

    Args:
        samples: float32 `[N]`.
        factor: in [0.5, 2]; 1 returns the samples unchanged.

    Returns:
        float32 of about `N / factor` samples.

    Raises:
        UsageError: another factor.
    """
    if not 0.5 <= factor <= 2.0:
        raise UsageError(f"expected a speed factor in [0.5, 2], found {factor}")
    if factor == 1.0:
        return samples
    resampled = soxr.resample(samples, SAMPLE_RATE * factor, SAMPLE_RATE, quality="HQ")
    return np.ascontiguousarray(resampled, dtype=np.float32)
