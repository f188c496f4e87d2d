"""Deep LSTM and LSTMP networks in torch, with or without peepholes.

Sak, Senior and Beaufays, "Long Short-Term Memory Recurrent Neural Network Architectures for Large
Scale Acoustic Modeling", Interspeech 2014. The layer itself is `recognizer.am.torch.lstmp_kernel`.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from recognizer.am.nnet.layers import LstmpOptions
from recognizer.am.torch.lstmp_kernel import lstmp_chunk
from recognizer.am.torch.network_module import NetworkModule, State


class LstmpLayer(nn.Module):
    """Parameters of one layer in one direction; gate rows in the order i, f, g, o.

    Its state is c ``[N, C]`` and r ``[N, P]``.
    """

    states = 2

    peep_i: nn.Parameter | None
    peep_f: nn.Parameter | None
    peep_o: nn.Parameter | None
    w_p: nn.Parameter | None

    def __init__(self, options: LstmpOptions, inputs: int) -> None:
        super().__init__()
        cells, width = options.cells, options.output_width(inputs)
        self.cell_clip = options.cell_clip
        self.dropout = options.dropout  # share of the network's, in layered networks
        self.w_x = nn.Parameter(torch.empty(4 * cells, inputs))
        self.w_r = nn.Parameter(torch.empty(4 * cells, width))
        self.bias = nn.Parameter(torch.empty(4 * cells))
        for name in ("peep_i", "peep_f", "peep_o"):
            peephole = nn.Parameter(torch.empty(cells)) if options.peepholes else None
            self.register_parameter(name, peephole)
        self.register_parameter(
            "w_p", nn.Parameter(torch.empty(width, cells)) if options.projection else None
        )

    def initialise(self, forget_bias: float) -> None:
        """Biases: 0, and those of the forget gates."""
        cells = len(self.bias) // 4
        self.bias.zero_()
        self.bias[cells : 2 * cells] = forget_bias

    def initial_state(self, streams: int, precision: torch.dtype) -> State:
        """Zeros: c ``[N, C]``, and r ``[N, P]`` in the type of the matrix products."""
        high = torch.float64 if precision == torch.float64 else torch.float32
        outputs, cells = self.w_r.shape[1], len(self.bias) // 4
        return [
            torch.zeros(streams, cells, dtype=high, device=self.bias.device),
            torch.zeros(streams, outputs, dtype=precision, device=self.bias.device),
        ]

    def forward(self, x: Tensor, c: Tensor, r: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `recognizer.am.torch.lstmp_kernel.lstmp_chunk`."""
        return lstmp_chunk(
            x, c, r, self.w_x, self.w_r, self.bias, self.peep_i, self.peep_f, self.peep_o,
            self.w_p, self.cell_clip,
        )  # fmt: skip


class LstmpNetwork(NetworkModule):
    """Deep LSTM(P). Its state is c ``[N, C]`` and r ``[N, P]`` of each layer in turn."""

    def add_hidden_layers(self) -> None:
        """One `LstmpLayer` above the other."""
        self.layers = nn.ModuleList(
            LstmpLayer(self.options.lstmp, self.options.layer_input(layer))
            for layer in range(self.options.depth)
        )

    def initialise(self, generator: torch.Generator | None, forget_bias: float) -> None:
        """See `LstmpLayer.initialise`."""
        for layer in self.layers:
            assert isinstance(layer, LstmpLayer)
            layer.initialise(forget_bias)

    def initial_layer_state(self, streams: int) -> State:
        """Zero states of N streams."""
        return [
            tensor
            for layer in cast("list[LstmpLayer]", list(self.layers))
            for tensor in layer.initial_state(streams, self.precision)
        ]

    def run_layers(
        self, x: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Outputs of the top layer; padding at the end of a stream cannot reach what is before."""
        after: State = []
        for layer, c, r in zip(self.layers, state[::2], state[1::2], strict=True):
            x, c, r = layer(x, c, r)
            after += [c, r]
            x = self.drop(x)
        return x, after
