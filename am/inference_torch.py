"""Networks in torch behind `am.inference.AcousticModel`."""

from __future__ import annotations

import torch

from am.inference import DelayedSession, FloatArray, NetworkModel
from am.network_file import Network
from am.networks import from_network


class TorchLstmp(NetworkModel):
    """`am.inference.AcousticModel` in torch.

    Args:
        network: as `am.network_file.read_network` returns it.
        precision: type of the matrix products, torch.float32 or torch.bfloat16.
    """

    def __init__(self, network: Network, *, precision: torch.dtype = torch.float32) -> None:
        super().__init__(network)
        self.module = from_network(network, precision=precision).eval()

    def start(self) -> TorchSession:
        """Begin an utterance with zero states."""
        return TorchSession(self)


class TorchSession(DelayedSession):
    """One utterance, see `am.inference.AcousticSession`."""

    def __init__(self, model: TorchLstmp) -> None:
        super().__init__(model.options)
        self._module = model.module
        self._state = model.module.initial_state(1)

    def _run(self, features: FloatArray, drop: int) -> FloatArray:
        with torch.no_grad():
            block = torch.tensor(features).unsqueeze(1)
            log_probs, self._state = self._module(block, self._state)
        result: FloatArray = log_probs[drop:, 0].numpy()
        return result
