"""Simple recurrent layers and GRU in torch, in one direction or both.

See `recognizer.am.nnet.recurrent` for the equations.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from recognizer.am.nnet.recurrent import GruOptions, RnnOptions
from recognizer.am.torch.batch_norm import ScaledBatchNorm
from recognizer.am.torch.network_module import State
from recognizer.am.torch.reversal import reorder, reversed_frames


class RecurrentLayer(nn.Module):
    """Its state is h ``[N, U]``; in both directions it is the zeros before an utterance."""

    states = 1
    w_x: nn.Parameter
    w_r: nn.Parameter
    bias: nn.Parameter
    w_r_reverse: nn.Parameter | None

    def __init__(self, options: RnnOptions | GruOptions, inputs: int) -> None:
        super().__init__()
        self.options = options
        shapes = options.shapes(inputs)
        for name in ("w_x", "w_r", "bias", "w_r_reverse"):
            made = nn.Parameter(torch.empty(shapes[name])) if name in shapes else None
            self.register_parameter(name, made)
        self.norm = ScaledBatchNorm(len(self.bias)) if options.batch_norm else None

    def initialise(self, generator: torch.Generator | None) -> None:
        """Input weights that keep the variance of the signals; biases 0, scales 1.

        Recurrent weights of clipped ReLU have a variance with which that of the sums settles at
        twice that of what comes from below; those of a GRU are uniform in 1 / sqrt(U).
        """
        limit = math.sqrt(3 / self.w_x.shape[1])
        self.w_x.uniform_(-limit, limit, generator=generator)
        limit = math.sqrt((3 if self.options.gates == 1 else 1) / self.options.units)
        for matrix in (self.w_r, self.w_r_reverse):
            if matrix is not None:
                matrix.uniform_(-limit, limit, generator=generator)
        self.bias.zero_()
        if self.norm is not None:
            self.norm.scale.fill_(1.0)

    def initial_state(self, streams: int, precision: torch.dtype) -> State:
        """Zeros."""
        return [torch.zeros(streams, self.options.units, dtype=precision, device=self.w_r.device)]

    def forward(
        self, x: Tensor, state: State, kept: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, State]:
        """Outputs of a chunk.

        Args:
            x: inputs ``[T, N, D]``.
            state: before the chunk.
            kept: the frames that are no padding, see `BatchNorm.forward`.
            lengths: frames of each stream ``[N]`` int64, where some are fewer than T.

        Returns:
            ``[T, N, U]``, and the state after the chunk.
        """
        sums = functional.linear(x, self.w_x.to(x.dtype))
        if self.norm is not None:
            sums = self.norm(sums, kept)
        sums = sums + self.bias.to(x.dtype)
        y, after = self._run(sums, state[0], self.w_r)
        if self.w_r_reverse is not None:
            order = reversed_frames(len(x), x.shape[1], lengths).to(x.device)
            back, _ = self._run(reorder(sums, order), state[0], self.w_r_reverse)
            y = y + reorder(back, order)
        return y, [after]

    def _run(self, sums: Tensor, h: Tensor, w_r: Tensor) -> tuple[Tensor, Tensor]:
        """One direction over ``sums [T, N, G U]``, from the outputs h ``[N, U]`` before it."""
        options, w_r = self.options, w_r.to(sums.dtype)
        outputs = []
        for below in sums.unbind(0):
            before = functional.linear(h, w_r)
            if isinstance(options, GruOptions):
                z, r, candidate = below.chunk(3, 1)
                past_z, past_r, past = before.chunk(3, 1)
                candidate = torch.addcmul(candidate, torch.sigmoid(r + past_r), past)
                if options.activation == "tanh":
                    candidate = torch.tanh(candidate)
                else:
                    candidate = candidate.clamp(0.0, options.clip)
                h = torch.lerp(h, candidate, torch.sigmoid(z + past_z))
            else:
                h = (below + before).clamp(0.0, options.clip)
            outputs.append(h)
        return (torch.stack(outputs) if outputs else sums[..., : options.units]), h
