"""A network and its criterion as one module, whose parameters are trained together."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from recognizer.am.torch.network_module import NetworkModule, State, reset_state
from recognizer.am.training.criteria.criterion import ChunkLoss, Criterion
from recognizer.am.training.data.batching import Chunk


class StreamStates(NamedTuple):
    """What is carried from one chunk of N streams to the next.

    Attributes:
        network: recurrent states; rows of streams whose utterance begins are zeroed.
        criterion: its own, which it begins anew itself.
    """

    network: State
    criterion: State


class Objective(nn.Module):
    """The criterion of a network's outputs, as a function of features and targets.

    Args:
        network: from features to outputs.
        criterion: from outputs and targets to a loss.
    """

    def __init__(self, network: NetworkModule, criterion: Criterion) -> None:
        super().__init__()
        self.network = network
        self.criterion = criterion

    @property
    def whole_utterances(self) -> bool:
        """Whether the network or the criterion needs chunks of whole utterances."""
        return self.network.whole_utterances or self.criterion.whole_utterances

    def initial_states(self, streams: int) -> StreamStates:
        """Of N streams before their first utterances."""
        return StreamStates(
            self.network.initial_state(streams), self.criterion.initial_state(streams)
        )

    def weights(self) -> dict[str, Tensor]:
        """All that training moves: the parameters, and then running statistics of the network."""
        statistics = self.network.running_statistics()
        return dict(self.named_parameters()) | {f"network.{n}": v for n, v in statistics.items()}

    def forward(self, chunk: Chunk, states: StreamStates) -> tuple[ChunkLoss, StreamStates]:
        """The loss of a chunk, and the states after it, detached.

        Args:
            chunk: N streams.
            states: before it; rows of streams that begin an utterance are zeroed in place.
        """
        network = self.network
        reset_state(states.network, torch.from_numpy(chunk.fresh))
        lengths = torch.from_numpy(chunk.lengths)
        features = to_device(torch.from_numpy(chunk.features), network.device)
        outputs, after = network.outputs(features, states.network, lengths)
        loss: ChunkLoss = self.criterion(outputs, chunk.targets, states.criterion)
        return loss, StreamStates(
            [tensor.detach() for tensor in after], [tensor.detach() for tensor in loss.state]
        )


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on another device; the copy to a GPU waits for nothing there."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
