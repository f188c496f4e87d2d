"""RMSProp with momentum as Graves 2013 defines it, and clipping of every gradient component."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from recognizer.lm.neural.options import RmsPropOptions


class RmsProp:
    """Updates parameters in place from the gradients that they hold.

    torch's own has the floor outside the root, which for small gradients makes far larger steps.

    Args:
        parameters: tensors by name, all of which will have gradients.
        options: constants.
    """

    def __init__(self, parameters: Iterable[tuple[str, Tensor]], options: RmsPropOptions) -> None:
        named = list(parameters)
        self.options = options
        self._names = [name for name, _ in named]
        self._parameters = [parameter for _, parameter in named]
        self._squares = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._means = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._updates = [torch.zeros_like(parameter) for parameter in self._parameters]

    @torch.no_grad()
    def step(self) -> None:
        """Clip the gradients, update the parameters, and forget the gradients."""
        o = self.options
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        assert len(gradients) == len(self._parameters)
        torch._foreach_clamp_max_(gradients, o.clip)
        torch._foreach_clamp_min_(gradients, -o.clip)
        torch._foreach_mul_(self._squares, o.decay)
        torch._foreach_addcmul_(self._squares, gradients, gradients, 1 - o.decay)
        torch._foreach_lerp_(self._means, gradients, 1 - o.decay)
        # The variance is never below 0 but by rounding.
        deviations = torch._foreach_addcmul(self._squares, self._means, self._means, -1.0)
        torch._foreach_clamp_min_(deviations, 0.0)
        torch._foreach_add_(deviations, o.floor)
        torch._foreach_sqrt_(deviations)
        torch._foreach_mul_(self._updates, o.momentum)
        torch._foreach_addcdiv_(self._updates, gradients, deviations, -o.learning_rate)
        torch._foreach_add_(self._parameters, self._updates)
        for parameter in self._parameters:
            parameter.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """Its state by name, for a checkpoint; the tensors are its own, not copies."""
        parts = {"squares": self._squares, "means": self._means, "updates": self._updates}
        return {
            f"{part}.{name}": tensor
            for part, tensors in parts.items()
            for name, tensor in zip(self._names, tensors, strict=True)
        }
