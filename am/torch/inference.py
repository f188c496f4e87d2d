"""Networks in torch behind `recognizer.am.nnet.inference.AcousticModel`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from recognizer.am.nnet.inference import DelayedSession, FloatArray, NetworkModel, checked_features
from recognizer.am.nnet.network_file import Network
from recognizer.am.torch.networks import from_network


class TorchNetwork(NetworkModel):
    """`recognizer.am.nnet.inference.AcousticModel` in torch.

    Args:
        network: as `recognizer.am.nnet.network_file.read_network` returns it.
        precision: type of the matrix products, torch.float32 or torch.bfloat16.
    """

    def __init__(self, network: Network, *, precision: torch.dtype = torch.float32) -> None:
        super().__init__(network)
        self.module = from_network(network, precision=precision).eval()

    def start(self) -> TorchSession:
        """See `recognizer.am.nnet.inference.AcousticModel.start`."""
        self.require_streaming()
        return TorchSession(self)

    def log_posteriors(self, features: Sequence[npt.ArrayLike]) -> list[FloatArray]:
        """See `recognizer.am.nnet.inference.AcousticModel.log_posteriors`."""
        return [self._of_utterance(utterance) for utterance in features]

    def _of_utterance(self, features: npt.ArrayLike) -> FloatArray:
        if self.options.streaming:
            session = self.start()
            return np.concatenate((session.advance(features), session.finish()))
        block = checked_features(features, self.input_dim)
        with torch.no_grad():
            log_probs, _ = self.module(torch.tensor(block).unsqueeze(1), [])
        result: FloatArray = log_probs[:, 0].numpy()
        return result


class TorchSession(DelayedSession):
    """One utterance, see `recognizer.am.nnet.inference.AcousticSession`."""

    def __init__(self, model: TorchNetwork) -> None:
        super().__init__(model.options)
        self._module = model.module
        self._state = model.module.initial_state(1)

    def _run(self, features: FloatArray, drop: int) -> FloatArray:
        with torch.no_grad():
            block = torch.tensor(features).unsqueeze(1)
            log_probs, self._state = self._module(block, self._state)
        result: FloatArray = log_probs[drop:, 0].numpy()
        return result
