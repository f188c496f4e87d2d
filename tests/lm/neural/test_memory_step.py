"""The native step of heads and memory against the same in torch's operations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.lm import _neural
from recognizer.lm.neural.memory_step import emitted_size, memory_step, torch_memory_step
from recognizer.lm.neural.options import NtmOptions


def step_inputs(
    options: NtmOptions, seed: int, dtype: torch.dtype, *, empty: bool = False
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What the controller emits, a memory (of zeros, if it is empty) and weightings."""
    random = torch.Generator().manual_seed(seed)
    heads = options.read_heads + options.write_heads
    emitted = 2 * torch.randn(3, emitted_size(options), generator=random, dtype=dtype)
    memory = torch.randn(3, options.slots, options.width, generator=random, dtype=dtype)
    raw = 3 * torch.randn(3, heads, options.slots, generator=random, dtype=dtype)
    return emitted, memory * (0.0 if empty else 1.0), torch.softmax(raw, dim=2)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 9), st.integers(1, 5), st.integers(1, 3), st.integers(1, 3), st.integers(0, 4),
    st.booleans(), st.integers(0, 2**31),
)  # fmt: skip
def test_native_code_does_what_torch_does(
    slots: int, width: int, reading: int, writing: int, reach: int, empty: bool, seed: int
) -> None:
    options = NtmOptions(
        1, 1, slots=slots, width=width, read_heads=reading, write_heads=writing,
        shift_range=min(reach, (slots - 1) // 2),
    )  # fmt: skip
    found, expected = [], []
    for results, function in ((found, memory_step), (expected, torch_memory_step)):
        inputs = [
            tensor.requires_grad_()
            for tensor in step_inputs(options, seed, torch.float64, empty=empty)
        ]
        outputs = function(options, *inputs)
        random = torch.Generator().manual_seed(1)
        loss = sum(
            (torch.randn(out.shape, generator=random, dtype=out.dtype) * out).sum()
            for out in outputs
        )
        results += [*outputs, *torch.autograd.grad(loss, inputs)]  # type: ignore[arg-type]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_single_precision_is_close_to_double() -> None:
    options = NtmOptions(1, 1, read_heads=2, write_heads=2)
    single = memory_step(options, *step_inputs(options, 0, torch.float32))
    inputs = (tensor.double() for tensor in step_inputs(options, 0, torch.float32))
    for one, other in zip(single, memory_step(options, *inputs), strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({0: (2, 5)}, "emitted: expected 24 in dimension 1, found 5"),
        ({2: (2, 2, 3)}, "weighting: expected 4 in dimension 2, found 3"),
        ({1: (2, 2, 3), 2: (2, 2, 2)}, "memory: expected rows and columns"),
        ({8: (2, 2, 3)}, "read: expected 1 in dimension 1, found 2"),
    ],
)
def test_native_code_refuses_arrays_of_other_shapes(
    change: dict[int, tuple[int, ...]], message: str
) -> None:
    shapes = {0: (2, 24), 1: (2, 4, 3), 2: (2, 2, 4), 6: (2, 4, 3), 7: (2, 2, 4), 8: (2, 1, 3),
              9: (2, 36)}  # fmt: skip
    arguments: list[object] = [0, 0, 0, 1, 1, 1, 0, 0, 0, 0]
    for index, shape in {**shapes, **change}.items():
        arguments[index] = np.zeros(shape, np.float32)
    with pytest.raises(ValueError, match=message):
        _neural.memory_step(*arguments)  # type: ignore[arg-type]
