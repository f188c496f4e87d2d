"""Native inference of every kind of network: beside torch, in pieces, in batches, in int8."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import network_kinds
from network_kinds import INPUTS, LAYERED, OUTPUTS, SUBSAMPLED, make_file
from recognizer.am import _inference
from recognizer.am.nnet.inference import log_posteriors
from recognizer.am.nnet.native import PRECISIONS, NativeNetwork, _layers, cpu_levels
from recognizer.am.nnet.network_file import read_network, write_network
from recognizer.am.torch.inference import TorchNetwork
from recognizer.data.errors import SpeechError, UsageError

FloatArray = npt.NDArray[np.float32]
STREAMING = network_kinds.STREAMING | network_kinds.SUBSAMPLED_STREAMING | LAYERED
WHOLE = network_kinds.WHOLE | network_kinds.SUBSAMPLED_WHOLE
KINDS = STREAMING | WHOLE
NETWORKS = {kind: make_file(kind) for kind in KINDS}
RNN = "convolution over time and rnn, every second"


def make_features(*lengths: int, seed: int = 1) -> list[FloatArray]:
    random = np.random.default_rng(seed)
    return [random.normal(3, 1.5, size=(T, INPUTS)).astype(np.float32) for T in lengths]


@pytest.mark.parametrize("level", cpu_levels())
@pytest.mark.parametrize("kind", KINDS)
def test_float32_agrees_with_torch(kind: str, level: str) -> None:
    utterances = make_features(150, 1, 2, 40)
    native = NativeNetwork(NETWORKS[kind], level=level)
    torch = TorchNetwork(NETWORKS[kind])
    for ours, theirs in zip(
        native.log_posteriors(utterances), torch.log_posteriors(utterances), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)


@pytest.mark.parametrize("level", cpu_levels())
@pytest.mark.parametrize("kind", KINDS)
def test_int8_is_close(kind: str, level: str) -> None:
    (features,) = make_features(300)
    exact = log_posteriors(NativeNetwork(NETWORKS[kind], level=level), features)
    rough = log_posteriors(NativeNetwork(NETWORKS[kind], "int8", level=level), features)
    np.testing.assert_allclose(np.exp(rough).sum(1), 1, rtol=1e-5)
    difference = np.abs(rough - exact)
    # Of the layered networks here, hidden values and so logits are several times as large.
    scale = 4 if kind in LAYERED else 1
    assert 0 < difference.mean() < 0.03 * scale and difference.max() < 0.4 * scale
    assert (rough.argmax(1) == exact.argmax(1)).mean() > 1 - 0.05 * scale


@pytest.mark.parametrize("kind", KINDS)
def test_facts_of_the_model(kind: str) -> None:
    model, options = NativeNetwork(NETWORKS[kind]), NETWORKS[kind].options
    assert (model.num_outputs, model.input_dim) == (OUTPUTS, INPUTS)
    assert model.output_delay == options.output_delay
    assert model.subsampling == options.subsampling
    (features,) = make_features(30)
    rows = -(-30 // options.subsampling)
    assert log_posteriors(model, features).shape == (rows, OUTPUTS)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", SUBSAMPLED)
def test_subsampled_outputs_are_every_nth_of_all(kind: str, precision: str) -> None:
    """The same weights with and without: the same bits at the frames 0, n, 2n, ..."""
    network = NETWORKS[kind]
    step = network.options.subsampling
    every = replace(network, options=replace(network.options, subsampling=1))
    for features in make_features(0, 1, 2, 3, 4, 5, 6, 59, 60, 61):
        kept = log_posteriors(NativeNetwork(network, precision), features)
        all_rows = log_posteriors(NativeNetwork(every, precision), features)
        np.testing.assert_array_equal(kept, all_rows[::step])
        if precision == "float32":
            in_torch = log_posteriors(TorchNetwork(every), features)[::step]
            ours = log_posteriors(TorchNetwork(network), features)
            np.testing.assert_array_equal(ours, in_torch)


MODELS = {
    (kind, precision, level): NativeNetwork(NETWORKS[kind], precision, threads=threads, level=level)
    for kind in KINDS
    for precision in PRECISIONS
    for threads, level in ((1, "portable"), (3, cpu_levels()[-1]))
}


@settings(max_examples=60)
@given(data=st.data(), chosen=st.sampled_from(sorted(k for k in MODELS if k[0] in STREAMING)))
def test_cuts_and_batches_leave_the_bits(data: st.DataObject, chosen: tuple[str, str, str]) -> None:
    kind, precision, level = chosen
    alone = NativeNetwork(NETWORKS[kind], precision, level=level)
    utterances = make_features(*data.draw(st.lists(st.integers(0, 50), min_size=1, max_size=14)))
    expected = [log_posteriors(alone, features) for features in utterances]
    model = MODELS[chosen]
    sessions = [model.start() for _ in utterances]
    rows: list[list[FloatArray]] = [[] for _ in utterances]
    begin = 0
    while begin < 50:
        size = data.draw(st.integers(1, 30))
        blocks = [features[begin : begin + size] for features in utterances]
        for i, result in enumerate(model.advance_all(sessions, blocks)):
            rows[i].append(result)
        begin += size
    for i, result in enumerate(model.finish_all(sessions)):
        np.testing.assert_array_equal(np.concatenate([*rows[i], result]), expected[i])


@settings(max_examples=30)
@given(
    lengths=st.lists(st.integers(0, 60), min_size=1, max_size=30),
    chosen=st.sampled_from(sorted(k for k in MODELS if k[0] in WHOLE)),
)
def test_batches_of_whole_utterances_leave_the_bits(
    lengths: list[int], chosen: tuple[str, str, str]
) -> None:
    kind, precision, level = chosen
    alone = NativeNetwork(NETWORKS[kind], precision, level=level)
    utterances = make_features(*lengths)
    for features, result in zip(utterances, MODELS[chosen].log_posteriors(utterances), strict=True):
        assert result.shape == (-(-len(features) // alone.subsampling), OUTPUTS)
        np.testing.assert_array_equal(result, log_posteriors(alone, features))


@pytest.mark.parametrize("kind", network_kinds.LAYERED_WHOLE)
def test_layers_of_both_directions(kind: str) -> None:
    """Torch runs them; every output sees the last frame. Native inference says that it does not."""
    network = make_file(kind)
    options = network.options
    assert not options.streaming and options.output_delay > 0
    with pytest.raises(UsageError, match=r"layers\[1\]: expected .* 'rnn of both'"):
        NativeNetwork(network)
    model = TorchNetwork(network)
    with pytest.raises(UsageError, match="bidirectional: it cannot stream, only take whole"):
        model.start()
    for features in make_features(0, 1, 2, 3, 20, 41):
        rows = log_posteriors(model, features)
        assert rows.shape == (-(-len(features) // options.subsampling), OUTPUTS)
        changed = features.copy()
        changed[-1:] += 1
        assert not len(rows) or (log_posteriors(model, changed) != rows).any(1).all()


@pytest.mark.parametrize("engine", [NativeNetwork, TorchNetwork])
@pytest.mark.parametrize("kind", WHOLE)
def test_bidirectional_networks_refuse_to_stream(
    kind: str, engine: type[NativeNetwork | TorchNetwork]
) -> None:
    with pytest.raises(UsageError, match="bidirectional: it cannot stream, only take whole"):
        engine(NETWORKS[kind]).start()


@pytest.mark.parametrize("engine", [NativeNetwork, TorchNetwork])
@pytest.mark.parametrize("kind", KINDS)
def test_wrong_features_of_whole_utterances(
    kind: str, engine: type[NativeNetwork | TorchNetwork]
) -> None:
    model = engine(NETWORKS[kind])
    good, bad = make_features(20, 20)
    bad[3, 2] = np.nan
    with pytest.raises(SpeechError, match="features: expected finite numbers, found NaN or inf"):
        model.log_posteriors([good, bad])
    with pytest.raises(SpeechError, match=r"expected \[T, 6\], found \[20, 5\]"):
        model.log_posteriors([good[:, :5]])


@pytest.mark.parametrize("kind", STREAMING)
def test_state_passes_in_and_out(kind: str) -> None:
    """A stream goes on in another model object from a copy of its state."""
    one, other = (NativeNetwork(NETWORKS[kind], "int8")._native for _ in range(2))
    options = NETWORKS[kind].options
    step, cut = options.subsampling, 17 * options.frame_group
    (features,) = make_features(40 * options.frame_group)
    state = np.zeros(one.state_size, dtype=np.float32)
    (whole,) = one.run([features], [state.copy()], [0], 1)
    (first,) = one.run([features[:cut]], [state], [0], 1)
    skip = -cut % step + step  # one output less
    (rest,) = other.run([features[cut:]], [state.copy()], [skip], 1)
    np.testing.assert_array_equal(first, whole[: len(first)])
    np.testing.assert_array_equal(rest, whole[(cut + skip) // step :])


def test_a_dnns_state_is_its_latest_frames() -> None:
    native = NativeNetwork(NETWORKS["dnn"])._native
    assert native.state_size == 5 * INPUTS
    (features,) = make_features(12)
    state = np.zeros(native.state_size, dtype=np.float32)
    native.run([features], [state], [0], 1)
    np.testing.assert_allclose(state.reshape(5, INPUTS), (features[-5:] - 3) * 0.7, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_files_of_every_kind_are_run(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    write_network(NETWORKS[kind], path)
    (features,) = make_features(25)
    ours = log_posteriors(NativeNetwork(read_network(path)), features)
    np.testing.assert_array_equal(ours, log_posteriors(NativeNetwork(NETWORKS[kind]), features))


def parts(
    kind: str,
) -> tuple[dict[str, FloatArray], list[dict[str, Any]], list[dict[str, Any]]]:
    """Input and output tensors, layers and reverse layers as the native module takes them."""
    network = NETWORKS[kind]
    ends = {
        name.split(".")[1]: tensor
        for name, tensor in network.tensors.items()
        if name.startswith(("input.", "output."))
    }
    return ends, _layers(network, "layers"), _layers(network, "reverse_layers")


def test_wrong_parts_of_bidirectional_networks() -> None:
    ends, layers, reverse = parts("blstmp")
    native = _inference.Network(ends, layers, False, "portable", reverse)
    assert (native.state_size, native.level) == (0, "portable")
    with pytest.raises(ValueError, match="reverse layers: expected 2, found 1"):
        _inference.Network(ends, layers, False, "portable", reverse[:1])
    with pytest.raises(ValueError, match="reverse layer 1: w_x: missing"):
        wrong = [reverse[0], {n: t for n, t in reverse[1].items() if n != "w_x"}]
        _inference.Network(ends, layers, False, "portable", wrong)
    with pytest.raises(ValueError, match="reverse layer 0: expected 17 outputs"):
        plain = dict(layers[0])
        del plain["w_p"]
        plain["w_r"] = np.zeros((68, 17), np.float32)
        _inference.Network(ends, [plain, layers[1]], False, "portable", reverse)
    strided = dict(parts("tdnn, every third")[1][0]) | {"stride": 3}
    with pytest.raises(ValueError, match="layer 0: stride: expected 1 in two directions"):
        _inference.Network(ends, [strided], False, "portable", [strided], subsampling=3)


@pytest.mark.parametrize(
    ("kind", "layer", "change", "message"),
    [
        ("dnn", 0, {"left": 1}, r"layer 0: weight: expected \[33, 24\], found \[33, 36\]"),
        ("dnn", 0, {"left": 10**6}, "layer 0: left: expected an integer, 0 to 65536"),
        ("dnn", 0, {"left": -1}, "layer 0: left: expected an integer, 0 to 65536"),
        ("dnn", 0, {"right": None}, "layer 0: right: expected an integer, 0 to 65536"),
        ("dnn", 1, {"dilation": 0}, "layer 1: dilation: expected an integer, 1 to 65536"),
        ("dnn", 0, {"activation": "tanh"}, "expected none, relu or sigmoid, found tanh"),
        ("dnn", 0, {"activation": 3}, "layer 0: activation: expected a string"),
        ("dnn", 1, {"bias": np.zeros(32, np.float32)}, "layer 1: bias: expected 33 values"),
        ("dnn", 0, {"bypass": 0.5}, "bypass: expected 0 where inputs and outputs differ in number"),
        ("dnn", 0, {"bypass": float("inf")}, "layer 0: bypass: expected a number"),
        ("dnn", 0, {"stride": 2, "bypass": 0.5}, "and 0 in a layer with a stride"),
        ("dnn", 1, {"stride": 2}, "subsampling: expected a multiple of 2, the product of the"),
        ("tdnn and pooling, every third", 1, {"window": 0}, "layer 1: window: expected an"),
        ("tdnn and pooling, every third", 1, {"prior": -1}, "layer 1: prior: expected an"),
        ("tdnn and pooling, every third", 1, {"prior": None}, "layer 1: prior: expected"),
        ("tdnn", 0, {"kind": "cnn"}, "layer 0: kind: expected tdnn, lstmp, pooling, convolution"),
        ("tdnn", 0, {"kind": None}, "layer 0: kind: expected a string"),
        (RNN, 0, {"clip": 0.0}, "layer 0: clip: expected a number > 0"),
        (RNN, 0, {"maps": 4}, "layer 0: maps: expected a divisor of its 6 inputs"),
        (RNN, 0, {"left": 1}, r"layer 0: weight: expected \[20, 24\], found \[20, 30\]"),
        (RNN, 0, {"height": 3}, r"layer 0: weight: expected \[20, 15\], found \[20, 30\]"),
        (RNN, 0, {"bias": None}, "layer 0: bias: missing"),
        (RNN, 1, {"w_x": None}, "layer 1: w_x: missing"),
        (RNN, 1, {"bias": np.zeros(18, np.float32)}, "layer 1: bias: expected 19 values"),
        (RNN, 3, {"right": 2}, r"layer 3: weight: expected \[17, 3\], found \[17, 4\]"),
        (RNN, 3, {"right": 0}, "layer 3: right: expected an integer, 1 to 65536"),
        ("gru of features", 0, {"activation": "sigmoid"}, "expected tanh or relu, found sigmoid"),
        ("gru of features", 0, {"kind": "rnn"}, r"w_x: expected \[24, 6\], found \[72, 6\]"),
        ("tdnn", 0, {"offset": np.zeros(32, np.float32)}, "offset: expected 33 values, found 32"),
        (
            "factorised, every sixth",
            2,
            {"dilation": 2},
            "layer 2: dilation: expected a multiple of the stride",
        ),
        (
            "factorised, every sixth",
            1,
            {"linear": np.zeros((4, 16), np.float32)},
            r"layer 1: linear: expected \[4, 32\], found \[4, 16\]",
        ),
        (
            "factorised, every sixth",
            1,
            {"right": 2},
            r"layer 1: weight: expected \[16, 12\], found \[16, 8\]",
        ),
    ],
)  # fmt: skip
def test_wrong_parts_of_layers(kind: str, layer: int, change: dict[str, Any], message: str) -> None:
    ends, layers, _ = parts(kind)
    subsampling = NETWORKS[kind].options.subsampling
    _inference.Network(ends, layers, False, "portable", subsampling=subsampling)
    layers[layer] = {n: v for n, v in (layers[layer] | change).items() if v is not None}
    with pytest.raises(ValueError, match=message) as error:
        _inference.Network(ends, layers, False, "portable", subsampling=subsampling)
    assert "\n" not in str(error.value)


def test_layered_networks_take_whole_groups() -> None:
    native = NativeNetwork(NETWORKS["tdnn, every third"])._native
    state = np.zeros(native.state_size, dtype=np.float32)
    for frames, skip in ((7, 0), (6, 1)):
        (features,) = make_features(frames)
        with pytest.raises(ValueError, match="features, skip: expected multiples of 3 frames"):
            native.run([features], [state], [skip], 1)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_outputs_come_with_the_group_that_they_need(precision: str) -> None:
    """Each call gives what can be given: the delay, and a group of frames, but no more."""
    network = NETWORKS["tdnn, every third"]
    delay = network.options.output_delay
    (features,) = make_features(40)
    session = NativeNetwork(network, precision).start()
    for t, frame in enumerate(features):
        due = (t + 1) % 3 == 0 and t + 1 > delay
        assert len(session.advance(frame[None])) == due, t
    assert len(session.finish()) == 14 - (39 - delay) // 3


def test_strides_and_further_subsampling() -> None:
    """The native module makes every k-th of the outputs of layers with a stride, too."""
    ends, layers, _ = parts("tdnn, every third")
    every, kept = (
        _inference.Network(ends, layers, False, "portable", subsampling=n) for n in (3, 6)
    )
    (features,) = make_features(60)
    rows, some = (n.run([features], [np.zeros(n.state_size, np.float32)], [3], 1)[0]
                  for n in (every, kept))  # fmt: skip
    assert (len(rows), len(some)) == (19, 10)
    np.testing.assert_array_equal(some, rows[::2])
