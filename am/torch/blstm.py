"""Deep bidirectional LSTM(P) in torch: each layer runs over the utterance from both ends.

Graves and Schmidhuber, "Framewise phoneme classification with bidirectional LSTM and other neural
network architectures", Neural Networks 18, 2005. Both directions of a layer see the outputs of both
directions of the layer below.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recognizer.am.torch.lstmp import LstmpLayer
from recognizer.am.torch.network_module import NetworkModule, State
from recognizer.am.torch.reversal import reorder, reversed_frames


class BlstmNetwork(NetworkModule):
    """Deep bidirectional LSTM(P). It has no state: its chunks are whole utterances."""

    whole_utterances = True

    def add_hidden_layers(self) -> None:
        """The layers of each direction."""
        self.layers, self.reverse_layers = (
            nn.ModuleList(
                LstmpLayer(self.options.lstmp, self.options.layer_input(layer))
                for layer in range(self.options.depth)
            )
            for _ in range(2)
        )

    def initialise(self, generator: torch.Generator | None, forget_bias: float) -> None:
        """See `LstmpLayer.initialise`."""
        for layer in (*self.layers, *self.reverse_layers):
            layer.initialise(forget_bias)

    def initial_layer_state(self, streams: int) -> State:
        """Nothing."""
        return []

    def run_layers(
        self, x: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Outputs of the top layer in both directions, the forward one first."""
        frames, streams, _ = x.shape
        lowest = self.layers[0]
        assert isinstance(lowest, LstmpLayer)
        c, r = lowest.initial_state(streams, self.precision)
        order = reversed_frames(frames, streams, lengths).to(self.device)
        for layer, reverse in zip(self.layers, self.reverse_layers, strict=True):
            forward, _, _ = layer(x, c, r)
            backward, _, _ = reverse(reorder(x, order), c, r)
            x = self.drop(torch.cat((forward, reorder(backward, order)), 2))
        return x, state
