"""Speech through a telephone."""

from __future__ import annotations

import io
from typing import Literal, get_args

import numpy as np
import soundfile
import soxr

from recognizer.data.audio.reading import SAMPLE_RATE, Samples
from recognizer.data.augmentation.filtering import band_pass, convolve
from recognizer.data.errors import UsageError

Coding = Literal["ulaw", "alaw", "gsm"]
"""Of telephone networks: ITU-T G.711 mu-law and A-law (64 kbit/s), GSM 06.10 (13 kbit/s)."""

CODINGS: tuple[Coding, ...] = get_args(Coding)

_SUBTYPES: dict[Coding, str] = {"ulaw": "ULAW", "alaw": "ALAW", "gsm": "GSM610"}  # libsndfile's
_RATE = 8000
_BAND = 300.0, 3400.0  # Hz
_TAPS = 161  # edges of 160 Hz


def telephone(samples: Samples, coding: Coding) -> Samples:
    """Speech as a telephone transmits it: 300 to 3400 Hz, 8000 samples per second, coded.

    Args:
        samples: float32 `[N]`, at least one; what leaves [-1, 1] is clipped.
        coding: of the transmission.

    Returns:
        float32 `[N]`, not delayed.

    Raises:
        UsageError: another coding.
    """
    if coding not in CODINGS:
        raise UsageError(f"telephone: expected {' or '.join(CODINGS)}, found {coding!r}")
    narrow = soxr.resample(samples, SAMPLE_RATE, _RATE, quality="HQ")
    narrow = convolve(narrow, band_pass(*_BAND, _RATE, _TAPS), _TAPS // 2)
    file = io.BytesIO()
    # Beyond full scale libsndfile's tables would be left.
    narrow = np.clip(narrow, -1.0, 1.0)
    soundfile.write(file, narrow, _RATE, subtype=_SUBTYPES[coding], format="WAV")
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")  # GSM fills its last block up
    wide = soxr.resample(decoded[: len(narrow)], _RATE, SAMPLE_RATE, quality="HQ")
    # Of an odd number of samples half a one was lost or won.
    heard = np.zeros(len(samples), np.float32)
    heard[: len(wide)] = wide[: len(samples)]
    return heard
