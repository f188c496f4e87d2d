"""Layered networks in torch: the equations slowly, batch normalisation, dropout, files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from deep_speech_formulas import convolution, lookahead, recurrent
from network_kinds import INPUTS, LAYERED, LAYERED_WHOLE, OUTPUTS, make_module
from recognizer.am.nnet.convolution import ConvolutionOptions, LookaheadOptions
from recognizer.am.nnet.folding import EPSILON
from recognizer.am.nnet.layers import AnyLayer, LstmpOptions, PoolingOptions, TdnnOptions
from recognizer.am.nnet.network_file import Network
from recognizer.am.nnet.options import NetworkOptions, NetworkShape
from recognizer.am.nnet.recurrent import RecurrentOptions
from recognizer.am.torch.batch_norm import BatchNorm, freeze_batch_norm
from recognizer.am.torch.layered import LayeredNetwork
from recognizer.am.torch.network_module import NetworkModule
from recognizer.am.torch.networks import from_network, make_network
from recognizer.am.torch.pooling import PoolingLayer
from recognizer.data.errors import SpeechError
from running_mean_formula import by_the_formula

Rows = npt.NDArray[np.float64]


def frames(count: int, streams: int = 2, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 + 1.5 * torch.randn(count, streams, INPUTS, generator=generator)


# The equations of one stream, from the tensors of a file, output by output


def at(rows: Rows, t: int) -> Rows:
    """Frame t; zeros before the utterance."""
    return rows[t] if t >= 0 else np.zeros(rows.shape[1])


def tdnn(options: TdnnOptions, tensors: dict[str, Rows], x: Rows) -> Rows:
    outputs = []
    offsets = range(-options.left, options.right + 1)
    for now in range(options.stride - 1, len(x), options.stride):
        middle = now - options.right * options.dilation  # in causal time
        if options.bottleneck:

            def factor(t: int) -> Rows:
                """The first factor has no outputs before the utterance: zeros."""
                window = [at(x, t + o * options.dilation) for o in offsets if o <= 0]
                result: Rows = tensors["linear"] @ np.concatenate(window)
                return result if t >= 0 else 0 * result

            window = [factor(middle + o * options.dilation) for o in offsets if o >= 0]
        else:
            window = [at(x, middle + o * options.dilation) for o in offsets]
        y = tensors["weight"] @ np.concatenate(window)
        if options.activation == "relu":
            y = np.maximum(y + tensors["bias"], 0)
        outputs.append(y + tensors.get("offset", 0.0) + options.bypass * at(x, middle)
                       if options.bypass else y + tensors.get("offset", 0.0))  # fmt: skip
    return np.array(outputs)


def lstmp(options: LstmpOptions, tensors: dict[str, Rows], x: Rows) -> Rows:
    C = options.cells
    c, r, outputs, none = np.zeros(C), np.zeros(options.output_width(0)), [], np.zeros(C)

    def sigmoid(a: Rows) -> Rows:
        result: Rows = 1 / (1 + np.exp(-a))
        return result

    for frame in x:
        gates = tensors["w_x"] @ frame + tensors["w_r"] @ r + tensors["bias"]
        i, f, g, o = gates.reshape(4, C)
        i = sigmoid(i + tensors.get("peep_i", none) * c)
        f = sigmoid(f + tensors.get("peep_f", none) * c)
        c = np.clip(f * c + i * np.tanh(g), -options.cell_clip, options.cell_clip)
        r = sigmoid(o + tensors.get("peep_o", none) * c) * np.tanh(c)
        r = tensors["w_p"] @ r if "w_p" in tensors else r
        outputs.append(r)
    return np.array(outputs)


def pooling(options: PoolingOptions, x: Rows) -> Rows:
    """Each sum as the options define it."""
    decay, outputs = 1 - 1 / options.window, []
    for t, frame in enumerate(x):
        weights = [decay ** (t - k) for k in range(t + 1)]
        count = options.prior + sum(weights)
        first = sum(w * row for w, row in zip(weights, x, strict=False))
        second = sum(w * row**2 for w, row in zip(weights, x, strict=False))
        mean = first / count
        variance = (options.prior + second) / count - mean**2
        outputs.append([*frame, *mean, *np.sqrt(np.maximum(variance, 1e-4))])
    return np.array(outputs)


def reference(network: Network, features: Rows) -> Rows:
    """Log posteriors ``[T / n, S]`` of one stream, in float64, without the delay."""
    tensors = {name: tensor.astype(np.float64) for name, tensor in network.tensors.items()}
    mean, options = tensors["input.mean"], network.options
    x = features - mean
    if options.mean_window:
        x = by_the_formula(features, mean, options.mean_window, options.mean_prior)
    x = x * tensors["input.inv_std"]
    for index, layer in enumerate(network.options.stack):
        prefix = f"layers.{index}."
        own = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
        if isinstance(layer, PoolingOptions):
            x = pooling(layer, x)
        elif isinstance(layer, ConvolutionOptions):
            x = convolution(layer, own, x)
        elif isinstance(layer, RecurrentOptions):
            x = recurrent(layer, own, x)
        elif isinstance(layer, LookaheadOptions):
            x = lookahead(own, x)
        else:
            x = tdnn(layer, own, x) if isinstance(layer, TdnnOptions) else lstmp(layer, own, x)
    logits = x @ tensors["output.weight"].T + tensors["output.bias"]
    result: Rows = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return result


EQUATIONS = [kind for kind in LAYERED if not LAYERED[kind].mean_window or "gru" in kind]


@pytest.mark.parametrize("kind", [*EQUATIONS, *LAYERED_WHOLE])
def test_equations(kind: str) -> None:
    model = make_module(kind)
    x = frames(24)
    ours, _ = model(x, model.initial_state(2))
    assert ours.shape == (24 // model.options.subsampling, 2, OUTPUTS)
    for stream in range(2):
        expected = reference(model.to_network(), x[:, stream].double().numpy())
        assert np.ptp(expected, axis=0).mean() > 0.05  # frames differ
        np.testing.assert_allclose(ours[:, stream].detach().numpy(), expected, rtol=0, atol=2e-5)


def layered(*layers: AnyLayer, **options: Any) -> NetworkShape:
    return NetworkShape(kind="layered", layers=layers, **options)


def test_an_output_sees_its_context_and_no_more() -> None:
    """Output k is about group k, whose middle is frame 3 k + 1."""
    shape = layered(
        TdnnOptions(units=8, left=1, right=1),
        TdnnOptions(units=8, left=2, right=2, dilation=2, stride=3),
        TdnnOptions(units=8, bottleneck=3, left=1, right=1),
    )
    # Right: 1 + 4 + 3 frames, one of which the group brings.
    assert (shape.subsampling, shape.output_delay) == (3, 9)
    options = NetworkOptions.of(shape, OUTPUTS, INPUTS)
    model = make_network(options, generator=torch.Generator().manual_seed(0)).eval()
    x = frames(90, streams=1).requires_grad_()
    out, _ = model(x, model.initial_state(1))
    row = 20
    (gradient,) = torch.autograd.grad(out[row].square().sum(), x)
    seen = torch.nonzero(gradient.abs().sum((1, 2))).squeeze(1)
    middle = 3 * (row - shape.output_delay // 3) + 1
    assert (seen.min() - middle, seen.max() - middle) == (-6, 10)


def test_groups_of_frames_are_whole() -> None:
    model = make_module("tdnn, every third")
    with pytest.raises(ValueError, match="features: expected a multiple of 3 frames, found 7"):
        model(frames(7), model.initial_state(2))


# Batch normalisation


def rows(count: int, width: int = 4, **arguments: Any) -> Tensor:
    return torch.randn(count, 3, width, generator=torch.Generator().manual_seed(0), **arguments)


def test_batch_norm_is_torchs() -> None:
    norm = BatchNorm(4)
    x = rows(7).requires_grad_()
    ours = norm(x, None)
    theirs = functional.batch_norm(x.view(-1, 4), None, None, training=True, eps=EPSILON)
    torch.testing.assert_close(ours.view(-1, 4), theirs)
    torch.testing.assert_close(*(torch.autograd.grad(y.pow(3).sum(), x) for y in (ours, theirs)))


def test_frozen_batch_norm_keeps_its_averages() -> None:
    norm = BatchNorm(4)
    for seed in range(3):
        norm(frames(20, seed=seed)[:, :, :4], None)
    mean, variance = norm.mean.clone(), norm.variance.clone()
    x = frames(20, seed=9)[:, :, :4].requires_grad_()
    expected = norm.eval()(x, None)
    freeze_batch_norm(torch.nn.Sequential(norm.train()))
    found = norm(x, None)
    assert torch.equal(found, expected)
    assert torch.equal(norm.mean, mean) and torch.equal(norm.variance, variance)
    (gradient,) = torch.autograd.grad(found.sum(), x)
    assert torch.allclose(gradient, torch.rsqrt(variance + EPSILON).expand_as(gradient))


def test_batch_norm_leaves_padding_out() -> None:
    real = torch.rand(7, 3, generator=torch.Generator().manual_seed(1)) < 0.6
    kept = torch.nonzero(real.reshape(-1)).squeeze(1)
    some, other = BatchNorm(4), BatchNorm(4)
    x = rows(7)
    y = some(x, kept)
    torch.testing.assert_close(y[real], other(x[real].unsqueeze(1), None).squeeze(1))
    assert not y[~real].any()
    share = len(kept) / real.numel()
    torch.testing.assert_close(some.mean, share * other.mean)
    torch.testing.assert_close(some.variance - 1, share * (other.variance - 1))
    nothing = BatchNorm(4)
    assert torch.equal(nothing(x, kept[:0]), torch.zeros_like(x))
    assert torch.equal(nothing.mean, torch.zeros(4))


@pytest.mark.parametrize("masked", [False, True])
def test_batch_norm_gradients(masked: bool) -> None:
    norm = BatchNorm(4).double()
    x = rows(5, dtype=torch.float64).requires_grad_()
    kept = torch.tensor([0, 1, 3, 4, 6, 9, 10, 11, 13, 14]) if masked else None
    assert torch.autograd.gradcheck(lambda x: norm(x, kept), x)


def test_running_statistics_become_those_of_the_frames() -> None:
    norm = BatchNorm(4)
    x = 2 + 3 * rows(40)
    for _ in range(200):
        norm(x, None)
    torch.testing.assert_close(norm.mean, x.mean((0, 1)), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(norm.variance, x.var((0, 1), correction=0), atol=1e-3, rtol=1e-3)
    training, evaluating = norm(x, None), norm.eval()(x, None)
    torch.testing.assert_close(training, evaluating, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("kind", LAYERED | LAYERED_WHOLE)
def test_what_follows_an_utterance_changes_nothing(kind: str) -> None:
    """In training, where batch statistics could bring it in; gradients too."""
    lengths, group = torch.tensor([5, 12]), make_module(kind).options.subsampling
    results = []
    for padding in (0.0, 100.0):
        model = make_module(kind).train()
        x = frames(12 * group)
        x[5 * group :, 0] = padding
        hidden, _ = model.hidden(x, model.initial_state(2), lengths * group)
        torch.cat((hidden[:5, 0], hidden[:, 1])).square().sum().backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        results.append([hidden[:5, 0], hidden[:, 1], *gradients, *model.buffers()])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_pooling_over_long_utterances() -> None:
    """Longer than one matrix product: the same as in parts, with gradients; constants pool to
    themselves but for the prior."""
    layer = PoolingLayer(PoolingOptions(window=50, prior=5), 3)
    x = rows(400, width=3, dtype=torch.float64).requires_grad_()
    whole, _ = layer(x, layer.initial_state(3, torch.float64))
    first, state = layer(x[:333], layer.initial_state(3, torch.float64))
    rest, _ = layer(x[333:], state)
    torch.testing.assert_close(torch.cat((first, rest)), whole)
    np.testing.assert_allclose(
        whole[:, 1].detach().numpy(), pooling(layer.options, x[:, 1].detach().numpy()), atol=1e-9
    )
    short = x[:6].detach().requires_grad_()
    start = [
        0.1 * torch.rand(3, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    ]
    assert torch.autograd.gradcheck(lambda x: layer(x, start)[0], short)
    constant, _ = layer(torch.full((900, 1, 3), 2.0), layer.initial_state(1, torch.float32))
    share = 50 / 55
    deviation = ((5 + 4 * 50) / 55 - (2 * share) ** 2) ** 0.5
    torch.testing.assert_close(constant[-1, 0, 3:6], torch.full((3,), 2 * share))
    torch.testing.assert_close(constant[-1, 0, 6:], torch.full((3,), deviation))


# Dropout


def test_dropout_is_one_factor_for_all_frames() -> None:
    options = NetworkOptions.of(
        layered(TdnnOptions(units=400, batch_norm=False), TdnnOptions(units=400, activation="none",
                batch_norm=False)), 2, 400
    )  # fmt: skip
    model = make_network(options, dropout=0.2).train()
    with torch.no_grad():
        for matrix in (model.layers[0].weight, model.layers[1].weight):
            matrix.copy_(torch.eye(400))  # type: ignore[operator]
    torch.manual_seed(0)
    factors, _ = model.hidden(torch.ones(9, 5, 400), model.initial_state(5))
    assert torch.equal(factors[0].expand_as(factors), factors)
    assert factors.min() >= 0.6 and factors.max() <= 1.4
    assert abs(factors.mean() - 1) < 0.02 and abs(factors.std() - 0.4 / 3**0.5) < 0.01
    assert not torch.equal(factors[:, 0], factors[:, 1])
    lowest, top = options.stack
    half = make_network(replace(options, layers=(replace(lowest, dropout=0.5), top)), dropout=0.2)
    half.load_state_dict(model.state_dict())
    factors, _ = half.train().hidden(torch.ones(9, 5, 400), half.initial_state(5))
    assert factors.min() >= 0.8 and factors.max() <= 1.2 and factors.std() > 0.1
    plain, _ = model.eval().hidden(torch.ones(9, 5, 400), model.initial_state(5))
    assert torch.equal(plain, torch.ones(9, 5, 400))


# Files


@pytest.mark.parametrize("kind", LAYERED)
def test_a_file_knows_no_batch_normalisation(kind: str) -> None:
    model = make_module(kind)
    network = model.to_network()
    tdnn = {n for n, layer in enumerate(model.options.stack) if isinstance(layer, TdnnOptions)}
    assert not any(f"layers.{n}.norm" in name for n in tdnn for name in network.tensors)
    copy = from_network(network).eval()
    x = frames(18)
    torch.testing.assert_close(
        copy(x, copy.initial_state(2))[0], model(x, model.initial_state(2))[0], atol=1e-5, rtol=0
    )
    for name, tensor in copy.to_network().tensors.items():
        np.testing.assert_array_equal(tensor, network.tensors[name])


def test_training_goes_on_from_a_file() -> None:
    """A chunk's statistics undo what was folded into the weights."""
    model = make_module("tdnn, every third").train()
    copy = from_network(model.to_network()).train()
    x = frames(300)
    torch.testing.assert_close(
        copy(x, copy.initial_state(2))[0], model(x, model.initial_state(2))[0], atol=0.02, rtol=0
    )


def test_tensors_that_are_missing() -> None:
    tensors = dict(make_module("tdnn").to_network().tensors)
    del tensors["layers.0.offset"]
    with pytest.raises(SpeechError, match=r"tensor layers.0.norm.mean: expected \[33\]"):
        make_module("tdnn").load_tensors(tensors)


@pytest.mark.parametrize("kind", LAYERED)
def test_running_statistics_are_named(kind: str) -> None:
    model = make_module(kind)
    assert isinstance(model, LayeredNetwork)
    found = set(model.running_statistics())
    trained = {name for name, _ in model.named_parameters()}
    assert found | trained | {"input.mean", "input.inv_std"} == set(model.state_dict())
    norms = sum(getattr(layer, "batch_norm", False) for layer in model.options.stack)
    assert len(found) == 2 * norms
    assert not NetworkModule.running_statistics(model)
