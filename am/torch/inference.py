"""Networks in torch behind `recognizer.am.nnet.inference.AcousticNetwork`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from recognizer.am.nnet.inference import AcousticNetwork, Block, FloatArray
from recognizer.am.nnet.network_file import Network
from recognizer.am.torch.network_module import State
from recognizer.am.torch.networks import from_network


class TorchNetwork(AcousticNetwork):
    """`recognizer.am.nnet.inference.AcousticNetwork` in torch.

    Args:
        network: as `recognizer.am.nnet.network_file.read_network` returns it.
        precision: type of the matrix products, torch.float32 or torch.bfloat16.
    """

    def __init__(self, network: Network, *, precision: torch.dtype = torch.float32) -> None:
        super().__init__(network)
        self.module = from_network(network, precision=precision).eval()

    def _initial_state(self) -> State:
        return self.module.initial_state(1)

    def _run(self, blocks: Sequence[Block]) -> list[FloatArray]:
        return [self._run_one(block) for block in blocks]

    def _run_one(self, block: Block) -> FloatArray:
        if len(block.features) == 0:
            return np.empty((0, self.num_outputs), dtype=np.float32)
        with torch.no_grad():
            features = torch.tensor(block.features).unsqueeze(1)
            log_probs, block.state[:] = self.module(features, block.state)
        group = self.options.frame_group
        rows = log_probs[block.skip // group :: self.subsampling // group, 0]
        result: FloatArray = rows.contiguous().numpy()
        return result
