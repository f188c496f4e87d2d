from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from network_kinds import LAYERED
from recognizer.am.nnet.network_file import Network, read_network, write_network
from recognizer.am.nnet.options import NetworkOptions, NetworkShape
from recognizer.data.errors import SpeechError


def small(log_priors: bool = True) -> Network:
    options = NetworkOptions(outputs=7, input_dim=4, cells=5, projection=3)
    rng = np.random.default_rng(0)
    shapes = options.shapes()
    if log_priors:
        shapes["log_priors"] = (7,)
    tensors = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return Network(options, tensors, {"features": {"num_bins": 4}})


def test_write_and_read(tmp_path: Path) -> None:
    network = small()
    path = tmp_path / "network.safetensors"
    write_network(network, path)
    assert [p.name for p in tmp_path.iterdir()] == ["network.safetensors"]
    again = read_network(path)
    assert again.options == network.options
    assert again.metadata == network.metadata
    assert again.tensors.keys() == network.tensors.keys()
    for name, array in network.tensors.items():
        np.testing.assert_array_equal(again.tensors[name], array)
    np.testing.assert_array_equal(again.log_priors, network.tensors["log_priors"])


def test_matrices_as_float16(tmp_path: Path) -> None:
    network = small()
    path = tmp_path / "network.safetensors"
    write_network(network, path, storage="float16")
    stored, again = load_file(path), read_network(path)
    for name, array in network.tensors.items():
        assert again.tensors[name].dtype == np.float32
        if array.ndim == 2:
            assert stored[name].dtype == np.float16
            np.testing.assert_allclose(again.tensors[name], array, rtol=2**-11, atol=2**-25)
        else:
            np.testing.assert_array_equal(stored[name], array)
    network.tensors["layers.0.w_r"][3, 1] = -65536.0
    with pytest.raises(SpeechError, match=r"layers.0.w_r: expected weights of at most 65504"):
        write_network(network, path, storage="float16")
    assert read_network(path).tensors["layers.0.w_r"][3, 1] != -65536.0


def test_no_priors_yet(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    write_network(small(log_priors=False), path)
    with pytest.raises(SpeechError, match="log_priors"):
        _ = read_network(path).log_priors


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    with pytest.raises(SpeechError, match="found none"):
        read_network(path)
    write_network(small(), path)
    whole = path.read_bytes()
    for size in (0, 5, 100, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(SpeechError, match="not a whole safetensors file"):
            read_network(path)
    save_file({"a": np.zeros(1, dtype=np.float32)}, path)
    with pytest.raises(SpeechError, match="expected format"):
        read_network(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"options": '{"outputs": 7, "colour": 3}'}, "network options: unknown key 'colour'"),
        ({"options": '{"cells": 5}'}, "outputs"),
        ({"options": '{"outputs": -1}'}, "outputs"),
        ({"options": "7"}, "expected an object"),
        ({"options": "{"}, "expected JSON"),
        ({"options": '{"outputs": 7, "input_dim": 4, "cells": 6, "projection": 3}'}, "w_x"),
    ],
)
def test_wrong_metadata(tmp_path: Path, change: dict[str, str], message: str) -> None:
    path = tmp_path / "network.safetensors"
    write_network(small(), path)
    save_file(load_file(path), path, metadata={"format": "network-2", **change})
    with pytest.raises(SpeechError, match=message) as error:
        read_network(path)
    assert "\n" not in str(error.value)


def test_wrong_tensors() -> None:
    network = small()
    tensors = dict(network.tensors)
    del tensors["layers.1.peep_o"]
    with pytest.raises(SpeechError, match=r"layers\.1\.peep_o is missing"):
        Network(network.options, tensors)
    tensors = dict(network.tensors) | {"extra": np.zeros(1, dtype=np.float32)}
    with pytest.raises(SpeechError, match="unknown tensor extra"):
        Network(network.options, tensors)
    tensors = dict(network.tensors) | {"output.bias": np.full(7, np.nan, dtype=np.float32)}
    with pytest.raises(SpeechError, match=r"output\.bias: expected finite"):
        Network(network.options, tensors)
    tensors = dict(network.tensors) | {"output.bias": np.zeros(7)}  # type: ignore[dict-item]
    with pytest.raises(SpeechError, match="expected float32"):
        Network(network.options, tensors)


def test_files_of_the_former_format(tmp_path: Path) -> None:
    """They named fewer options, and peepholes and projection went without saying."""
    network = small()
    path = tmp_path / "network.safetensors"
    former = (
        '{"outputs": 7, "input_dim": 4, "cells": 5, "projection": 3, "layers": 2, '
        '"output_delay": 5, "cell_clip": 50.0}'
    )
    metadata = {"format": "lstmp-1", "options": former, "features": '{"num_bins": 4}'}
    save_file(dict(network.tensors), path, metadata=metadata)
    again = read_network(path)
    assert again.options == network.options
    assert again.metadata == network.metadata
    save_file(dict(network.tensors), path, metadata=metadata | {"format": "network-9"})
    with pytest.raises(SpeechError, match="expected format network-2, found network-9"):
        read_network(path)


def test_every_kind_through_its_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "network.safetensors"
    for shape in (
        NetworkShape(cells=5, projection=0, peepholes=False),
        NetworkShape(cells=5, projection=3, bidirectional=True),
        NetworkShape(kind="dnn", cells=5, projection=3, left_context=1, right_context=0),
        *LAYERED.values(),
    ):
        options = NetworkOptions.of(shape, outputs=7, input_dim=4)
        tensors = {
            name: rng.normal(size=size).astype(np.float32)
            for name, size in options.shapes().items()
        }
        for name in [name for name in tensors if name.endswith(".variance")]:
            with pytest.raises(SpeechError, match=f"{name}: expected variances, found -"):
                Network(options, tensors)
            tensors[name] = np.abs(tensors[name])
        write_network(Network(options, tensors), path)
        again = read_network(path)
        assert again.options == options
        for name, array in tensors.items():
            np.testing.assert_array_equal(again.tensors[name], array)
