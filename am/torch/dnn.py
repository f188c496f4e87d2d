"""Feed-forward network over a window of frames in torch: the paper's baseline.

It runs over streams like the recurrent networks: the frames that later windows will see are its
state. Before an utterance stand zeros, the mean of the normalised features; behind it the output
delay repeats the last frame.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from recognizer.am.torch.network_module import NetworkModule, State


class DnnLayer(nn.Module):
    """One fully connected layer; without bias where it is a linear low-rank layer."""

    bias: nn.Parameter | None

    def __init__(self, inputs: int, outputs: int, *, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.register_parameter("bias", nn.Parameter(torch.empty(outputs)) if bias else None)

    def forward(self, x: Tensor) -> Tensor:
        """``[..., inputs]`` to ``[..., outputs]``, in the type of ``x``."""
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return functional.linear(x, self.weight.to(x.dtype), bias)


class DnnNetwork(NetworkModule):
    """Fully connected layers over a window, see `recognizer.am.nnet.options.NetworkShape`.

    Its state is ``[N, (left_context + right_context) * D]``: the latest normalised frames, the
    oldest first.
    """

    def add_hidden_layers(self) -> None:
        """The layers and, if there is one, the linear low-rank layer."""
        options = self.options
        self.layers = nn.ModuleList(
            DnnLayer(options.layer_input(layer), options.cells, bias=True)
            for layer in range(options.depth)
        )
        self.projection = (
            DnnLayer(options.cells, options.projection, bias=False) if options.projection else None
        )
        self.activation = torch.relu if options.activation == "relu" else torch.sigmoid

    def initialise(self, generator: torch.Generator | None, forget_bias: float) -> None:
        """Weights whose variance keeps that of activations and gradients; biases 0.

        A fixed range would let a signal fade or grow with width and depth. Glorot and Bengio,
        AISTATS 2010: weights four times as large for the sigmoid, whose slope is 1/4; twice their
        variance for ReLU, which stops half of its inputs (He et al., ICCV 2015).
        """
        gain = math.sqrt(2.0) if self.options.activation == "relu" else 4.0
        layers = [*self.layers, *([self.projection] if self.projection is not None else [])]
        for layer in layers:
            outputs, inputs = layer.weight.shape
            limit = gain * math.sqrt(6.0 / (inputs + outputs))
            layer.weight.uniform_(-limit, limit, generator=generator)
            if layer.bias is not None:
                layer.bias.zero_()

    def initial_layer_state(self, streams: int) -> State:
        """Zeros: the features' mean."""
        frames = self.options.left_context + self.options.right_context
        width = frames * self.options.input_dim
        return [torch.zeros(streams, width, dtype=self.precision, device=self.device)]

    def run_layers(
        self, x: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Outputs of the top layer about the frame that the delay says."""
        frames, streams, dim = x.shape
        history = state[0].view(streams, -1, dim).transpose(0, 1)
        seen = torch.cat((history, x))
        x = seen.unfold(0, self.options.window, 1).transpose(2, 3).reshape(frames, streams, -1)
        after = seen[frames:].transpose(0, 1).reshape(streams, -1)
        for layer in self.layers:
            x = self.drop(self.activation(layer(x)))
        if self.projection is not None:
            x = self.projection(x)
        return x, [after]
