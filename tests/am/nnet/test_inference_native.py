"""Native inference: the arithmetic it claims, the same bits however frames come, clear refusals."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from places import ROOT
from recognizer.am import _inference
from recognizer.am.features.fbank import FbankOptions, fbank
from recognizer.am.nnet.inference import log_posteriors
from recognizer.am.nnet.native import (
    LEVEL_VARIABLE,
    PRECISIONS,
    NativeNetwork,
    cpu_levels,
)
from recognizer.am.nnet.network_file import Network, read_network
from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.torch.inference import TorchNetwork
from recognizer.data.audio.reading import read_audio
from recognizer.data.corpora.corpus import read_corpus
from recognizer.data.errors import SpeechError, UsageError

FloatArray = npt.NDArray[np.float32]

SMALL = NetworkOptions(outputs=23, input_dim=6, cells=17, projection=9, layers=3)
EVERY_LEVEL = pytest.mark.parametrize("level", cpu_levels())
EVERY_PRECISION = pytest.mark.parametrize("precision", PRECISIONS)


def make_network(options: NetworkOptions = SMALL, seed: int = 0) -> Network:
    random = np.random.default_rng(seed)
    tensors = {
        name: random.uniform(-0.5, 0.5, shape).astype(np.float32)
        for name, shape in options.shapes().items()
    }
    tensors["input.mean"][:] = 3
    tensors["input.inv_std"][:] = 0.7
    tensors["log_priors"] = np.linspace(-5, -1, options.outputs, dtype=np.float32)
    return Network(options, tensors)


def make_features(*lengths: int, dim: int = 6, seed: int = 1) -> list[FloatArray]:
    random = np.random.default_rng(seed)
    return [random.normal(3, 1.5, size=(T, dim)).astype(np.float32) for T in lengths]


NETWORK = make_network()


# The equations, slowly


def rounded(rows: npt.NDArray[Any], int8: bool) -> npt.NDArray[np.float64]:
    """Each row as a scale times integers of at most 127; as it is unless in int8."""
    rows = np.asarray(rows, dtype=np.float64)
    if not int8:
        return rows
    scale = np.abs(rows).max(-1, keepdims=True) / 127
    result: npt.NDArray[np.float64] = np.rint(rows / np.where(scale, scale, 1)) * scale
    return result


def sigmoid(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


def reference(
    ends: dict[str, FloatArray],
    layers: list[dict[str, Any]],
    features: FloatArray,
    *,
    clip: float = 50.0,
    int8: bool = False,
) -> npt.NDArray[np.float64]:
    """Log posteriors of every frame, without delay, in float64 but for what int8 rounds."""
    x = (features.astype(np.float64) - ends["mean"]) * ends["inv_std"]
    for index, layer in enumerate(layers):
        C = len(layer["bias"]) // 4
        none = np.zeros(C)
        w_x = rounded(layer["w_x"], int8 and index > 0)
        w_r = rounded(layer["w_r"], int8)
        c, r, rows = np.zeros(C), np.zeros(w_r.shape[1]), []
        for frame in rounded(x, int8 and index > 0):
            i, f, g, o = (w_x @ frame + w_r @ rounded(r, int8) + layer["bias"]).reshape(4, C)
            i = sigmoid(i + layer.get("peep_i", none) * c)
            f = sigmoid(f + layer.get("peep_f", none) * c)
            c = np.clip(f * c + i * np.tanh(g), -clip, clip)
            r = sigmoid(o + layer.get("peep_o", none) * c) * np.tanh(c)
            if "w_p" in layer:
                r = rounded(layer["w_p"], int8) @ rounded(r, int8)
            rows.append(r)
        x = np.array(rows)
    logits = rounded(x, int8) @ rounded(ends["weight"], int8).T + ends["bias"]
    logits -= logits.max(1, keepdims=True)
    result: npt.NDArray[np.float64] = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return result


def make_parts(
    inputs: int,
    cells: int,
    projection: int,
    layers: int,
    outputs: int,
    peepholes: bool,
    cell_clip: float = 50.0,
) -> tuple[dict[str, FloatArray], list[dict[str, Any]]]:
    """What `_inference.Network` takes; projection 0 is none."""
    random = np.random.default_rng(cells)

    def make(*shape: int) -> FloatArray:
        return random.uniform(-0.5, 0.5, shape).astype(np.float32)

    width, recurrent = inputs, projection or cells
    parts = []
    for _ in range(layers):
        layer: dict[str, Any] = {
            "kind": "lstmp",
            "cell_clip": cell_clip,
            "w_x": make(4 * cells, width),
            "w_r": make(4 * cells, recurrent),
            "bias": make(4 * cells),
        }
        if peepholes:
            layer |= {name: make(cells) for name in ("peep_i", "peep_f", "peep_o")}
        if projection:
            layer["w_p"] = make(projection, cells)
        parts.append(layer)
        width = recurrent
    ends = {
        "mean": make(inputs),
        "inv_std": np.full(inputs, 0.7, dtype=np.float32),
        "weight": make(outputs, recurrent),
        "bias": make(outputs),
    }
    return ends, parts


def run(native: Any, features: FloatArray) -> FloatArray:
    state = np.zeros(native.state_size, dtype=np.float32)
    result: FloatArray = native.run([features], [state], [0], 1)[0]
    return result


@EVERY_LEVEL
@EVERY_PRECISION
@pytest.mark.parametrize("peepholes", [True, False])
@pytest.mark.parametrize(
    ("inputs", "cells", "projection", "layers", "outputs"),
    [
        (6, 17, 9, 3, 23),
        (1, 1, 0, 1, 1),
        (5, 33, 0, 2, 70),
        (40, 64, 65, 1, 128),
        (3, 16, 1, 2, 64),
    ],
)
def test_equations(
    level: str,
    precision: str,
    peepholes: bool,
    inputs: int,
    cells: int,
    projection: int,
    layers: int,
    outputs: int,
) -> None:
    ends, parts = make_parts(inputs, cells, projection, layers, outputs, peepholes, 0.8)
    native = _inference.Network(ends, parts, precision == "int8", level)
    (features,) = make_features(60, dim=inputs)
    ours = run(native, features)
    expected = reference(ends, parts, features, clip=0.8, int8=precision == "int8")
    if precision == "float32":
        np.testing.assert_allclose(ours, expected, rtol=0, atol=2e-5)
        return
    # A value near the middle of two integers may be rounded otherwise in float64, one in a hundred
    # or so is: most frames are equal, none is far off.
    difference = np.abs(ours - expected).max(1)
    assert np.median(difference) < 1e-2 and difference.max() < 0.1
    assert difference[0] < 1e-5
    plain = reference(ends, parts, features, clip=0.8)
    assert np.abs(ours - plain).max() < 0.3


@EVERY_LEVEL
def test_float32_agrees_with_torch(level: str) -> None:
    (features,) = make_features(300)
    ours = log_posteriors(NativeNetwork(NETWORK, level=level), features)
    np.testing.assert_allclose(ours, log_posteriors(TorchNetwork(NETWORK), features), atol=2e-5)


@pytest.fixture(scope="module")
def shipped() -> Network:
    return read_network(ROOT / "recognizer" / "models" / "english" / "acoustic.safetensors")


@pytest.fixture(scope="module")
def speech(shipped: Network) -> FloatArray:
    samples = read_audio(ROOT / "recognizer" / "samples" / "synthetic.flac")
    return fbank(samples, FbankOptions(num_bins=shipped.options.input_dim))[:400]


@EVERY_LEVEL
def test_shipped_model_on_speech(level: str, shipped: Network, speech: FloatArray) -> None:
    expected = log_posteriors(TorchNetwork(shipped), speech)
    ours = log_posteriors(NativeNetwork(shipped, level=level), speech)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4)
    rough = log_posteriors(NativeNetwork(shipped, "int8", level=level), speech)
    assert np.abs(rough - expected).mean() < 0.1
    assert (rough.argmax(1) == expected.argmax(1)).mean() > 0.95


def test_shipped_model_on_a_corpus(corpora: Path, shipped: Network) -> None:
    """Beside torch; float32 alone leaves rare states of some frames uncertain by more than 1e-4."""
    utterances = list(read_corpus(corpora / "mini-librispeech" / "dev"))[::20]
    options = FbankOptions(num_bins=shipped.options.input_dim)
    features = [fbank(utterance.samples(), options)[:600] for utterance in utterances]
    native, torch = NativeNetwork(shipped), TorchNetwork(shipped)
    differences = np.concatenate(
        [
            np.abs(ours - log_posteriors(torch, rows))
            for ours, rows in zip(native.log_posteriors(features), features, strict=True)
        ]
    )
    assert (differences < 1e-4).mean() > 0.99999 and differences.max() < 1e-3


def test_the_papers_best_shape_agrees_with_torch() -> None:
    """2x800/512, with weights of the size that keeps signals alive."""
    options = NetworkOptions(outputs=120, input_dim=40, layers=2, cells=800, projection=512)
    rng = np.random.default_rng(3)
    tensors = {
        name: (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)
        for name, shape in options.shapes().items()
    }
    tensors["input.inv_std"] = np.ones(40, np.float32)
    network = Network(options, {**tensors, "log_priors": np.zeros(120, np.float32)})
    features = rng.standard_normal((150, 40)).astype(np.float32)
    expected = log_posteriors(TorchNetwork(network), features)
    assert np.ptp(expected, axis=0).min() > 0.1
    found = log_posteriors(NativeNetwork(network), features)
    assert np.abs(found - expected).max() < 1e-4


@EVERY_PRECISION
def test_levels_agree(precision: str, shipped: Network, speech: FloatArray) -> None:
    results = [
        log_posteriors(NativeNetwork(shipped, precision, level=level), speech)
        for level in cpu_levels()
    ]
    for result in results[1:]:
        difference = np.abs(result - results[0])
        # int8: a last bit of a float turns a rounding over now and then.
        assert difference.max() < (1e-4 if precision == "float32" else 1.0)
        assert difference.mean() < (1e-5 if precision == "float32" else 0.05)


# The same bits


MODELS = {
    (precision, level): NativeNetwork(NETWORK, precision, level=level)
    for precision in PRECISIONS
    for level in cpu_levels()
}


@settings(max_examples=25)
@given(data=st.data(), precision=st.sampled_from(PRECISIONS), level=st.sampled_from(cpu_levels()))
def test_cuts_batches_and_threads_leave_the_bits(
    data: st.DataObject, precision: str, level: str
) -> None:
    alone = MODELS[precision, level]
    lengths = data.draw(st.lists(st.integers(0, 90), min_size=1, max_size=14))
    utterances = make_features(*lengths)
    expected = [log_posteriors(alone, features) for features in utterances]
    threads = data.draw(st.integers(1, 4))
    model = NativeNetwork(NETWORK, precision, threads, level=level)
    sessions = [model.start() for _ in utterances]
    rows: list[list[FloatArray]] = [[] for _ in utterances]
    at = [0] * len(utterances)
    while any(begin < len(features) for begin, features in zip(at, utterances, strict=True)):
        size = data.draw(st.integers(1, 60))
        chosen = [i for i in range(len(utterances)) if data.draw(st.booleans())] or range(len(at))
        blocks = [utterances[i][at[i] : at[i] + size + i] for i in chosen]
        results = model.advance_all([sessions[i] for i in chosen], blocks)
        for i, block, result in zip(chosen, blocks, results, strict=True):
            at[i] += len(block)
            rows[i].append(result)
    for i, result in enumerate(model.finish_all(sessions)):
        np.testing.assert_array_equal(np.concatenate([*rows[i], result]), expected[i])


@EVERY_LEVEL
@EVERY_PRECISION
def test_whole_utterances_at_once(precision: str, level: str) -> None:
    utterances = make_features(300, 0, 1, 77, 299, *range(20, 50))
    model = NativeNetwork(NETWORK, precision, threads=2, level=level)
    for features, result in zip(utterances, model.log_posteriors(utterances), strict=True):
        np.testing.assert_array_equal(result, log_posteriors(model, features))
    assert model.log_posteriors([]) == []


@EVERY_PRECISION
def test_a_model_serves_threads(precision: str) -> None:
    model = NativeNetwork(NETWORK, precision)
    utterances = make_features(*range(100, 130))
    expected = [log_posteriors(model, features) for features in utterances]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda features: log_posteriors(model, features), utterances))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_state_passes_in_and_out() -> None:
    """A stream goes on in another model object from a copy of its state."""
    ends, parts = make_parts(6, 17, 9, 2, 23, True)
    one, other = (_inference.Network(ends, parts, True, "portable") for _ in range(2))
    assert one.state_size == 2 * (17 + 9)
    (features,) = make_features(50)
    whole = run(one, features)
    state = np.zeros(one.state_size, dtype=np.float32)
    (first,) = one.run([features[:20]], [state], [0], 1)
    (rest,) = other.run([features[20:]], [state.copy()], [3], 1)
    np.testing.assert_array_equal(first, whole[:20])
    np.testing.assert_array_equal(rest, whole[23:])


# Accuracy of the functions


@EVERY_LEVEL
def test_functions(level: str) -> None:
    x = np.concatenate(
        [
            np.linspace(-87, 87, 200_001),
            np.linspace(-12, 12, 200_001),
            np.linspace(-1e-3, 1e-3, 999),
        ]
    ).astype(np.float32)
    exp, sigmoids, tanh = _inference.functions(x, level)
    exact = x.astype(np.float64)
    assert np.abs(exp / np.exp(exact) - 1).max() < 2e-7
    assert np.abs(sigmoids - sigmoid(exact)).max() < 1e-7
    assert np.abs(tanh / np.where(exact, np.tanh(exact), 1) - (exact != 0)).max() < 4e-7
    far = np.array([-np.inf, -1e30, -100, 0, 100, 1e30, np.inf], dtype=np.float32)
    exp, sigmoids, tanh = _inference.functions(far, level)
    np.testing.assert_allclose(sigmoids, [0, 0, 0, 0.5, 1, 1, 1], atol=1e-37)
    np.testing.assert_array_equal(tanh, [-1, -1, -1, 0, 1, 1, 1])
    assert (exp[:3] < 2e-38).all() and (exp[4:] > 1e38).all() and np.isfinite(exp).all()


@EVERY_LEVEL
@EVERY_PRECISION
@pytest.mark.parametrize("value", [0.0, 1e-40, 1e-20, -1e20, 3e38])
def test_extreme_features_give_probabilities(level: str, precision: str, value: float) -> None:
    features = np.full((40, 6), value, dtype=np.float32)
    rows = log_posteriors(NativeNetwork(NETWORK, precision, level=level), features)
    np.testing.assert_allclose(np.exp(rows.astype(np.float64)).sum(1), 1, rtol=1e-5)


@EVERY_LEVEL
def test_rows_of_zeros_and_tiny_weights(level: str) -> None:
    tensors = {name: tensor.copy() for name, tensor in NETWORK.tensors.items()}
    tensors["layers.1.w_r"][:5] = 0
    tensors["layers.1.w_p"][:] = 1e-38
    tensors["output.weight"][3] = 1e-42
    network = Network(SMALL, tensors)
    (features,) = make_features(30)
    ours = log_posteriors(NativeNetwork(network, "int8", level=level), features)
    np.testing.assert_allclose(ours, log_posteriors(TorchNetwork(network), features), atol=0.1)


# Choosing, refusing


def test_levels_and_their_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cpu_levels()[0] == "portable" and len(set(cpu_levels())) == len(cpu_levels())
    assert NativeNetwork(NETWORK).level == cpu_levels()[-1]
    monkeypatch.setenv(LEVEL_VARIABLE, "portable")
    assert NativeNetwork(NETWORK).level == "portable"
    assert NativeNetwork(NETWORK, level=cpu_levels()[-1]).level == cpu_levels()[-1]
    monkeypatch.setenv(LEVEL_VARIABLE, "mmx")
    with pytest.raises(UsageError, match=r"level: expected one of \('portable'.*found 'mmx'"):
        NativeNetwork(NETWORK)


def test_wrong_options() -> None:
    with pytest.raises(UsageError, match=r"precision: expected .* found 'int4'"):
        NativeNetwork(NETWORK, "int4")
    for threads in (0, -1, 5000, 1.5):
        with pytest.raises(UsageError, match="threads: expected 1 to 1024"):
            NativeNetwork(NETWORK, threads=threads)  # type: ignore[arg-type]


def test_wrong_frames_and_sessions() -> None:
    model, other = NativeNetwork(NETWORK), NativeNetwork(NETWORK)
    good, bad = make_features(20, 20)
    bad[3, 2] = np.inf
    one, two = model.start(), model.start()
    with pytest.raises(SpeechError, match="finite"):
        model.advance_all([one, two], [good, bad])
    # Neither has advanced.
    np.testing.assert_array_equal(one.advance(good), model.start().advance(good))
    for sessions, blocks, message in (
        ([one, one], [good, good], "once"),
        ([one, other.start()], [good, good], "of this model"),
        ([one, two], [good], "expected 2 blocks, found 1"),
    ):
        with pytest.raises(UsageError, match=message):
            model.advance_all(sessions, blocks)
    with pytest.raises(SpeechError, match=r"expected \[T, 6\], found \[4, 5\]"):
        two.advance(np.zeros((4, 5)))
    two.finish()
    with pytest.raises(SpeechError, match="after its end"):
        model.advance_all([two], [good])
    with pytest.raises(SpeechError, match="ended twice"):
        model.finish_all([two])


def change(
    parts: tuple[dict[str, FloatArray], list[dict[str, Any]]], at: str, name: str, new: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    ends: dict[str, Any] = dict(parts[0])
    layers: list[dict[str, Any]] = [dict(layer) for layer in parts[1]]
    target = ends if at == "ends" else layers[int(at)]
    if new is None:
        del target[name]
    else:
        target[name] = new
    return ends, layers


NAN = np.full((23, 9), np.nan, dtype=np.float32)


@pytest.mark.parametrize(
    ("at", "name", "new", "message"),
    [
        ("1", "w_r", None, "layer 1: w_r: missing"),
        ("0", "bias", None, "layer 0: bias: missing"),
        ("0", "w_x", np.zeros((68, 5), np.float32), r"layer 0: w_x: .*\[68, 6\], found \[68, 5\]"),
        ("1", "w_x", np.zeros((68, 6), np.float32), r"layer 1: w_x: .*\[68, 9\], found \[68, 6\]"),
        ("0", "w_r", np.zeros((67, 9), np.float32), "layer 0: w_r: expected 4 rows for each cell"),
        ("0", "w_r", np.zeros((0, 9), np.float32), "expected rows and columns"),
        ("0", "w_r", np.zeros((68, 9)), "layer 0: w_r: expected a float32 matrix"),
        ("0", "w_r", np.zeros((9, 68), np.float32).T, "C-contiguous"),
        ("0", "w_p", np.zeros((8, 17), np.float32), r"layer 0: w_p: .*\[9, 17\], found \[8, 17\]"),
        ("0", "w_p", None, "layer 0: w_r without w_p: expected 17 columns, found 9"),
        ("0", "bias", np.zeros(67, np.float32), "layer 0: bias: expected 68 values, found 67"),
        ("0", "peep_f", None, "layer 0: peep_f: missing"),
        ("0", "cell_clip", 0.0, "layer 0: cell_clip: expected a number > 0"),
        ("1", "cell_clip", -1.0, "layer 1: cell_clip: expected a number > 0"),
        ("1", "cell_clip", float("nan"), "layer 1: cell_clip: expected a number"),
        ("1", "cell_clip", None, "layer 1: cell_clip: expected a number"),
        ("1", "peep_o", np.full(17, np.inf, np.float32), "layer 1: peep_o: expected finite"),
        ("ends", "weight", NAN, "weight: expected finite numbers, found NaN or inf"),
        ("ends", "weight", np.zeros((23, 8), np.float32), r"weight: .*\[23, 9\], found \[23, 8\]"),
        ("ends", "mean", np.zeros(5, np.float32), "inv_std: expected 5 values, found 6"),
        ("ends", "bias", np.zeros((23, 1), np.float32), "bias: expected a float32 vector"),
        ("ends", "bias", "none", "bias: expected a float32 vector"),
    ],
)
def test_wrong_tensors(at: str, name: str, new: Any, message: str) -> None:
    ends, layers = change(make_parts(6, 17, 9, 2, 23, True), at, name, new)
    with pytest.raises(ValueError, match=message) as caught:
        _inference.Network(ends, layers, True, "portable")
    assert "\n" not in str(caught.value)


def test_wrong_calls_of_the_native_module() -> None:
    ends, parts = make_parts(6, 17, 9, 2, 23, True)
    with pytest.raises(ValueError, match=r"expected one of portable.*found sse9"):
        _inference.Network(ends, parts, False, "sse9")
    with pytest.raises(ValueError, match="layers: expected at least one"):
        _inference.Network(ends, [], False, "portable")
    native = _inference.Network(ends, parts, False, "portable")
    (good,) = make_features(8)
    state = np.zeros(native.state_size, dtype=np.float32)
    frozen = state.copy()
    frozen.flags.writeable = False
    nan = np.full_like(state, np.nan)
    for features, states, skips, threads, message in (
        ([good.astype(np.float64)], [state], [0], 1, "features: expected float32"),
        ([good[:, :5]], [state], [0], 1, "features: expected float32"),
        ([good[:, 0]], [state], [0], 1, "features: expected float32"),
        ([good * np.float32(np.nan)], [state], [0], 1, "features: expected finite"),
        ([good], [state[1:]], [0], 1, "state: expected writable float32"),
        ([good], [frozen], [0], 1, "state: expected writable float32"),
        ([good], [nan], [0], 1, "state: expected finite"),
        ([good], [state], [9], 1, "skip: expected at most"),
        ([good], [state], [], 1, "lists of one length"),
        ([good], [state], [0], 0, "threads: expected 1 to 1024"),
    ):
        with pytest.raises(ValueError, match=message):
            native.run(features, states, skips, threads)
    assert not state.any()


def test_network_of_another_shape_is_refused() -> None:
    """What `Network` itself would refuse, had it not been changed after it was made."""
    tensors = dict(NETWORK.tensors)
    network = Network(SMALL, tensors)
    tensors["output.bias"] = np.zeros(22, dtype=np.float32)
    with pytest.raises(SpeechError, match="network: bias: expected 23 values, found 22"):
        NativeNetwork(network)
