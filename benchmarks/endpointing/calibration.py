"""From a difference of outputs to log odds of silence: logistic regression on known frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.endpointing import mixtures
from benchmarks.endpointing.silence import of_frames
from recognizer.data.audio.reading import Samples
from recognizer.long.silence import SilenceCalibration, SilenceDetector
from recognizer.model.bundle import ModelBundle

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_STEPS = 30


def differences(
    model: ModelBundle, clean: Sequence[mixtures.Utterance], mixed: Sequence[Samples]
) -> tuple[FloatArray, BoolArray]:
    """Of the frames of one condition that count: the difference of outputs, and whether silent."""
    detector = SilenceDetector.of(model, SilenceCalibration(1.0, 0.0))
    shift = model.acoustic_model.output_frame_shift
    found = [of_frames(detector.log_odds(one), one, shift) for one in mixed]
    scored = np.concatenate([one.scored for one in clean])
    speech = np.concatenate([one.speech for one in clean])
    return np.concatenate(found)[scored].astype(np.float64), ~speech[scored]


def calibrated(conditions: Sequence[tuple[FloatArray, BoolArray]]) -> SilenceCalibration:
    """The scale and bias of the largest likelihood.

    All conditions weigh the same, and in each of them silence and speech do.

    Args:
        conditions: what `differences` gives.
    """
    values = np.concatenate([found for found, _ in conditions])
    silent = np.concatenate([silence for _, silence in conditions]).astype(np.float64)
    weights = np.concatenate(
        [np.where(one, 0.5 / one.sum(), 0.5 / (~one).sum()) for _, one in conditions]
    )
    rows = np.stack([values, np.ones_like(values)])
    parameters = np.zeros(2)
    for _ in range(_STEPS):  # Newton's method; the likelihood is concave
        probability = 1.0 / (1.0 + np.exp(-parameters @ rows))
        gradient = rows @ (weights * (silent - probability))
        hessian = (rows * weights * probability * (1.0 - probability)) @ rows.T
        parameters = parameters + np.linalg.solve(hessian, gradient)
    scale, bias = parameters.tolist()
    return SilenceCalibration(scale, bias)
