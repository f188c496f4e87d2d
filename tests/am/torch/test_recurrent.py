"""Recurrent layers and convolutions in torch beside torch's own, and training of their scales."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from network_kinds import INPUTS, LAYERED_WHOLE, OUTPUTS, make_module
from recognizer.am.nnet.convolution import ConvolutionOptions
from recognizer.am.nnet.options import NetworkOptions, NetworkShape
from recognizer.am.nnet.recurrent import GruOptions, RnnOptions
from recognizer.am.torch.convolution import ConvolutionLayer
from recognizer.am.torch.networks import from_network, make_network
from recognizer.am.torch.recurrent import RecurrentLayer

D, U, N = 5, 7, 3


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def filled(layer: nn.Module) -> nn.Module:
    with torch.no_grad():
        for n, parameter in enumerate(layer.parameters()):
            parameter.copy_(0.5 * random(*parameter.shape, seed=n))
    return layer.double()


@pytest.mark.parametrize("bidirectional", [False, True])
def test_gru_is_torchs(bidirectional: bool) -> None:
    """Its update gate is one minus ours, and it has input weights for each direction."""
    layer = filled(
        RecurrentLayer(GruOptions(units=U, batch_norm=False, bidirectional=bidirectional), D)
    )
    peer = nn.GRU(D, U, bidirectional=bidirectional, dtype=torch.float64)
    ours = dict(layer.named_parameters())
    with torch.no_grad():
        for suffix, own in (("", "w_r"), ("_reverse", "w_r_reverse"))[: 1 + bidirectional]:
            for name, tensor in (("weight_ih", ours["w_x"]), ("weight_hh", ours[own]),
                                 ("bias_ih", ours["bias"])):  # fmt: skip
                z, r, candidate = tensor.chunk(3)
                getattr(peer, f"{name}_l0{suffix}").copy_(torch.cat((r, -z, candidate)))
            getattr(peer, f"bias_hh_l0{suffix}").zero_()
    x = random(11, N, D, seed=9).requires_grad_()
    y, (last,) = layer(x, layer.initial_state(N, torch.float64), None, None)
    theirs, h = peer(x)
    expected = theirs[..., :U] + theirs[..., U:] if bidirectional else theirs
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(last, h[0])
    torch.testing.assert_close(*(torch.autograd.grad(y.pow(2).sum(), x) for y in (y, expected)))


def test_rnn_is_torchs_below_its_clip() -> None:
    layer = filled(RecurrentLayer(RnnOptions(units=U, batch_norm=False, clip=1e9), D))
    peer = nn.RNN(D, U, nonlinearity="relu", dtype=torch.float64)
    ours = dict(layer.named_parameters())
    with torch.no_grad():
        peer.weight_ih_l0.copy_(ours["w_x"])
        peer.weight_hh_l0.copy_(ours["w_r"])
        peer.bias_ih_l0.copy_(ours["bias"])
        peer.bias_hh_l0.zero_()
    x, start = random(11, N, D, seed=9), random(N, U, seed=8).abs()
    y, _ = layer(x, [start], None, None)
    torch.testing.assert_close(y, peer(x, start.unsqueeze(0))[0])


def test_norm_of_a_convolution_is_torchs_of_images() -> None:
    """Of each filter, over utterances, frames and bins; padding at the end of one is left out."""
    options = ConvolutionOptions(filters=4, left=1, right=1, height=3, clip=1e9)
    layer = filled(ConvolutionLayer(options, 6)).train()
    x = random(9, 2, 6)
    lengths = (9, 5)
    kept = torch.tensor([t * 2 + n for t in range(9) for n in range(2) if t < lengths[n]])
    y, _ = layer(x, layer.initial_state(2, torch.float64), kept)
    parameters = dict(layer.named_parameters())
    filters = parameters["weight"].view(4, 3, 3).unsqueeze(1)
    sums = [
        functional.conv2d(functional.pad(x[:length, n], (1, 1, 2, 0))[None, None], filters)
        for n, length in enumerate(lengths)
    ]
    flat = torch.cat([image[0].flatten(1) for image in sums], 1)  # [F, frames * bins]
    expected = functional.batch_norm(
        flat.t(), None, None, parameters["norm.scale"], parameters["bias"], True, eps=1e-3
    ).relu()
    ours = torch.cat([y[:length, n].reshape(-1, 4) for n, length in enumerate(lengths)])
    torch.testing.assert_close(ours, expected)


def test_training_goes_on_from_a_file_with_scales() -> None:
    (kind,) = LAYERED_WHOLE
    model = make_module(kind).train()
    copy = from_network(model.to_network()).train()
    x = 3 + 1.5 * torch.randn(40, 4, INPUTS, generator=torch.Generator().manual_seed(1))
    for ours, theirs in zip(copy(x, [])[0], model(x, [])[0], strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_initial_signals_neither_vanish_nor_grow(precision: torch.dtype) -> None:
    """Seven recurrent layers; what is left and what a gradient becomes, in both precisions."""
    layers = (
        ConvolutionOptions(filters=40, left=5, right=5, stride=2),
        *(RnnOptions(units=100) for _ in range(7)),
    )
    options = NetworkOptions.of(NetworkShape(kind="layered", layers=layers), OUTPUTS, INPUTS)
    model = make_network(
        options, generator=torch.Generator().manual_seed(0), precision=precision
    ).train()
    x = torch.randn(100, 4, INPUTS, generator=torch.Generator().manual_seed(1))
    hidden, _ = model.hidden(x, model.initial_state(4))
    assert 0.3 < hidden.float().std() < 3
    hidden.float().square().mean().backward()
    sizes = [p.grad.norm().item() for n, p in model.named_parameters() if p.grad is not None
             and n.endswith(("w_x", "w_r"))]  # fmt: skip
    assert len(sizes) == 14 and np.isfinite(sizes).all() and max(sizes) < 100 * min(sizes)
