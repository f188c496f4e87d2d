"""Hidden layers of a trained network below a new output layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from am.adaptation import with_new_outputs
from am.network_file import Network
from am.network_options import NetworkOptions
from data.errors import SpeechError

OPTIONS = NetworkOptions(outputs=7, input_dim=5, cells=6, projection=4, layers=2, output_delay=1)


def network() -> Network:
    rng = np.random.default_rng(5)
    tensors = {
        name: rng.standard_normal(shape).astype(np.float32)
        for name, shape in OPTIONS.shapes().items()
    }
    tensors["log_priors"] = np.zeros(7, np.float32)
    return Network(OPTIONS, tensors, {"corpora": ["old"]})


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
