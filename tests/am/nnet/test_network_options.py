from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from recognizer.am.nnet.options import NetworkOptions, NetworkShape
from recognizer.am.torch.networks import make_network
from recognizer.data.errors import UsageError

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
        ({"kind": "rnn"}, "kind: expected one of dnn, lstm, found 'rnn'"),
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
