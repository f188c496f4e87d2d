"""How likely each frame of a recording is silence, by the acoustic model's own outputs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from recognizer.am.features.fbank import fbank
from recognizer.am.nnet.acoustic_model import AcousticModel, CtcModel
from recognizer.data.audio.reading import Samples
from recognizer.model.bundle import ModelBundle

FloatArray = npt.NDArray[np.float32]

_SEQUENCE_SCALE = 6.0
"""Log odds for a unit of the difference of two outputs of a network trained with lattice-free MMI.

In pauses of faint noise beside a recording of LibriSpeech, the best output of silence is 0.3 to 1.3
above the best one of speech, and within the recording about 1 below: this scale makes them as far
apart as the log odds of posteriors are, for which the thresholds are.
"""


class SilenceDetector:
    """Log odds of silence, frame by frame; several threads may share it.

    Noise and music that are no speech count as silence as far as the acoustic model was trained
    so. The log priors of the outputs are left out: with them, silence would be no likelier than
    any other state of the tree.

    The outputs of a network trained with lattice-free MMI are no posteriors of single frames:
    thousands of improbable states together outweigh silence. There the best output of silence is
    compared with the best one of speech.

    Args:
        model: gives the log posteriors of its outputs.
        silence_pdfs: the outputs that stand for silence (`TransitionModel.silence_pdfs`).
        posteriors: whether the network's outputs are posteriors.
    """

    def __init__(
        self, model: AcousticModel, silence_pdfs: Iterable[int], *, posteriors: bool = True
    ) -> None:
        self._model = model
        self._silence = sorted(silence_pdfs)
        self._posteriors = posteriors

    @classmethod
    def of(cls, bundle: ModelBundle) -> SilenceDetector:
        """The detector of a model directory."""
        acoustic = bundle.config.acoustic
        return cls(
            bundle.acoustic_model,
            bundle.labels.silence_outputs,
            posteriors=acoustic.kind == CtcModel.kind or acoustic.priors != "none",
        )

    def log_odds(self, samples: Samples) -> FloatArray:
        """Natural log of P(silence) / P(speech) of each output frame ``[T]``.

        Args:
            samples: 16 kHz mono ``[N]``, enough for one frame.
        """
        features = fbank(samples, self._model.features)
        log_posteriors = self._model.network.log_posteriors([features])[0]
        if not self._posteriors:
            best = log_posteriors[:, self._silence].max(axis=1)
            log_posteriors[:, self._silence] = -np.inf
            difference: FloatArray = _SEQUENCE_SCALE * (best - log_posteriors.max(axis=1))
            return difference
        posteriors = np.exp(log_posteriors, out=log_posteriors)
        silence = posteriors[:, self._silence].sum(axis=1)
        posteriors[:, self._silence] = 0.0
        speech = posteriors.sum(axis=1)
        tiny = np.finfo(np.float32).tiny
        odds: FloatArray = np.log(np.maximum(silence, tiny)) - np.log(np.maximum(speech, tiny))
        return odds.astype(np.float32)
