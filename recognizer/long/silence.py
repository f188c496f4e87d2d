"""How likely each frame of a recording is silence, by the acoustic model's own posteriors."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from recognizer.am.features.fbank import fbank
from recognizer.am.nnet.acoustic_model import AcousticModel
from recognizer.data.audio.reading import Samples

FloatArray = npt.NDArray[np.float32]


class SilenceDetector:
    """Log odds of silence, frame by frame; several threads may share it.

    Noise and music that are no speech count as silence as far as the acoustic model was trained
    so. The log priors of the outputs are left out: with them, silence would be no likelier than
    any other state of the tree.

    Args:
        model: gives the log posteriors of its outputs.
        silence_pdfs: the outputs that stand for silence (`TransitionModel.silence_pdfs`).
    """

    def __init__(self, model: AcousticModel, silence_pdfs: Iterable[int]) -> None:
        self._model = model
        self._silence = sorted(silence_pdfs)

    def log_odds(self, samples: Samples) -> FloatArray:
        """Natural log of P(silence) / P(speech) of each output frame ``[T]``.

        Args:
            samples: 16 kHz mono ``[N]``, enough for one frame.
        """
        features = fbank(samples, self._model.features)
        log_posteriors = self._model.network.log_posteriors([features])[0]
        posteriors = np.exp(log_posteriors, out=log_posteriors)
        silence = posteriors[:, self._silence].sum(axis=1)
        posteriors[:, self._silence] = 0.0
        speech = posteriors.sum(axis=1)
        tiny = np.finfo(np.float32).tiny
        odds: FloatArray = np.log(np.maximum(silence, tiny)) - np.log(np.maximum(speech, tiny))
        return odds.astype(np.float32)
