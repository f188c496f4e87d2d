"""How likely each frame of a recording is silence, by the acoustic model's own outputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.am.features.fbank import fbank
from recognizer.am.nnet.acoustic_model import AcousticModel, CtcModel
from recognizer.data.audio.reading import Samples
from recognizer.model.bundle import ModelBundle

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SilenceCalibration:
    """Log odds of silence are a linear function of a difference of two outputs.

    Attributes:
        scale: log odds for a unit of the difference.
        bias: log odds where the two are equal.
    """

    scale: float
    bias: float


SEQUENCE_CALIBRATION = SilenceCalibration(scale=4.36, bias=2.26)
"""For networks trained with lattice-free MMI.

It is that of the shipped model: ``python -m benchmarks.endpointing --parts calibration`` finds it
by logistic regression on frames of development sets, clean and in noise and music, speech and
pauses weighted alike.
"""


class SilenceDetector:
    """Log odds of silence, frame by frame; several threads may share it.

    Noise and music that are no speech count as silence as far as the acoustic model was trained
    so. The log priors of the outputs are left out: with them, silence would be no likelier than
    any other state of the tree.

    The outputs of a network trained with lattice-free MMI are no posteriors of single frames:
    thousands of improbable states together outweigh silence. There the best output of silence is
    compared with the best one of speech, and the difference is calibrated.

    Args:
        model: gives the log posteriors of its outputs.
        silence_pdfs: the outputs that stand for silence (`TransitionModel.silence_pdfs`).
        calibration: of the difference of the best outputs; None: the outputs are posteriors.
    """

    def __init__(
        self,
        model: AcousticModel,
        silence_pdfs: Iterable[int],
        *,
        calibration: SilenceCalibration | None = None,
    ) -> None:
        self._model = model
        self._silence = sorted(silence_pdfs)
        self._calibration = calibration

    @classmethod
    def of(
        cls, bundle: ModelBundle, calibration: SilenceCalibration = SEQUENCE_CALIBRATION
    ) -> SilenceDetector:
        """The detector of a model directory.

        Args:
            bundle: the model.
            calibration: where the network was trained with lattice-free MMI.
        """
        acoustic = bundle.config.acoustic
        posteriors = acoustic.kind == CtcModel.kind or acoustic.priors != "none"
        return cls(
            bundle.acoustic_model,
            bundle.labels.silence_outputs,
            calibration=None if posteriors else calibration,
        )

    def log_odds(self, samples: Samples) -> FloatArray:
        """Natural log of P(silence) / P(speech) of each output frame ``[T]``.

        Args:
            samples: 16 kHz mono ``[N]``, enough for one frame.
        """
        features = fbank(samples, self._model.features)
        log_posteriors = self._model.network.log_posteriors([features])[0]
        if self._calibration is not None:
            best = log_posteriors[:, self._silence].max(axis=1)
            log_posteriors[:, self._silence] = -np.inf
            difference: FloatArray = best - log_posteriors.max(axis=1)
            return self._calibration.scale * difference + self._calibration.bias
        posteriors = np.exp(log_posteriors, out=log_posteriors)
        silence = posteriors[:, self._silence].sum(axis=1)
        posteriors[:, self._silence] = 0.0
        speech = posteriors.sum(axis=1)
        tiny = np.finfo(np.float32).tiny
        odds: FloatArray = np.log(np.maximum(silence, tiny)) - np.log(np.maximum(speech, tiny))
        return odds.astype(np.float32)
