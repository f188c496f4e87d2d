"""Layers of LSTM cells with skip connections: the network that the memory is compared with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recognizer.lm.neural.options import StackedLstmOptions


class StackedLstm(nn.Module):
    """Every layer sees the input and the layer below; the output sees every layer.

    Graves 2013, "Generating sequences with recurrent neural networks", section 2, without
    peepholes, and with a learned initial state: the numbers of parameters that Graves, Wayne and
    Danihelka 2014 give for their LSTM networks (table 3) are those of this network.

    Args:
        options: its shape.
    """

    def __init__(self, options: StackedLstmOptions) -> None:
        super().__init__()
        self.options = options
        units = options.units
        self.layers = nn.ModuleList(
            nn.LSTM(options.inputs + (units if index else 0), units)
            for index in range(options.layers)
        )
        for layer in self.layers:
            # torch adds two biases; one is enough.
            second = layer.bias_hh_l0
            assert isinstance(second, nn.Parameter)
            nn.init.zeros_(second).requires_grad_(False)
        self.to_output = nn.Linear(options.layers * units, options.outputs)
        self.initial_hidden = nn.Parameter(torch.zeros(options.layers, units))
        self.initial_cells = nn.Parameter(torch.zeros(options.layers, units))

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits [T, B, outputs] of inputs [T, B, inputs]."""
        batch = inputs.shape[1]
        outputs: list[Tensor] = []
        for index, layer in enumerate(self.layers):
            below = torch.cat([inputs, outputs[-1]], dim=2) if outputs else inputs
            hidden, cells = (
                value[index].expand(1, batch, -1).contiguous()
                for value in (self.initial_hidden, self.initial_cells)
            )
            outputs.append(layer(below, (hidden, cells))[0])
        logits: Tensor = self.to_output(torch.cat(outputs, dim=2))
        return logits
