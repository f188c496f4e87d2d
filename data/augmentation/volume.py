"""Recordings at another level."""

from __future__ import annotations

import numpy as np

from recognizer.data.audio.reading import Samples
from recognizer.data.errors import UsageError

_STEPS = 32768.0  # of 16-bit samples, in [-1, 1]


def change_volume(samples: Samples, gain_db: float) -> Samples:
    """Record at another level with 16 bits.

    What becomes too loud is clipped, and quiet speech keeps the rounding errors of 16-bit samples:
    features of speech at -40 dB are not those of the original, shifted.

    Args:
        samples: float32 `[N]`.
        gain_db: of the amplitude, in dB; 0 changes nothing but the rounding.

    Returns:
        float32 `[N]`, multiples of 1 / 32768 in [-1, 1).

    Raises:
        UsageError: the gain is not a finite number.
    """
    if not np.isfinite(gain_db):
        raise UsageError(f"expected a finite gain in dB, found {gain_db}")
    scaled = samples * np.float32(_STEPS * 10.0 ** (gain_db / 20.0))
    np.rint(scaled, out=scaled)
    np.clip(scaled, -_STEPS, _STEPS - 1.0, out=scaled)
    changed: Samples = scaled * np.float32(1.0 / _STEPS)
    return changed
