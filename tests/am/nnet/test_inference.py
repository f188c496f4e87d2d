"""The engines agree with each other and do not depend on how frames are cut into calls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from recognizer.am.nnet.inference import AcousticNetwork, log_posteriors
from recognizer.am.nnet.native import NativeNetwork
from recognizer.am.nnet.network_file import Network, write_network
from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.torch.inference import TorchNetwork
from recognizer.am.torch.networks import from_network
from recognizer.am.torch.networks import make_network as make_module
from recognizer.data.errors import SpeechError

FloatArray = npt.NDArray[np.float32]
OPTIONS = NetworkOptions(outputs=23, input_dim=6, cells=17, projection=9, layers=3)


def make_network(options: NetworkOptions = OPTIONS) -> Network:
    model = make_module(
        options, generator=torch.Generator().manual_seed(0), initial_range=0.5, forget_bias=1.0
    )
    model.input.mean.fill_(3.0)
    model.input.inv_std.fill_(0.7)
    return model.to_network(np.linspace(-5, -1, options.outputs, dtype=np.float32))


@pytest.fixture(scope="module")
def network() -> Network:
    return make_network()


@pytest.fixture(scope="module")
def features() -> FloatArray:
    return np.random.default_rng(1).normal(3, 1.5, size=(300, 6)).astype(np.float32)


def in_pieces(model: AcousticNetwork, features: FloatArray, sizes: list[int]) -> FloatArray:
    session = model.start()
    rows, begin = [], 0
    for size in sizes:
        rows.append(session.advance(features[begin : begin + size]))
        begin += size
    rows.append(session.advance(features[begin:]))
    rows.append(session.finish())
    return np.concatenate(rows)


@pytest.mark.parametrize("engine", [NativeNetwork, TorchNetwork])
def test_rows_are_log_probabilities(
    engine: type[NativeNetwork | TorchNetwork], network: Network, features: FloatArray
) -> None:
    model = engine(network)
    assert (model.num_outputs, model.output_delay, model.input_dim) == (23, 5, 6)
    result = log_posteriors(model, features)
    assert result.dtype == np.float32 and result.shape == (300, 23)
    np.testing.assert_allclose(np.exp(result).sum(1), 1.0, rtol=1e-5)


def test_engines_agree(network: Network, features: FloatArray) -> None:
    ours = log_posteriors(NativeNetwork(network), features)
    torchs = log_posteriors(TorchNetwork(network), features)
    np.testing.assert_allclose(ours, torchs, rtol=0, atol=1e-4)


def test_cells_are_clipped_alike(features: FloatArray) -> None:
    options = NetworkOptions(outputs=8, input_dim=6, cells=9, projection=5, cell_clip=0.3)
    network = make_network(options)
    clipped = log_posteriors(NativeNetwork(network), features)
    np.testing.assert_allclose(clipped, log_posteriors(TorchNetwork(network), features), atol=1e-4)
    unclipped = Network(
        NetworkOptions(outputs=8, input_dim=6, cells=9, projection=5), network.tensors
    )
    assert np.abs(clipped - log_posteriors(NativeNetwork(unclipped), features)).max() > 1e-2


@pytest.mark.parametrize("engine", [NativeNetwork, TorchNetwork])
@pytest.mark.parametrize("sizes", [[1] * 299, [3, 0, 1, 100, 7], [299], [256, 1], [257]])
def test_cuts_do_not_matter(
    engine: type[NativeNetwork | TorchNetwork],
    sizes: list[int],
    network: Network,
    features: FloatArray,
) -> None:
    model = engine(network)
    whole = log_posteriors(model, features)
    np.testing.assert_allclose(in_pieces(model, features, sizes), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("engine", [NativeNetwork, TorchNetwork])
@pytest.mark.parametrize("frames", [1, 2, 4, 5, 6, 11])
def test_delay_drops_the_first_outputs_and_repeats_the_last_frame(
    engine: type[NativeNetwork | TorchNetwork], frames: int, network: Network, features: FloatArray
) -> None:
    model = engine(network)
    short = features[:frames]
    session = model.start()
    first = session.advance(short)
    rest = session.finish()
    assert len(first) == max(frames - 5, 0) and len(first) + len(rest) == frames

    module = from_network(network).eval()
    fed = np.concatenate((short, np.repeat(short[-1:], 5, axis=0)))
    with torch.no_grad():
        log_probs, _ = module(torch.from_numpy(fed).unsqueeze(1), module.initial_state(1))
    np.testing.assert_allclose(np.concatenate((first, rest)), log_probs[5:, 0], atol=1e-5)


def test_sessions_do_not_disturb_each_other(network: Network, features: FloatArray) -> None:
    model = NativeNetwork(network)
    alone = log_posteriors(model, features[:50])
    one, two = model.start(), model.start()
    rows = []
    for begin in range(0, 50, 10):
        rows.append(one.advance(features[begin : begin + 10]))
        two.advance(features[100 + begin : 110 + begin])
    rows.append(one.finish())
    np.testing.assert_allclose(np.concatenate(rows), alone, atol=1e-5)


def test_no_frames_give_no_rows(network: Network) -> None:
    session = NativeNetwork(network).start()
    assert session.advance(np.empty((0, 6), dtype=np.float32)).shape == (0, 23)
    assert session.finish().shape == (0, 23)


def test_no_delay(features: FloatArray) -> None:
    network = make_network(
        NetworkOptions(outputs=8, input_dim=6, cells=9, projection=5, output_delay=0)
    )
    session = NativeNetwork(network).start()
    assert session.advance(features).shape == (300, 8)
    assert session.finish().shape == (0, 8)


def test_input_is_left_alone_and_may_be_read_only(network: Network, features: FloatArray) -> None:
    frozen = features.copy()
    frozen.flags.writeable = False
    for model in (NativeNetwork(network), TorchNetwork(network)):
        first = log_posteriors(model, frozen)
        np.testing.assert_array_equal(log_posteriors(model, features), first)
    np.testing.assert_array_equal(frozen, features)


def test_wrong_frames(network: Network, features: FloatArray) -> None:
    session = NativeNetwork(network).start()
    with pytest.raises(SpeechError, match=r"expected \[T, 6\], found \[4, 5\]"):
        session.advance(np.zeros((4, 5), dtype=np.float32))
    bad = features.copy()
    bad[3, 2] = np.nan
    with pytest.raises(SpeechError, match="NaN"):
        session.advance(bad)
    session.finish()
    with pytest.raises(SpeechError, match="after its end"):
        session.advance(features)
    with pytest.raises(SpeechError, match="ended twice"):
        session.finish()


def test_recognition_side_needs_no_torch(
    tmp_path: Path, network: Network, features: FloatArray
) -> None:
    """A network file is run; that nothing else brings torch in is in test_imports.py."""
    write_network(network, tmp_path / "network.safetensors")
    np.save(tmp_path / "features.npy", features)
    code = """
import sys, numpy
from recognizer.am.nnet.inference import log_posteriors
from recognizer.am.nnet.native import NativeNetwork
folder = sys.argv[1]
result = log_posteriors(NativeNetwork.load(folder + "/network.safetensors"),
                        numpy.load(folder + "/features.npy"))
assert "torch" not in sys.modules
numpy.save(folder + "/result.npy", result)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=120)
    expected = log_posteriors(TorchNetwork(network), features)
    np.testing.assert_allclose(np.load(tmp_path / "result.npy"), expected, rtol=0, atol=1e-4)
