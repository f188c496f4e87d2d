"""Time-delay layers in torch, factorised or not, over chunks whose history is carried on.

Sources: see `recognizer.am.nnet.layers.TdnnOptions`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from recognizer.am.nnet.layers import TdnnOptions
from recognizer.am.torch.batch_norm import BatchNorm
from recognizer.am.torch.network_module import State
from recognizer.am.torch.semi_orthogonal import constrain_semi_orthogonal


class TdnnLayer(nn.Module):
    """One layer. Its state: the inputs ``[N, frames * D]`` that later windows see, oldest first.

    A factorised layer's goes on with the outputs of its first factor.
    """

    linear: nn.Parameter | None
    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(self, options: TdnnOptions, inputs: int) -> None:
        super().__init__()
        self.options = options
        shapes = options.shapes(inputs)
        for name in ("linear", "weight", "bias"):
            made = nn.Parameter(torch.empty(shapes[name])) if name in shapes else None
            self.register_parameter(name, made)
        self.norm = BatchNorm(options.units) if options.batch_norm else None
        factorised = options.bottleneck > 0
        # Frames of windows, and from one of them to the next; of both factors, or of the one.
        taps = options.left + 1 if factorised else options.window
        self._windows = [_Window(taps, options.dilation, options.stride)]
        if factorised:
            dilation = options.dilation // options.stride if options.right else 1
            self._windows.append(_Window(options.right + 1, dilation, 1))
        history = self._windows[0].history
        if options.bypass:
            history = max(history, options.right_context)
        self._widths = [history * inputs]
        if factorised:
            self._widths.append(self._windows[1].history * options.bottleneck)
        self.states = len(self._widths)

    def initialise(self, generator: torch.Generator | None) -> None:
        """Weights whose variance keeps that of the signals, of ReLU twice that; biases 0.

        He et al., ICCV 2015.
        """
        relu = self.options.activation == "relu"
        for matrix, gain in ((self.linear, 1.0), (self.weight, 2.0 if relu else 1.0)):
            if matrix is not None:
                limit = math.sqrt(3 * gain / matrix.shape[1])
                matrix.uniform_(-limit, limit, generator=generator)
        if self.bias is not None:
            self.bias.zero_()

    def constrain(self) -> None:
        """Keep the first of two factors, or a linear layer's matrix, semi-orthogonal."""
        if self.linear is not None:
            constrain_semi_orthogonal(self.linear)
        elif self.options.activation == "none":
            constrain_semi_orthogonal(self.weight)

    def initial_state(self, streams: int, precision: torch.dtype) -> State:
        """Zeros."""
        at = self.weight.device
        return [torch.zeros(streams, width, dtype=precision, device=at) for width in self._widths]

    def forward(
        self, x: Tensor, state: State, kept: Tensor | None, drop: Callable[[Tensor, float], Tensor]
    ) -> tuple[Tensor, State]:
        """Outputs of a chunk.

        Args:
            x: inputs ``[T, N, D]``; T is a multiple of the stride.
            state: before the chunk.
            kept: the outputs' frames that are no padding, see `BatchNorm.forward`.
            drop: dropout of a tensor, by a share of the network's. What passes by is not dropped,
                and neither are linear layers' outputs.

        Returns:
            ``[T / stride, N, U]``, and the state after the chunk.
        """
        options = self.options
        seen = [with_history(state[0], x)]
        if self.linear is not None:
            factor = functional.linear(
                self._windows[0].of(seen[0], len(x)), self.linear.to(x.dtype)
            )
            seen.append(with_history(state[1], factor))
        frames = len(x) if self.linear is None else len(factor)
        bias = None if self.bias is None else self.bias.to(x.dtype)
        window = self._windows[-1].of(seen[-1], frames)
        y = functional.linear(window, self.weight.to(x.dtype), bias)
        if options.activation == "relu":
            y = torch.relu(y)
        if self.norm is not None:
            y = self.norm(y, kept)
        if options.activation == "relu":
            y = drop(y, options.dropout)
        if options.bypass:
            end = len(seen[0]) - options.right_context
            y = torch.add(y, seen[0][end - len(x) : end], alpha=options.bypass)
        after = [
            rows[len(rows) - width // rows.shape[2] :].transpose(0, 1).reshape(x.shape[1], width)
            for rows, width in zip(seen, self._widths, strict=True)
        ]
        return y, after


class _Window:
    """Frames that one output sees.

    Args:
        taps: number of them.
        dilation: frames from one to the next.
        stride: outputs are so many frames apart; each sees the last of its ``stride`` frames.
    """

    def __init__(self, taps: int, dilation: int, stride: int) -> None:
        self.taps, self.dilation, self.stride = taps, dilation, stride
        self.history = (taps - 1) * dilation

    def of(self, seen: Tensor, frames: int) -> Tensor:
        """The windows ``[frames / stride, N, taps * D]`` that end with the last ``frames`` seen."""
        first = len(seen) - frames + self.stride - 1 - self.history
        parts = [
            seen[begin : begin + frames - self.stride + 1 : self.stride]
            for begin in range(first, first + self.history + 1, self.dilation)
        ]
        return parts[0] if self.taps == 1 else torch.cat(parts, 2)


def with_history(history: Tensor, x: Tensor) -> Tensor:
    """A stream's earlier frames ``[N, frames * D]`` before its new ones ``[T, N, D]``."""
    if history.shape[1] == 0:
        return x
    return torch.cat((history.view(len(history), -1, x.shape[2]).transpose(0, 1), x))
