"""One time step of the heads and the memory: by torch on any device, by native code on the CPU.

A step is some forty operations on small tensors, so that on a CPU torch spends its time on calling
them. The native code takes one call, and another for the gradient.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from recognizer.lm import _neural
from recognizer.lm.neural import addressing
from recognizer.lm.neural.options import NtmOptions

Step = tuple[Tensor, Tensor, Tensor]
"""Memory [B, N, M] after the step, weighting [B, H, N], and what was read, [B, R, M]."""


def address_size(options: NtmOptions) -> int:
    """How many numbers the controller emits for the address of one head."""
    return options.width + 2 * options.shift_range + 1 + 3


def emitted_size(options: NtmOptions) -> int:
    """How many numbers the controller emits for all heads."""
    heads = options.read_heads + options.write_heads
    return heads * address_size(options) + options.write_heads * 2 * options.width


def memory_step(options: NtmOptions, emitted: Tensor, memory: Tensor, weighting: Tensor) -> Step:
    """Address all heads by the memory as it is, write, then read.

    Args:
        options: numbers of heads, slots and shifts.
        emitted: [B, E] by the controller: of each head, the reading ones first, its key (M), shifts
            (2 R + 1), gate, key strength and sharpening exponent; then of each writing head its
            erase (M) and add (M) vectors. All are numbers without bounds.
        memory: [B, N, M].
        weighting: [B, H, N] of the step before.
    """
    if emitted.device.type == "cpu":
        found: Step = _NativeStep.apply(  # type: ignore[no-untyped-call]
            emitted.contiguous(),
            memory.contiguous(),
            weighting.contiguous(),
            (options.read_heads, options.write_heads, options.shift_range),
        )
        return found
    return torch_memory_step(options, emitted, memory, weighting)


def torch_memory_step(
    options: NtmOptions, emitted: Tensor, memory: Tensor, weighting: Tensor
) -> Step:
    """The same in torch's operations, for other devices."""
    m, heads = options.width, options.read_heads + options.write_heads
    size = address_size(options)
    # Parts are views by split: its gradient is one concatenation, not a sum of padded parts.
    address, vectors = emitted.split_with_sizes((heads * size, options.write_heads * 2 * m), dim=1)
    key, shifts, gate, strength, exponent = address.reshape(-1, heads, size).split_with_sizes(
        (m, 2 * options.shift_range + 1, 1, 1, 1), dim=2
    )
    erase, add = vectors.reshape(-1, options.write_heads, 2 * m).split_with_sizes((m, m), dim=2)
    content = addressing.content_weighting(memory, key, functional.softplus(strength))
    gated = addressing.interpolate(weighting, content, torch.sigmoid(gate))
    shifted = addressing.shift(gated, torch.softmax(shifts, dim=2))
    weighting = addressing.sharpen(shifted, 1.0 + functional.softplus(exponent))
    reading, writing = weighting.split_with_sizes((options.read_heads, options.write_heads), dim=1)
    memory = addressing.write(memory, writing, torch.sigmoid(erase), add)
    return memory, weighting, addressing.read(memory, reading)


class _NativeStep(torch.autograd.Function):
    """``(emitted, memory, weighting, (read heads, write heads, shift range))`` to a `Step`."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        emitted: Tensor,
        memory: Tensor,
        weighting: Tensor,
        heads: tuple[int, int, int],
    ) -> Step:
        """The step; what the gradient needs is kept."""
        batch, slots, width = memory.shape
        new_memory, new_weighting = torch.empty_like(memory), torch.empty_like(weighting)
        read = memory.new_empty(batch, heads[0], width)
        tape = memory.new_empty(batch, slots * (1 + 4 * weighting.shape[1]))
        _neural.memory_step(
            _array(emitted), _array(memory), _array(weighting), *heads,
            _array(new_memory), _array(new_weighting), _array(read), _array(tape),
        )  # fmt: skip
        ctx.save_for_backward(emitted, memory, weighting, new_memory, new_weighting, tape)
        ctx.heads = heads  # type: ignore[attr-defined]
        return new_memory, new_weighting, read

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, None]:
        """Gradients of emitted, memory and weighting."""
        emitted, memory, weighting, new_memory, new_weighting, tape = ctx.saved_tensors  # type: ignore[attr-defined]
        heads: tuple[int, int, int] = ctx.heads  # type: ignore[attr-defined]
        d_new_memory, d_new_weighting, d_read = (_array(g.contiguous()) for g in gradients)
        d_emitted, d_memory, d_weighting = (
            torch.empty_like(tensor) for tensor in (emitted, memory, weighting)
        )
        _neural.memory_step_gradient(
            _array(emitted), _array(memory), _array(weighting), *heads,
            _array(new_memory), _array(new_weighting), _array(tape),
            d_new_memory, d_new_weighting, d_read,
            _array(d_emitted), _array(d_memory), _array(d_weighting),
        )  # fmt: skip
        return d_emitted, d_memory, d_weighting, None


def _array(tensor: Tensor) -> npt.NDArray[Any]:
    """A tensor's memory, not a copy."""
    return tensor.detach().numpy()
