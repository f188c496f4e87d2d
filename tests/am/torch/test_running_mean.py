"""The running mean of features: its formula, any chunks, every engine, quiet speech, refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from network_kinds import INPUTS, KINDS, OUTPUTS, make_file
from places import ROOT
from recognizer.am import _inference
from recognizer.am.features.fbank import fbank
from recognizer.am.nnet.inference import log_posteriors
from recognizer.am.nnet.native import NativeNetwork
from recognizer.am.nnet.network_file import FORMAT, Network, read_network
from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.torch.inference import TorchNetwork
from recognizer.am.torch.network_module import reset_state
from recognizer.am.torch.networks import make_network
from recognizer.am.torch.running_mean import running_mean_state, subtract_running_mean
from recognizer.am.training.data.statistics import FeatureStatistics
from recognizer.data.audio.reading import read_audio
from recognizer.data.errors import SpeechError
from running_mean_formula import by_the_formula

FloatArray = npt.NDArray[np.floating[Any]]
CPU = torch.device("cpu")


def make_frames(count: int, seed: int = 1) -> npt.NDArray[np.float32]:
    random = np.random.default_rng(seed)
    return random.normal(3, 1.5, size=(count, INPUTS)).astype(np.float32)


WINDOWS = st.integers(1, 700).flatmap(lambda w: st.tuples(st.just(w), st.integers(1, w)))


@settings(max_examples=25, deadline=None)
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=5), options=WINDOWS)
def test_any_chunks_give_the_formula(lengths: list[int], options: tuple[int, int]) -> None:
    window, prior = options
    streams, frames = 3, sum(lengths)
    x = np.random.default_rng(frames).normal(0, 4, size=(frames, streams, 2))
    state = running_mean_state(streams, 2, CPU)
    parts = []
    for chunk in torch.split(torch.from_numpy(x), lengths):
        part, state = subtract_running_mean(chunk, state, window, prior)
        parts.append(part)
    found = torch.cat(parts).numpy()
    for n in range(streams):
        expected = by_the_formula(x[:, n], np.zeros(2), window, prior)
        np.testing.assert_allclose(found[:, n], expected, rtol=0, atol=1e-11)


def test_whole_utterances_are_long() -> None:
    """Several matrix products, one after the other."""
    x = np.random.default_rng(0).normal(1, 4, size=(700, 1, 2))
    found, _ = subtract_running_mean(torch.from_numpy(x), running_mean_state(1, 2, CPU), 300, 20)
    expected = by_the_formula(x[:, 0], np.zeros(2), 300, 20)
    np.testing.assert_allclose(found[:, 0].numpy(), expected, rtol=0, atol=1e-10)


def test_streams_begin_anew() -> None:
    x = torch.randn(30, 2, INPUTS, generator=torch.Generator().manual_seed(0)).double()
    _, state = subtract_running_mean(x[:20], running_mean_state(2, INPUTS, CPU), 50, 5)
    reset_state([state], [False, True])
    found, _ = subtract_running_mean(x[20:], state, 50, 5)
    fresh, _ = subtract_running_mean(x[20:], running_mean_state(2, INPUTS, CPU), 50, 5)
    whole, _ = subtract_running_mean(x, running_mean_state(2, INPUTS, CPU), 50, 5)
    torch.testing.assert_close(found[:, 1], fresh[:, 1])
    torch.testing.assert_close(found[:, 0], whole[20:, 0])


@pytest.mark.parametrize("engine", [NativeNetwork, TorchNetwork])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if "running mean" in kind])
def test_networks_take_frames_less_the_formula(
    kind: str, engine: type[NativeNetwork | TorchNetwork]
) -> None:
    """As a network without a running mean takes them when others subtracted it before."""
    network = make_file(kind)
    options, tensors = network.options, dict(network.tensors)
    x = make_frames(90)
    window, prior = options.mean_window, options.mean_prior
    # Networks repeat the last frame, with its own running mean, for their delay.
    x = np.concatenate((x, x[-1:].repeat(options.output_delay, 0)))
    before = by_the_formula(x.astype(float), tensors["input.mean"].astype(float), window, prior)
    tensors["input.mean"] = np.zeros(INPUTS, np.float32)
    plain = Network(replace(options, mean_window=0, mean_prior=0), tensors)
    expected = log_posteriors(engine(plain), before.astype(np.float32))[:90]
    np.testing.assert_allclose(log_posteriors(engine(network), x[:90]), expected, rtol=0, atol=1e-4)


def test_rounding_does_not_pile_up_in_long_streams() -> None:
    """Minutes of frames: the native state, in float32, is that of the sums in float64."""
    network = make_file("dnn, running mean")
    window = 600
    network = replace(network, options=replace(network.options, mean_window=window, mean_prior=50))
    native = NativeNetwork(network)._native
    frames = np.random.default_rng(0).normal(15, 4, size=(50_000, INPUTS)).astype(np.float32)
    state = np.zeros(native.state_size, dtype=np.float32)
    native.run([frames], [state], [len(frames)], 1)
    x = torch.from_numpy(frames).unsqueeze(1) - 3.0
    _, expected = subtract_running_mean(x, running_mean_state(1, INPUTS, CPU), window, 50)
    found = state[: INPUTS + 1]
    np.testing.assert_allclose(found[:-1], expected[0, :-1].numpy(), rtol=0, atol=1e-4)
    np.testing.assert_allclose(found[-1], window - 50, rtol=1e-4)


@pytest.mark.parametrize("factor", [0.01, 4.0])
def test_volume_is_forgotten(factor: float) -> None:
    """-40 dB adds log(1e-4) to every log energy; no more of it is left than the prior's share."""
    samples = read_audio(ROOT / "recognizer" / "samples" / "synthetic.flac")
    loud, changed = (fbank(samples * np.float32(f)) for f in (1.0, factor))
    mean, window, prior = loud.mean(0), 300, 10
    shift = 2 * np.log(factor)
    exact = (np.minimum(loud, changed) > 0.1).all(1)  # above the floor of the energies
    assert exact.mean() > 0.5
    np.testing.assert_allclose((changed - loud)[exact], shift, atol=0.05)

    def normalised(features: FloatArray) -> FloatArray:
        x = torch.from_numpy(features - mean).unsqueeze(1)
        state = running_mean_state(1, x.shape[2], CPU)
        return subtract_running_mean(x, state, window, prior)[0][:, 0].numpy()

    difference = normalised(changed) - normalised(loud)
    decay = 1 - 1 / window
    t = np.arange(len(loud))
    share = prior * decay ** (t + 1)
    share /= share + window * (1 - decay ** (t + 1))
    assert share[100] < 0.09 and share[300] < 0.02
    # Silence at the floor of the energies moves the running means of quiet speech a little.
    left = np.abs(difference[exact]) - np.abs(shift) * share[exact, None]
    assert left.mean() < 0.3
    assert np.abs(difference[exact & (t > 100)]).mean() < 0.05 * np.abs(shift)


def test_statistics_are_those_of_what_the_network_takes() -> None:
    random = np.random.default_rng(0)
    utterances = [
        random.normal([10, -3], [2, 5], size=(length, 2)).astype(np.float32) + random.normal(0, 4)
        for length in (7, 40, 300)
    ]
    statistics = FeatureStatistics(2, 30, 8)
    for utterance in utterances:
        statistics.add(utterance)
    frames = np.concatenate(utterances).astype(float)
    mean = frames.mean(0)
    left = np.concatenate([by_the_formula(x.astype(float), mean, 30, 8) for x in utterances])
    assert statistics.frames == 347
    np.testing.assert_allclose(statistics.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(statistics.inv_std, 1 / left.std(0), rtol=1e-5)
    plain = FeatureStatistics(2)
    for utterance in utterances:
        plain.add(utterance)
    np.testing.assert_allclose(plain.inv_std, 1 / frames.std(0), rtol=1e-5)
    assert (statistics.inv_std > plain.inv_std).all()


@pytest.mark.parametrize(
    ("mean", "message"),
    [
        (np.zeros(INPUTS), r"input.mean: expected the mean of the training .*20.*, found zeros"),
        (np.full(INPUTS, np.nan), "input.mean: expected finite numbers, found NaN or inf"),
        (None, "tensor input.mean is missing"),
    ],
)
def test_a_file_without_a_prior_is_refused(
    mean: FloatArray | None, message: str, tmp_path: Path
) -> None:
    network = make_file("lstmp, running mean")
    tensors = dict(network.tensors)
    del tensors["input.mean"]
    if mean is not None:
        tensors["input.mean"] = mean.astype(np.float32)
    with pytest.raises(SpeechError, match=message):
        Network(network.options, tensors)
    path = tmp_path / "network.safetensors"
    table = json.dumps(network.options.to_table())
    save_file(tensors, path, metadata={"format": FORMAT, "options": table})
    with pytest.raises(SpeechError, match=f"{path}: .*{message}") as caught:
        read_network(path)
    assert "\n" not in str(caught.value)


def test_an_untrained_network_has_no_prior_yet() -> None:
    options = NetworkOptions(outputs=OUTPUTS, input_dim=3, mean_window=5, mean_prior=1)
    with pytest.raises(SpeechError, match=r"input\.mean: expected the mean"):
        make_network(options).to_network()


@pytest.mark.parametrize(("window", "prior"), [(5, 0), (5, 6), (0, 1)])
def test_native_code_checks_the_prior(window: int, prior: int) -> None:
    tensors = make_file("lstmp").tensors
    ends = {n.removeprefix("input."): t for n, t in tensors.items() if n.startswith("input.")}
    with pytest.raises(ValueError, match="mean_prior: expected 1 to mean_window, or 0 without one"):
        _inference.Network(ends, [{}], False, "portable", mean_window=window, mean_prior=prior)
