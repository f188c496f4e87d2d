"""What a trainer may expect of a network of any kind; DNN and BLSTM beside torch's own modules."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from network_kinds import INPUTS, KINDS, LAYERED, OUTPUTS, STREAMING, WHOLE, make_module
from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.torch.blstm import BlstmNetwork
from recognizer.am.torch.dnn import DnnNetwork
from recognizer.am.torch.network_module import NetworkModule, reset_state
from recognizer.am.torch.networks import from_network, make_network
from recognizer.data.errors import SpeechError


def frames(count: int, streams: int = 2, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 + 1.5 * torch.randn(count, streams, INPUTS, generator=generator)


def log_posteriors(model: NetworkModule, x: Tensor, lengths: Tensor | None = None) -> Tensor:
    result: Tensor = model(x, model.initial_state(x.shape[1]), lengths)[0]
    return result


@pytest.mark.parametrize("kind", STREAMING | LAYERED)
def test_carried_state_makes_chunks_the_whole(kind: str) -> None:
    model = make_module(kind)
    assert not model.whole_utterances
    group = model.options.subsampling
    x = frames(23 * group)
    whole = log_posteriors(model, x)
    state, parts = model.initial_state(2), []
    for begin, end in pairwise((0, 1, 3, 4, 11, 23)):
        part, state = model(x[begin * group : end * group], state)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", STREAMING | LAYERED)
def test_reset_state_begins_an_utterance(kind: str) -> None:
    model = make_module(kind)
    _, state = model(frames(12), model.initial_state(2))
    state = [tensor.detach() for tensor in state]
    assert all(len(tensor) == 2 for tensor in state)
    kept = [tensor[1].clone() for tensor in state]
    reset_state(state, torch.tensor([True, False]))
    x = frames(6, seed=2)
    fresh = log_posteriors(model, x)
    torch.testing.assert_close(model(x, state)[0][:, 0], fresh[:, 0])
    for tensor, before in zip(state, kept, strict=True):
        assert torch.equal(tensor[1], before)


@pytest.mark.parametrize("kind", WHOLE)
def test_padding_of_whole_utterances_changes_nothing(kind: str) -> None:
    model = make_module(kind)
    assert model.whole_utterances
    x, lengths = frames(9, streams=3), torch.tensor([9, 4, 1])
    together = log_posteriors(model, x, lengths)
    for n, length in enumerate(lengths.tolist()):
        alone = log_posteriors(model, x[:length, n : n + 1])
        torch.testing.assert_close(together[:length, n : n + 1], alone, rtol=0, atol=1e-5)


def test_blstm_is_torchs() -> None:
    model = make_module("blstm")
    assert isinstance(model, BlstmNetwork)
    options = model.options
    lstm = nn.LSTM(INPUTS, options.cells, options.layers, bidirectional=True)
    with torch.no_grad():
        for layer in range(options.layers):
            for suffix, own in (("", model.layers), ("_reverse", model.reverse_layers)):
                name = f"l{layer}{suffix}"
                lstm.get_parameter(f"weight_ih_{name}").copy_(own[layer].get_parameter("w_x"))
                lstm.get_parameter(f"weight_hh_{name}").copy_(own[layer].get_parameter("w_r"))
                lstm.get_parameter(f"bias_ih_{name}").copy_(own[layer].get_parameter("bias"))
                lstm.get_parameter(f"bias_hh_{name}").zero_()
    for layers in (model.layers, model.reverse_layers):
        for layer_module in layers:
            layer_module.cell_clip = 50.0  # torch's cells are not clipped
    x = frames(12)
    expected, _ = lstm((x - 3) * 0.7)
    hidden, _ = model.hidden(x, [])
    torch.testing.assert_close(hidden, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["dnn", "low-rank sigmoid dnn", "dnn of one frame"])
def test_dnn_sees_its_window(kind: str) -> None:
    """Frame by frame; before the utterance stand frames of the mean."""
    model = make_module(kind)
    assert isinstance(model, DnnNetwork)
    options, tensors = model.options, model.state_dict()
    x = frames(8)
    normal = (x - 3) * 0.7
    padded = torch.cat((torch.zeros(options.window - 1, 2, INPUTS), normal))
    expected = []
    for t in range(8):
        rows = []
        for n in range(2):
            y = padded[t : t + options.window, n].reshape(-1)
            for layer in range(options.layers):
                y = tensors[f"layers.{layer}.weight"] @ y + tensors[f"layers.{layer}.bias"]
                y = y.relu() if options.activation == "relu" else y.sigmoid()
            if options.projection:
                y = tensors["projection.weight"] @ y
            logits = tensors["output.weight"] @ y + tensors["output.bias"]
            rows.append(logits.log_softmax(0))
        expected.append(torch.stack(rows))
    torch.testing.assert_close(log_posteriors(model, x), torch.stack(expected))


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_signals_survive_deep_dnns(activation: Literal["relu", "sigmoid"]) -> None:
    options = NetworkOptions(
        outputs=5, input_dim=INPUTS, kind="dnn", layers=7, cells=300, projection=0,
        activation=activation,
    )  # fmt: skip
    model = make_network(options, generator=torch.Generator().manual_seed(0))
    hidden, _ = model.hidden(torch.randn(200, 1, INPUTS), model.initial_state(1))
    # Frames still differ: the signal has not died away on its way up.
    assert hidden.std(0).mean() > 0.02 * hidden.abs().mean()


@pytest.mark.parametrize("kind", KINDS | LAYERED)
def test_precision_of_products(kind: str) -> None:
    exact = log_posteriors(make_module(kind), frames(12))
    rough = log_posteriors(make_module(kind, precision=torch.bfloat16), frames(12))
    assert rough.dtype == torch.float32
    assert 1e-4 < (rough - exact).abs().max() < 0.4


@pytest.mark.parametrize("kind", KINDS | LAYERED)
def test_initial_weights_come_from_the_generator(kind: str) -> None:
    before = torch.get_rng_state()
    one, two = make_module(kind), make_module(kind)
    assert torch.equal(torch.get_rng_state(), before)
    for (name, a), (_, b) in zip(one.named_parameters(), two.named_parameters(), strict=True):
        assert torch.equal(a, b), name
        if "bias" not in name:
            assert a.std() > 0, name


@pytest.mark.parametrize("kind", KINDS)
def test_weights_pass_through_the_file_form(kind: str) -> None:
    model = make_module(kind)
    network = model.to_network(np.zeros(OUTPUTS, dtype=np.float32), {"a": 1})
    copy = from_network(network)
    assert type(copy) is type(model) and network.metadata == {"a": 1}
    for (name, a), b in zip(model.state_dict().items(), copy.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_weights_of_another_shape_are_refused() -> None:
    tensors = dict(make_module("lstmp").to_network().tensors)
    with pytest.raises(SpeechError, match=r"tensor layers.0.w_p: expected .*found none"):
        make_module("lstmp").load_tensors({k: v for k, v in tensors.items() if "w_p" not in k})
    with pytest.raises(SpeechError, match=r"layers.0.w_r: expected \[68, 17\], found \[68, 9\]"):
        make_module("lstm").load_tensors(tensors)
