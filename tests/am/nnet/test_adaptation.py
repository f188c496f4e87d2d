"""Networks to start training from: with new outputs, or with more layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recognizer.am.nnet.adaptation import with_more_layers, with_new_outputs
from recognizer.am.nnet.network_file import Network
from recognizer.am.nnet.options import NetworkOptions
from recognizer.data.errors import SpeechError, UsageError

OPTIONS = NetworkOptions(outputs=7, input_dim=5, cells=6, projection=4, layers=2, output_delay=1)


def network(options: NetworkOptions = OPTIONS) -> Network:
    rng = np.random.default_rng(5)
    tensors = {
        name: rng.standard_normal(shape).astype(np.float32)
        for name, shape in options.shapes().items()
    }
    tensors["log_priors"] = np.zeros(7, np.float32)
    return Network(options, tensors, {"corpora": ["old"]})


@pytest.mark.parametrize("outputs", [3, 7])
def test_hidden_layers_are_kept_and_outputs_are_new(outputs: int) -> None:
    old = network()
    new = with_new_outputs(old, replace(OPTIONS, outputs=outputs), initial_range=0.5, seed=3)
    assert set(new.tensors) == set(OPTIONS.shapes())  # no priors, which belong to the outputs
    for name, tensor in new.tensors.items():
        if name.startswith("output."):
            assert len(tensor) == outputs
            assert np.abs(tensor).max() <= 0.5
        else:
            assert np.array_equal(tensor, old.tensors[name])
    assert np.ptp(new.tensors["output.weight"]) > 0
    assert not new.tensors["output.bias"].any()
    again = with_new_outputs(old, new.options, initial_range=0.5, seed=3)
    assert np.array_equal(again.tensors["output.weight"], new.tensors["output.weight"])
    other = with_new_outputs(old, new.options, initial_range=0.5, seed=4)
    assert not np.array_equal(other.tensors["output.weight"], new.tensors["output.weight"])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"cells": 8}, "cells: expected 8, found 6"),
        ({"layers": 1}, "layers: expected 1, found 2"),
        ({"input_dim": 40}, "input_dim: expected 40, found 5"),
    ],
)
def test_other_hidden_layers_are_refused(change: dict[str, int], fault: str) -> None:
    with pytest.raises(SpeechError, match=f"old.safetensors: {fault}"):
        with_new_outputs(network(), replace(OPTIONS, **change), at="old.safetensors")


@pytest.mark.parametrize("changes", [{}, {"projection": 0}, {"bidirectional": True}])
def test_layers_come_between_the_old_ones_and_the_outputs(changes: dict[str, int]) -> None:
    options = replace(OPTIONS, output_delay=0, **changes)  # type: ignore[arg-type]
    old = network(options)
    new = with_more_layers(old, 2, initial_range=0.5, forget_bias=1.0, seed=3)
    assert new.options == replace(options, layers=4)
    assert new.metadata == old.metadata
    added = set(new.tensors) - set(old.tensors)
    directions = ("layers", "reverse_layers") if options.bidirectional else ("layers",)
    assert {name.rsplit(".", 1)[0] for name in added} == {
        f"{direction}.{layer}" for direction in directions for layer in (2, 3)
    }
    for name, tensor in new.tensors.items():
        if name not in added:
            assert np.array_equal(tensor, old.tensors[name])
        elif name.endswith(".bias"):
            assert tensor.tolist() == [0.0] * 6 + [1.0] * 6 + [0.0] * 12
        else:
            assert 0.1 < np.abs(tensor).max() <= 0.5
    assert not np.array_equal(new.tensors["layers.2.w_r"], new.tensors["layers.3.w_r"])
    again = with_more_layers(old, 2, initial_range=0.5, forget_bias=1.0, seed=3)
    other = with_more_layers(old, 2, initial_range=0.5, forget_bias=1.0, seed=4)
    name = "layers.2.w_x"
    assert np.array_equal(again.tensors[name], new.tensors[name])
    assert not np.array_equal(other.tensors[name], new.tensors[name])


def test_what_cannot_be_deepened() -> None:
    with pytest.raises(UsageError, match="layer or more of an LSTM to add, found 0 of lstm"):
        with_more_layers(network(), 0)
    dnn = NetworkOptions(kind="dnn", outputs=7, input_dim=5, cells=6, projection=0)
    with pytest.raises(UsageError, match="layer or more of an LSTM to add, found 1 of dnn"):
        with_more_layers(network(dnn), 1)
