"""The LSTMP layer against its equations, in float64, and the network built from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.torch.lstmp import LstmpNetwork
from recognizer.am.torch.lstmp_kernel import lstmp_chunk
from recognizer.am.torch.networks import from_network

C, P, D, N, T = 5, 3, 4, 2, 6


def weights(scale: float = 0.7, *, peepholes: bool = True, projects: bool = True) -> list[Any]:
    """Arguments of `lstmp_chunk` from w_x to w_p, None where the layer has none."""
    generator = torch.Generator().manual_seed(0)
    width = P if projects else C
    peephole = (C,) if peepholes else None
    shapes = [
        (4 * C, D), (4 * C, width), (4 * C,), peephole, peephole, peephole,
        (P, C) if projects else None,
    ]  # fmt: skip
    return [
        shape
        and torch.randn(shape, dtype=torch.float64, generator=generator)
        .mul_(scale)
        .requires_grad_()
        for shape in shapes
    ]


def inputs(frames: int = T, *, width: int = P) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()
        for shape in [(frames, N, D), (N, C), (N, width)]
    ]


# Peepholes, projection; 0.4 is small enough that many cells are clipped.
EVERY_FORM = pytest.mark.parametrize(
    ("peepholes", "projects", "clip"),
    [(True, True, 50.0), (True, True, 0.4), (True, False, 0.4), (False, True, 0.4),
     (False, False, 50.0)],
)  # fmt: skip


def arguments_of(peepholes: bool, projects: bool, frames: int = T) -> list[Any]:
    return [
        *inputs(frames, width=P if projects else C),
        *weights(peepholes=peepholes, projects=projects),
    ]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def loop_from_equations(
    arrays: list[np.ndarray[Any, Any] | None], clip: float
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Equations 1 to 6 of the paper with the projection, one stream and one frame at a time."""
    x, c0, r0, w_x, w_r, bias = (a for a in arrays[:6] if a is not None)
    p_i, p_f, p_o = (np.zeros(C) if a is None else a for a in arrays[6:9])
    w_p = arrays[9]
    w_ix, w_fx, w_gx, w_ox = np.split(w_x, 4)
    w_ir, w_fr, w_gr, w_or = np.split(w_r, 4)
    b_i, b_f, b_g, b_o = np.split(bias, 4)
    outputs = np.zeros((len(x), *r0.shape))
    c_end, r_end = np.zeros(c0.shape), np.zeros(r0.shape)
    for n in range(N):
        c, r = c0[n], r0[n]
        for t in range(len(x)):
            i = sigmoid(w_ix @ x[t, n] + w_ir @ r + p_i * c + b_i)
            f = sigmoid(w_fx @ x[t, n] + w_fr @ r + p_f * c + b_f)
            g = np.tanh(w_gx @ x[t, n] + w_gr @ r + b_g)
            c = np.clip(f * c + i * g, -clip, clip)
            o = sigmoid(w_ox @ x[t, n] + w_or @ r + p_o * c + b_o)
            m = o * np.tanh(c)
            r = m if w_p is None else w_p @ m
            outputs[t, n] = r
        c_end[n], r_end[n] = c, r
    return outputs, c_end, r_end


def loop_with_autograd(tensors: list[Any], clip: float) -> tuple[Tensor, Tensor, Tensor]:
    """The same loop in torch operations that differentiate themselves."""
    x, c, r, w_x, w_r, bias, p_i, p_f, p_o, w_p = tensors
    outputs = []
    for frame in x:
        i, f, g, o = (frame @ w_x.T + r @ w_r.T + bias).chunk(4, dim=1)
        i = torch.sigmoid(i if p_i is None else i + p_i * c)
        f = torch.sigmoid(f if p_f is None else f + p_f * c)
        c = (f * c + i * torch.tanh(g)).clamp(-clip, clip)
        o = torch.sigmoid(o if p_o is None else o + p_o * c)
        m = o * torch.tanh(c)
        r = m if w_p is None else m @ w_p.T
        outputs.append(r)
    return torch.stack(outputs), c, r


def tensors_of(arguments: list[Any]) -> list[Tensor]:
    return [a for a in arguments if a is not None]


@EVERY_FORM
def test_forward_is_the_loop_from_the_equations(
    peepholes: bool, projects: bool, clip: float
) -> None:
    arguments = arguments_of(peepholes, projects)
    got = lstmp_chunk(*arguments, clip)
    expected = loop_from_equations(
        [a if a is None else a.detach().numpy() for a in arguments], clip
    )
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b, rtol=0, atol=1e-13)
    if clip < 1:
        assert np.abs(expected[1]).max() == clip


@EVERY_FORM
def test_gradients_are_finite_differences(peepholes: bool, projects: bool, clip: float) -> None:
    arguments = arguments_of(peepholes, projects, frames=3)
    assert torch.autograd.gradcheck(lambda *a: lstmp_chunk(*a, clip), arguments)


@EVERY_FORM
def test_gradients_are_those_of_the_loop(peepholes: bool, projects: bool, clip: float) -> None:
    arguments = arguments_of(peepholes, projects)
    generator = torch.Generator()
    results = []
    for function in (lambda *a: lstmp_chunk(*a, clip), lambda *a: loop_with_autograd([*a], clip)):
        outputs = function(*arguments)
        generator.manual_seed(5)
        loss = sum(
            (y * torch.randn(y.shape, dtype=y.dtype, generator=generator)).sum() for y in outputs
        )
        assert isinstance(loss, Tensor)
        results.append(torch.autograd.grad(loss, tensors_of(arguments)))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("projects", [True, False])
def test_without_peepholes_it_is_torchs_lstm(projects: bool) -> None:
    """Outputs, last states and all gradients; torch's gates come in the same order."""
    arguments = arguments_of(peepholes=False, projects=projects)
    x, c, r, w_x, w_r, bias, _, _, _, w_p = arguments
    lstm = torch.nn.LSTM(D, C, proj_size=P if projects else 0, dtype=torch.float64)
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(w_x)
        lstm.weight_hh_l0.copy_(w_r)
        lstm.bias_ih_l0.copy_(bias)
        lstm.bias_hh_l0.zero_()
        if projects:
            lstm.weight_hr_l0.copy_(w_p)
    ours = lstmp_chunk(*arguments)
    outputs, (r_last, c_last) = lstm(x, (r.unsqueeze(0), c.unsqueeze(0)))
    torchs = (outputs, c_last[0], r_last[0])
    for a, b in zip(ours, torchs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-13)
    own = tensors_of([w_x, w_r, bias, w_p, x, c, r])
    theirs = [lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_ih_l0]
    theirs += [lstm.weight_hr_l0] if projects else []
    generator = torch.Generator().manual_seed(5)
    factors = [torch.randn(y.shape, dtype=y.dtype, generator=generator) for y in ours]
    results = []
    for outcome, wanted in ((ours, own), (torchs, [*theirs, x, c, r])):
        loss = torch.stack([(y * k).sum() for y, k in zip(outcome, factors, strict=True)]).sum()
        results.append(torch.autograd.grad(loss, wanted))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


def test_gradients_of_only_some_outputs() -> None:
    arguments = inputs() + weights()
    for output in range(3):
        ours = torch.autograd.grad(lstmp_chunk(*arguments)[output].sum(), arguments)
        plain = torch.autograd.grad(loop_with_autograd(arguments, 50.0)[output].sum(), arguments)
        for a, b in zip(ours, plain, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


def test_chunks_with_carried_state_are_the_whole() -> None:
    x, c, r = inputs(frames=23)
    w = weights()
    whole, c_whole, r_whole = lstmp_chunk(x, c, r, *w)
    parts = []
    for begin in range(0, 23, 5):
        part, c, r = lstmp_chunk(x[begin : begin + 5], c, r, *w)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-14)
    torch.testing.assert_close(c, c_whole, rtol=0, atol=1e-14)
    torch.testing.assert_close(r, r_whole, rtol=0, atol=1e-14)


def test_float32_and_bfloat16_follow_float64() -> None:
    arguments = inputs() + weights(scale=0.3)
    exact = lstmp_chunk(*arguments)[0]
    exact.sum().backward()
    gradients = [a.grad.clone() for a in arguments if a.grad is not None]
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 6e-2)):
        x, c, r, *w = (a.detach().float() for a in arguments)
        cast = [x.to(dtype), c, r.to(dtype), *w]
        cast = [a.requires_grad_() for a in cast]
        output = lstmp_chunk(*cast)[0]
        assert output.dtype == dtype
        output.float().sum().backward()
        torch.testing.assert_close(output.double(), exact, rtol=0, atol=tolerance)
        for a, b in zip(cast, gradients, strict=True):
            assert a.grad is not None
            torch.testing.assert_close(
                a.grad.double(), b, rtol=0, atol=tolerance * float(b.abs().max())
            )


def small_network(dropout: float = 0.0) -> LstmpNetwork:
    options = NetworkOptions(outputs=7, input_dim=D, cells=C, projection=P, layers=2)
    return LstmpNetwork(
        options,
        generator=torch.Generator().manual_seed(3),
        initial_range=0.5,
        dropout=dropout,
    )


def test_dropout_spares_the_recurrence() -> None:
    """With everything above the first layer dropped, its own states are as without dropout."""
    x = torch.randn(T, N, D, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    plain, dropped = small_network(), small_network(dropout=0.9)
    hidden, states = dropped.hidden(x, dropped.initial_state(N))
    expected, expected_states = plain.hidden(x, plain.initial_state(N))
    torch.testing.assert_close(states[:2], expected_states[:2])
    assert (hidden == 0).any() and not (expected == 0).any()
    evaluated, _ = dropped.eval().hidden(x, dropped.initial_state(N))
    torch.testing.assert_close(evaluated, expected)


def test_initial_weights_are_uniform_and_seeded() -> None:
    options = NetworkOptions(outputs=50, cells=40, projection=20)
    before = torch.get_rng_state()
    one, two = (
        LstmpNetwork(options, generator=torch.Generator().manual_seed(1), forget_bias=1.0)
        for _ in range(2)
    )
    assert torch.equal(torch.get_rng_state(), before)
    for (name, a), (_, b) in zip(one.named_parameters(), two.named_parameters(), strict=True):
        assert torch.equal(a, b)
        if name.endswith("bias"):
            continue
        assert a.abs().max() <= 0.02
        assert a.abs().max() > 0.018
        assert abs(float(a.detach().mean())) < 0.01
    bias = one.state_dict()["layers.1.bias"]
    assert bias[40:80].eq(1.0).all() and bias[:40].eq(0.0).all() and bias[80:].eq(0.0).all()


def test_network_keeps_its_weights_through_the_file_form() -> None:
    model = small_network()
    copy = from_network(model.to_network(np.zeros(7, dtype=np.float32)))
    for (name, a), b in zip(model.state_dict().items(), copy.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
