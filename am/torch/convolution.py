"""Convolutions in torch, over chunks whose history is carried on.

See `recognizer.am.nnet.convolution`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from recognizer.am.nnet.convolution import ConvolutionOptions, LookaheadOptions
from recognizer.am.torch.batch_norm import ScaledBatchNorm
from recognizer.am.torch.network_module import State
from recognizer.am.torch.tdnn import with_history


class ConvolutionLayer(nn.Module):
    """Its state: the inputs ``[N, frames * D]`` that later windows see, oldest first."""

    states = 1

    def __init__(self, options: ConvolutionOptions, inputs: int) -> None:
        super().__init__()
        self.options, self._inputs = options, inputs
        self.weight = nn.Parameter(torch.empty(options.shapes(inputs)["weight"]))
        self.bias = nn.Parameter(torch.empty(options.filters))
        self.norm = ScaledBatchNorm(options.filters) if options.batch_norm else None

    def initialise(self, generator: torch.Generator | None) -> None:
        """Weights whose variance keeps that of the signals behind a ReLU; biases 0, scales 1.

        He et al., ICCV 2015.
        """
        limit = math.sqrt(6 / self.weight.shape[1])
        self.weight.uniform_(-limit, limit, generator=generator)
        self.bias.zero_()
        if self.norm is not None:
            self.norm.scale.fill_(1.0)

    def initial_state(self, streams: int, precision: torch.dtype) -> State:
        """Zeros."""
        width = (self.options.window - 1) * self._inputs
        return [torch.zeros(streams, width, dtype=precision, device=self.weight.device)]

    def forward(self, x: Tensor, state: State, kept: Tensor | None) -> tuple[Tensor, State]:
        """Outputs of a chunk.

        Args:
            x: inputs ``[T, N, D]``; T is a multiple of the stride.
            state: before the chunk.
            kept: the outputs' frames that are no padding, see `BatchNorm.forward`.

        Returns:
            ``[T / stride, N, bins' * F]``, and the state after the chunk.
        """
        options, streams = self.options, x.shape[1]
        seen = with_history(state[0], x)
        # As images of M channels [N, M, frames, bins]. Each window's newest frame is the last of a
        # stride, so those before the first stride's last are in no window.
        images = seen[options.stride - 1 :].reshape(-1, streams, self._inputs // options.maps,
                                                 options.maps)  # fmt: skip
        images = functional.pad(images.permute(1, 3, 0, 2), options.padding(self._inputs))
        height = options.bins_of_filter(self._inputs)
        filters = self.weight.view(options.filters, options.window, height, options.maps)
        y = functional.conv2d(
            images, filters.permute(0, 3, 1, 2).to(x.dtype),
            stride=(options.stride, options.frequency_stride),
        ).permute(2, 0, 3, 1)  # fmt: skip
        frames, _, bins, _ = y.shape
        if self.norm is not None:
            if kept is not None:
                kept = (kept.unsqueeze(1) * bins + torch.arange(bins, device=kept.device)).view(-1)
            y = self.norm(y.reshape(frames, streams * bins, -1), kept)
        y = (y + self.bias.to(x.dtype)).clamp(0.0, options.clip)
        width = state[0].shape[1]
        after = seen[len(seen) - options.window + 1 :].transpose(0, 1).reshape(streams, width)
        return y.reshape(frames, streams, -1), [after]


class LookaheadLayer(nn.Module):
    """Its state: the latest inputs ``[N, right * D]``, oldest first."""

    states = 1

    def __init__(self, options: LookaheadOptions, inputs: int) -> None:
        super().__init__()
        self.options, self._inputs = options, inputs
        self.weight = nn.Parameter(torch.empty(inputs, options.right + 1))

    def initialise(self, generator: torch.Generator | None) -> None:
        """Weights whose variance keeps that of the signals."""
        limit = math.sqrt(3 / self.weight.shape[1])
        self.weight.uniform_(-limit, limit, generator=generator)

    def initial_state(self, streams: int, precision: torch.dtype) -> State:
        """Zeros."""
        width = self.options.right * self._inputs
        return [torch.zeros(streams, width, dtype=precision, device=self.weight.device)]

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Outputs ``[T, N, D]`` about the frames T - right, ..., and the state after the chunk."""
        right, streams = self.options.right, x.shape[1]
        seen = with_history(state[0], x)
        # One filter for each input: [N, D, frames].
        y = functional.conv1d(
            seen.permute(1, 2, 0), self.weight.unsqueeze(1).to(x.dtype), groups=self._inputs
        )
        after = seen[len(seen) - right :].transpose(0, 1).reshape(streams, right * self._inputs)
        return y.permute(2, 0, 1), [after]
