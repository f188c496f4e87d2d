"""The LSTMP layer against its equations, in float64, and the network built from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from am.lstmp import LstmpNetwork
from am.lstmp_kernel import lstmp_chunk
from am.network_module import IGNORED, SoftmaxLoss
from am.network_options import NetworkOptions
from am.networks import from_network

C, P, D, N, T = 5, 3, 4, 2, 6


def weights(seed: int = 0, scale: float = 0.7) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = [(4 * C, D), (4 * C, P), (4 * C,), (C,), (C,), (C,), (P, C)]
    return [
        torch.randn(shape, dtype=torch.float64, generator=generator).mul_(scale).requires_grad_()
        for shape in shapes
    ]


def inputs(seed: int = 1, frames: int = T) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()
        for shape in [(frames, N, D), (N, C), (N, P)]
    ]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def loop_from_equations(
    arrays: list[np.ndarray[Any, Any]], clip: float
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Equations 1 to 6 of the paper with the projection, one stream and one frame at a time."""
    x, c0, r0, w_x, w_r, bias, p_i, p_f, p_o, w_p = arrays
    w_ix, w_fx, w_gx, w_ox = np.split(w_x, 4)
    w_ir, w_fr, w_gr, w_or = np.split(w_r, 4)
    b_i, b_f, b_g, b_o = np.split(bias, 4)
    outputs = np.zeros((len(x), N, P))
    c_end, r_end = np.zeros((N, C)), np.zeros((N, P))
    for n in range(N):
        c, r = c0[n], r0[n]
        for t in range(len(x)):
            i = sigmoid(w_ix @ x[t, n] + w_ir @ r + p_i * c + b_i)
            f = sigmoid(w_fx @ x[t, n] + w_fr @ r + p_f * c + b_f)
            g = np.tanh(w_gx @ x[t, n] + w_gr @ r + b_g)
            c = np.clip(f * c + i * g, -clip, clip)
            o = sigmoid(w_ox @ x[t, n] + w_or @ r + p_o * c + b_o)
            r = w_p @ (o * np.tanh(c))
            outputs[t, n] = r
        c_end[n], r_end[n] = c, r
    return outputs, c_end, r_end


def loop_with_autograd(tensors: list[Tensor], clip: float) -> tuple[Tensor, Tensor, Tensor]:
    """The same loop in torch operations that differentiate themselves."""
    x, c, r, w_x, w_r, bias, p_i, p_f, p_o, w_p = tensors
    outputs = []
    for frame in x:
        i, f, g, o = (frame @ w_x.T + r @ w_r.T + bias).chunk(4, dim=1)
        i = torch.sigmoid(i + p_i * c)
        f = torch.sigmoid(f + p_f * c)
        c = (f * c + i * torch.tanh(g)).clamp(-clip, clip)
        o = torch.sigmoid(o + p_o * c)
        r = (o * torch.tanh(c)) @ w_p.T
        outputs.append(r)
    return torch.stack(outputs), c, r


# 0.4 is small enough that many cells are clipped.
@pytest.mark.parametrize("clip", [50.0, 0.4])
def test_forward_is_the_loop_from_the_equations(clip: float) -> None:
    arguments = inputs() + weights()
    got = lstmp_chunk(*arguments, clip)
    expected = loop_from_equations([a.detach().numpy() for a in arguments], clip)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b, rtol=0, atol=1e-13)
    if clip < 1:
        assert np.abs(expected[1]).max() == clip


@pytest.mark.parametrize("clip", [50.0, 0.4])
def test_gradients_are_finite_differences(clip: float) -> None:
    arguments = inputs(frames=3) + weights()
    assert torch.autograd.gradcheck(lambda *a: lstmp_chunk(*a, clip), arguments)


@pytest.mark.parametrize("clip", [50.0, 0.4])
def test_gradients_are_those_of_the_loop(clip: float) -> None:
    arguments = inputs() + weights()
    generator = torch.Generator().manual_seed(5)
    results = []
    for function in (lambda *a: lstmp_chunk(*a, clip), lambda *a: loop_with_autograd([*a], clip)):
        outputs = function(*arguments)
        generator.manual_seed(5)
        loss = sum(
            (y * torch.randn(y.shape, dtype=y.dtype, generator=generator)).sum() for y in outputs
        )
        assert isinstance(loss, Tensor)
        results.append(torch.autograd.grad(loss, arguments))
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


def test_softmax_loss_is_torchs_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    hidden, weight, bias = (
        torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()
        for shape in [(11, 3), (7, 3), (7,)]
    )
    labels = torch.arange(11) % 7
    loss, correct = SoftmaxLoss.apply(hidden, weight, bias, labels)
    logits = hidden @ weight.T + bias
    expected = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
    torch.testing.assert_close(loss, expected)
    assert int(correct) == int((logits.argmax(1) == labels).sum())
    parameters = (hidden, weight, bias)
    ours = torch.autograd.grad(3.0 * loss, parameters)
    plain = torch.autograd.grad(3.0 * expected, parameters)
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b)


def test_chunk_loss_ignores_unlabelled_frames() -> None:
    model = small_network()
    x = torch.randn(T, N, D, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([[0, 1], [2, IGNORED], [3, 4], [IGNORED, 5], [6, 0], [1, IGNORED]])
    state = model.initial_state(N)
    result = model.chunk_loss(x, labels, state)
    log_probs, states = model(x, state)
    wanted = labels != IGNORED
    rows = log_probs[wanted].gather(1, labels[wanted].unsqueeze(1))
    assert result.frames == int(wanted.sum()) == 9
    assert result.correct == int((log_probs[wanted].argmax(1) == labels[wanted]).sum())
    torch.testing.assert_close(result.loss, -rows.sum())
    for carried, expected in zip(result.state, states, strict=True):
        assert not carried.requires_grad
        torch.testing.assert_close(carried, expected.detach())


def test_a_chunk_without_any_label_has_no_loss() -> None:
    model = small_network()
    labels = torch.full((T, N), IGNORED)
    result = model.chunk_loss(torch.zeros(T, N, D), labels, model.initial_state(N))
    assert (result.frames, float(result.loss.detach())) == (0, 0.0)


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
