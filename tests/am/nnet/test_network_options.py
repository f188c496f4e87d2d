from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from network_kinds import LAYERED
from recognizer.am.nnet.convolution import ConvolutionOptions, LookaheadOptions
from recognizer.am.nnet.layers import AnyLayer, LstmpOptions, PoolingOptions, TdnnOptions
from recognizer.am.nnet.options import NetworkOptions, NetworkShape
from recognizer.am.nnet.recurrent import GruOptions, RnnOptions
from recognizer.am.torch.networks import make_network
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.options import from_table, read_toml, to_toml

# Table 1 and table 2 of Sak, Senior and Beaufays 2014: cells, projection, layers, and millions of
# parameters with 40 inputs and 14,247 outputs.
PAPER = [
    (840, 0, 5, 37), (440, 0, 5, 13), (600, 0, 2, 13), (385, 0, 7, 13), (750, 0, 1, 13),
    (6000, 800, 1, 36), (2048, 512, 2, 22), (1024, 512, 3, 20), (1024, 512, 2, 15),
    (800, 512, 2, 13), (2048, 512, 1, 13), (700, 400, 2, 10), (600, 350, 2, 8),
]  # fmt: skip


def papers_arithmetic(cells: int, projection: int, layers: int) -> int:
    """Sections 2.1 and 2.2, layer by layer: no biases."""
    recurrent = projection or cells
    total = recurrent * 14247
    inputs = 40
    for _ in range(layers):
        total += cells * recurrent * 4 + inputs * cells * 4 + cells * 3
        if projection:
            total += cells * projection
        inputs = recurrent
    return total


@pytest.mark.parametrize(("cells", "projection", "layers", "millions"), PAPER)
def test_parameter_counts_of_the_paper(
    cells: int, projection: int, layers: int, millions: int
) -> None:
    options = NetworkOptions(outputs=14247, cells=cells, projection=projection, layers=layers)
    count = options.parameter_count(biases=False)
    assert count == papers_arithmetic(cells, projection, layers)
    assert count / 1e6 == pytest.approx(millions, abs=0.65)
    assert options.parameter_count() == count + 4 * cells * layers + 14247


def test_parameter_count_of_the_winner() -> None:
    options = NetworkOptions(outputs=14247, cells=800, projection=512, layers=2)
    assert options.parameter_count(biases=False) == 13_161_664
    assert options.parameter_count() == 13_182_311


KINDS: dict[str, dict[str, Any]] = {
    "lstmp": {"cells": 5, "projection": 3},
    "lstm": {"cells": 5, "projection": 0},
    "lstmp without peepholes": {"cells": 5, "projection": 3, "peepholes": False},
    "lstm without peepholes": {"cells": 5, "projection": 0, "peepholes": False},
    "blstmp": {"cells": 5, "projection": 3, "bidirectional": True},
    "blstm": {"cells": 5, "projection": 0, "bidirectional": True},
    "dnn": {"kind": "dnn", "cells": 5, "projection": 0, "left_context": 2, "right_context": 1},
    "lstmp, running mean": {"cells": 5, "projection": 3, "mean_window": 600, "mean_prior": 200},
    "low-rank dnn": {"kind": "dnn", "cells": 5, "projection": 3, "activation": "sigmoid"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 3])
def test_shapes_are_those_of_the_real_network(kind: str, layers: int) -> None:
    options = NetworkOptions(outputs=7, input_dim=4, layers=layers, **KINDS[kind])
    model = make_network(options)
    found = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert found == options.shapes()
    parameters = dict(model.named_parameters())
    assert sum(p.numel() for p in parameters.values()) == options.parameter_count()
    without = sum(p.numel() for name, p in parameters.items() if not name.endswith("bias"))
    assert without == options.parameter_count(biases=False)


def test_shapes_of_the_paper_without_allocating() -> None:
    with torch.device("meta"):
        for cells, projection, layers, _ in PAPER:
            options = NetworkOptions(
                outputs=14247, cells=cells, projection=projection, layers=layers
            )
            model = make_network(options)
            assert sum(p.numel() for p in model.parameters()) == options.parameter_count()


def test_dnn_by_hand() -> None:
    options = NetworkOptions(outputs=2400, kind="dnn", layers=6, cells=1024, projection=0)
    assert options.window == 16
    weights = 16 * 40 * 1024 + 5 * 1024 * 1024 + 1024 * 2400
    assert options.parameter_count(biases=False) == weights
    assert options.parameter_count() == weights + 6 * 1024 + 2400


# Layered networks


def layered(*layers: AnyLayer, **options: Any) -> NetworkOptions:
    return NetworkOptions(kind="layered", layers=layers, **({"outputs": 7} | options))


# The shape of Kaldi's mini_librispeech chain network 1j (without i-vectors): 12 factorised layers.
FACTORISED = layered(
    TdnnOptions(units=768, left=1, right=1),
    *(TdnnOptions(units=768, bottleneck=96, left=1, right=1, bypass=0.66) for _ in range(3)),
    TdnnOptions(units=768, bottleneck=96, stride=3),
    *(TdnnOptions(units=768, bottleneck=96, left=1, right=1, bypass=0.66) for _ in range(7)),
    TdnnOptions(units=192, activation="none", batch_norm=False),
    TdnnOptions(units=768),
    TdnnOptions(units=192, activation="none"),
    outputs=2000,
)


def test_layered_networks_by_hand() -> None:
    first = 3 * 40 * 768 + 768
    factors = 2 * 768 * 96 + 2 * 96 * 768 + 768
    strided = 768 * 96 + 96 * 768 + 768
    prefinal = 768 * 192 + (192 * 768 + 768) + 768 * 192
    output = 192 * 2000 + 2000
    assert FACTORISED.parameter_count() == first + 10 * factors + strided + prefinal + output
    assert FACTORISED.parameter_count(biases=False) == (
        FACTORISED.parameter_count() - 13 * 768 - 2000
    )
    # 1 + 3 frames on the right, and 7 times 3; the group brings one of them.
    assert (FACTORISED.subsampling, FACTORISED.output_delay) == (3, 24)
    mixed = layered(
        TdnnOptions(units=512, left=2, right=2, stride=3),
        LstmpOptions(cells=512, projection=256),
        TdnnOptions(units=300),
        LstmpOptions(cells=100, peepholes=False),
    )
    lstmp = 4 * 512 * (512 + 256 + 1) + 3 * 512 + 256 * 512
    lstm = 4 * 100 * (300 + 100 + 1)
    assert mixed.parameter_count() == (
        5 * 40 * 512 + 512 + lstmp + 256 * 300 + 300 + lstm + 100 * 7 + 7
    )
    assert (mixed.subsampling, mixed.output_delay) == (3, 3)


@pytest.mark.parametrize("kind", LAYERED)
def test_trained_tensors_of_layered_networks(kind: str) -> None:
    options = NetworkOptions.of(LAYERED[kind], outputs=7, input_dim=4)
    with torch.device("meta"):
        model = make_network(options)
    trained = {name: tuple(value.shape) for name, value in model.named_parameters()}
    shapes = options.shapes()
    moved = (".offset", ".norm.mean", ".norm.variance")
    others = {n for n in shapes if n.startswith("input.") or n.endswith(moved)}
    assert trained == {name: shape for name, shape in shapes.items() if name not in others}
    assert sum(p.numel() for p in model.parameters()) == options.parameter_count()


@pytest.mark.parametrize("right", [0, 1, 2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_the_least_delay_of_layered_networks(right: int, stride: int) -> None:
    """An output about a group sees the frames that its right context asks for, and all is whole."""
    options = layered(TdnnOptions(units=3, left=1, right=right, stride=stride))
    delay = options.output_delay
    middle, last = stride // 2, stride - 1
    assert delay % stride == 0 and delay + last - middle >= right
    assert delay == 0 or delay - stride + last - middle < right
    later = dataclasses.replace(options, output_delay=delay + 2 * stride)
    assert later.output_delay == delay + 2 * stride


def test_layers_are_tables_of_toml(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    for kind in ({"kind": "lstm", "layers": 3}, {"kind": "dnn", "layers": 4}):
        path.write_text(to_toml(NetworkShape(**kind)))
        assert from_table(NetworkShape, read_toml(path), "n") == NetworkShape(**kind)
    for shape in LAYERED.values():
        path.write_text(to_toml(shape))
        assert from_table(NetworkShape, read_toml(path), "n") == shape
    path.write_text(
        """
        kind = "layered"
        [[layers]]
        kind = "tdnn"
        units = 8
        stride = 3
        [[layers]]
        kind = "lstmp"
        cells = 5
        """
    )
    expected = layered(TdnnOptions(units=8, stride=3), LstmpOptions(cells=5))
    assert NetworkOptions.of(from_table(NetworkShape, read_toml(path), "n"), 7, 40) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('kind = "layered"', "n: network option layers: expected a list of layers in a network of"),
        ('kind = "layered"\nlayers = []', "n: network option layers: expected a list of layers"),
        (
            'kind = "lstm"\n[[layers]]\nkind = "lstmp"\ncells = 3',
            "layers: expected an integer >= 1",
        ),
        ('layers = "3"', "n: layers: expected an integer, found '3'"),
        ("layers = [3]", r"n: layers\[0\]: expected a table, found 3"),
        ("[[layers]]\nunits = 3", r"n: layers\[0\]: expected a key kind, found {'units': 3}"),
        (
            '[[layers]]\nkind = "cnn"',
            r"layers\[0\]: kind: expected 'tdnn' or 'lstmp' or 'pooling' or .*, found 'cnn'",
        ),
        ('[[layers]]\nkind = "tdnn"', r"layers\[0\]: the key 'units' is missing"),
        ('[[layers]]\nkind = "tdnn"\nunits = 3\ncells = 1', r"layers\[0\]: unknown key 'cells'"),
        ('[[layers]]\nkind = "tdnn"\nunits = 0', r"layers\[0\]: tdnn layer: units: expected an"),
    ],
)
def test_wrong_tables_of_layers(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "network.toml"
    path.write_text(text)
    with pytest.raises(SpeechError, match=message) as error:
        from_table(NetworkShape, read_toml(path), "n")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "wrong", "message"),
    [
        (TdnnOptions, {"units": 1.5}, "tdnn layer: units: expected an integer >= 1, found 1.5"),
        (TdnnOptions, {"left": -1}, "left: expected an integer >= 0"),
        (TdnnOptions, {"right": True}, "right: expected an integer >= 0"),
        (TdnnOptions, {"dilation": 0}, "dilation: expected an integer >= 1"),
        (TdnnOptions, {"stride": 0}, "stride: expected an integer >= 1"),
        (TdnnOptions, {"bottleneck": -1}, "bottleneck: expected an integer >= 0"),
        (TdnnOptions, {"bypass": -0.5}, "bypass: expected a number >= 0"),
        (TdnnOptions, {"dropout": -1.0}, "dropout: expected a number >= 0, found -1.0"),
        (LstmpOptions, {"dropout": True}, "dropout: expected a number >= 0, found True"),
        (TdnnOptions, {"bypass": float("nan")}, "bypass: expected a number >= 0"),
        (TdnnOptions, {"activation": "tanh"}, "activation: expected relu or none, found 'tanh'"),
        (TdnnOptions, {"batch_norm": 1}, "batch_norm: expected true or false, found 1"),
        (TdnnOptions, {"bypass": 0.5, "stride": 2}, "bypass: expected 0 in a layer with a stride"),
        (
            TdnnOptions,
            {"bottleneck": 2, "right": 1, "stride": 3, "dilation": 2},
            "dilation: expected a multiple of the stride 3 in factors with a right context",
        ),
        (PoolingOptions, {"window": 0}, "pooling layer: window: expected an integer >= 1, found 0"),
        (PoolingOptions, {"prior": 0}, "pooling layer: prior: expected an integer >= 1, found 0"),
        (LstmpOptions, {"cells": 0}, "lstmp layer: cells: expected an integer >= 1"),
        (LstmpOptions, {"projection": -1}, "projection: expected an integer >= 0"),
        (LstmpOptions, {"peepholes": 0}, "peepholes: expected true or false"),
        (LstmpOptions, {"cell_clip": -1.0}, "cell_clip: expected a number > 0"),
    ],
)
def test_wrong_layers(kind: type[AnyLayer], wrong: dict[str, Any], message: str) -> None:
    good = {TdnnOptions: {"units": 4}, LstmpOptions: {"cells": 4}}.get(kind, {})
    with pytest.raises(UsageError, match=message):
        kind(**(good | wrong))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subsampling": 1}, "subsampling: expected 3, the product of the strides of its layers,"),
        ({"output_delay": 5}, "output_delay: expected a multiple of 3, at least 6 for its layers'"),
        ({"output_delay": 3}, "right contexts of 5 frames, found 3"),
        ({"cells": 3}, "cells: expected nothing in a network of kind layered, found 3"),
        ({"bidirectional": True}, "bidirectional: expected nothing in a network of kind layered"),
        ({"layers": (3,)}, "layers: expected a list of layers in a network of kind layered"),
        (
            {"layers": (TdnnOptions(units=4), TdnnOptions(units=5, bypass=0.66))},
            r"layers\[1\]: tdnn layer: bypass: expected 0 in a layer of 4 inputs and 5 units",
        ),
    ],
)
def test_wrong_layered_networks(options: dict[str, Any], message: str) -> None:
    layers = (TdnnOptions(units=4, right=2, stride=3), TdnnOptions(units=4, right=1))
    with pytest.raises(UsageError, match=message):
        NetworkOptions(**({"kind": "layered", "layers": layers, "outputs": 7} | options))


def test_a_kind_has_its_own_delay() -> None:
    assert NetworkOptions(outputs=2).output_delay == 5
    assert NetworkOptions(outputs=2, output_delay=0).output_delay == 0
    assert NetworkOptions(outputs=2, bidirectional=True).output_delay == 0
    assert NetworkOptions(outputs=2, kind="dnn", right_context=3).output_delay == 3
    assert not NetworkOptions(outputs=2, bidirectional=True).streaming


@pytest.mark.parametrize("kind", KINDS)
def test_tables_name_what_means_something(kind: str) -> None:
    options = NetworkOptions(outputs=7, **KINDS[kind])
    table = options.to_table()
    assert NetworkOptions(**table) == options
    assert ("peepholes" in table) == (options.kind == "lstm")
    assert ("left_context" in table) == (options.kind == "dnn")
    assert ("mean_window" in table) == ("mean_prior" in table) == ("running mean" in kind)
    shape = NetworkShape(**KINDS[kind])
    assert NetworkOptions.of(shape, outputs=7, input_dim=40) == options
    assert dataclasses.replace(options, outputs=8).output_delay == options.output_delay


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"outputs": 0}, "outputs: expected an integer >= 1, found 0"),
        ({"input_dim": -1}, "input_dim"),
        ({"cells": -1}, "cells"),
        ({"cells": 2.5}, "cells: expected an integer >= 1, found 2.5"),
        ({"layers": True}, "layers"),
        ({"projection": -1}, "projection: expected an integer >= 0"),
        ({"output_delay": -2}, "output_delay: expected an integer >= 0"),
        ({"mean_window": -1}, "mean_window: expected an integer >= 0"),
        ({"mean_window": 9}, r"mean_prior: expected 1 to mean_window \(9\), found 0"),
        ({"mean_window": 9, "mean_prior": 10}, r"mean_prior: expected 1 to .*, found 10"),
        ({"mean_prior": 1}, "mean_prior: expected nothing without mean_window, found 1"),
        ({"cell_clip": 0.0}, "cell_clip: expected a number > 0"),
        ({"kind": "rnn"}, "kind: expected one of dnn, layered, lstm, found 'rnn'"),
        ({"kind": "dnn", "activation": "tanh"}, "activation: expected relu or sigmoid"),
        ({"peepholes": 1}, "peepholes: expected true or false, found 1"),
        ({"kind": "dnn", "bidirectional": True}, "bidirectional: expected nothing in a network"),
        ({"left_context": 3}, "left_context: expected nothing in a network of kind lstm, found 3"),
        ({"kind": "dnn", "output_delay": 4}, "output_delay: expected 5, the delay of this dnn,"),
        ({"bidirectional": True, "output_delay": 5}, "output_delay: expected 0, the delay of this"),
    ],
)
def test_wrong_options(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=f"network option {message}"):
        NetworkOptions(**({"outputs": 7} | wrong))


def deep_speech_2(*, bidirectional: bool, recurrent: type[RnnOptions | GruOptions], units: int,
                  depth: int) -> NetworkOptions:  # fmt: skip
    """3 convolutions, so many recurrent layers, a fully connected one, 28 characters and blank."""
    layers = (
        ConvolutionOptions(filters=32, left=5, right=5, height=41, frequency_stride=2),
        ConvolutionOptions(filters=32, left=5, right=5, height=21, frequency_stride=2, maps=32,
                           stride=3),
        ConvolutionOptions(filters=96, left=5, right=5, height=21, frequency_stride=2, maps=32),
        *(recurrent(units=units, bidirectional=bidirectional) for _ in range(depth)),
        *(() if bidirectional else (LookaheadOptions(right=19),)),
        TdnnOptions(units=units, batch_norm=False),
    )  # fmt: skip
    return NetworkOptions.of(NetworkShape(kind="layered", layers=layers), 29, 161)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("recurrent", "gates"), [(RnnOptions, 1), (GruOptions, 3)])
@pytest.mark.parametrize("depth", [1, 7])
def test_parameter_counts_of_deep_speech_2(
    bidirectional: bool, recurrent: type[RnnOptions | GruOptions], gates: int, depth: int
) -> None:
    """By hand: 161 bins become 81, 41 and 21; directions share what comes from below."""
    U = 60
    options = deep_speech_2(bidirectional=bidirectional, recurrent=recurrent, units=U, depth=depth)
    convolutions = 32 * 11 * 41 + 32 * 11 * 21 * 32 + 96 * 11 * 21 * 32
    below = 96 * 21 + (depth - 1) * U
    recurrences = gates * U * (below + (1 + bidirectional) * depth * U)
    weights = convolutions + recurrences + (0 if bidirectional else 20 * U) + U * U + 29 * U
    assert options.parameter_count(biases=False) == weights
    norms = 2 * (32 + 32 + 96) + 2 * depth * gates * U
    assert options.parameter_count() == weights + norms + U + 29
    with torch.device("meta"):
        model = make_network(options)
    assert sum(p.numel() for p in model.parameters()) == options.parameter_count()
    assert (options.subsampling, options.streaming) == (3, not bidirectional)
    # 5 + 5 + 15 frames; the lookahead sees 19 more of 3 frames each; a group brings one.
    assert options.output_delay == (24 if bidirectional else 81)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"height": 3, "maps": 4}, r"maps: expected a divisor of its 6 inputs, found 4"),
        ({"frequency_stride": 2}, "frequency_stride: expected 1 where a filter sees all bins"),
        ({"clip": 0.0}, "clip: expected a number > 0, found 0.0"),
        ({"stride": 0}, "stride: expected an integer >= 1, found 0"),
        ({"batch_norm": 1}, "batch_norm: expected true or false, found 1"),
    ],
)
def test_wrong_convolutions(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=f"convolution layer: {message}"):
        layer = ConvolutionOptions(filters=3, **options)
        NetworkOptions.of(NetworkShape(kind="layered", layers=(layer,)), 5, 6)


def test_wrong_recurrent_layers() -> None:
    for make, message in (
        (lambda: RnnOptions(units=0), "rnn layer: units: expected an integer >= 1, found 0"),
        (lambda: RnnOptions(units=3, clip=-1), "rnn layer: clip: expected a number > 0, found -1"),
        (lambda: GruOptions(units=3, activation="x"), "gru layer: activation: expected tanh or"),  # type: ignore[arg-type]
        (lambda: GruOptions(units=3, bidirectional=1), "bidirectional: expected true or false"),  # type: ignore[arg-type]
        (lambda: LookaheadOptions(right=0), "lookahead layer: right: expected an integer >= 1"),
    ):
        with pytest.raises(UsageError, match=message):
            make()
