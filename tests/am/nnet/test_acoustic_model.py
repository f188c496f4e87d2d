"""Scores for the search: priors subtracted alike for streams, batches and whole utterances."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import network_kinds
from network_kinds import INPUTS, OUTPUTS, make_file
from recognizer.am.features.fbank import FbankOptions
from recognizer.am.nnet.acoustic_model import KINDS, AcousticModel, CtcModel, HybridModel
from recognizer.am.nnet.inference import log_posteriors
from recognizer.am.nnet.native import NativeNetwork
from recognizer.am.nnet.network_file import Network
from recognizer.am.torch.inference import TorchNetwork
from recognizer.data.errors import SpeechError, UsageError

FloatArray = npt.NDArray[np.float32]
FEATURES = FbankOptions(num_bins=INPUTS)
STREAMING = network_kinds.STREAMING | network_kinds.SUBSAMPLED_STREAMING
NETWORKS = {kind: make_file(kind) for kind in network_kinds.KINDS | network_kinds.SUBSAMPLED}
MODELS = {kind: HybridModel(NativeNetwork(network), FEATURES) for kind, network in NETWORKS.items()}


def frames(count: int, seed: int = 0) -> FloatArray:
    random = np.random.default_rng(seed)
    return random.normal(3, 1.5, size=(count, INPUTS)).astype(np.float32)


@pytest.mark.parametrize("engine", [NativeNetwork, TorchNetwork])
@pytest.mark.parametrize("kind", NETWORKS)
def test_scores_of_a_hybrid_are_log_posteriors_less_log_priors(
    kind: str, engine: type[NativeNetwork | TorchNetwork]
) -> None:
    network = NETWORKS[kind]
    model = HybridModel(engine(network), FEATURES)
    features = frames(50)
    rows = -(-50 // network.options.subsampling)
    assert model.num_outputs == OUTPUTS
    assert model.scores(features).shape == (rows, OUTPUTS)
    expected = log_posteriors(engine(network), features) - network.log_priors
    np.testing.assert_array_equal(model.scores(features), expected)


@pytest.mark.parametrize("kind", NETWORKS)
def test_output_frames_are_as_far_apart_as_the_network_says(kind: str) -> None:
    step = NETWORKS[kind].options.subsampling
    assert MODELS[kind].output_frame_shift == pytest.approx(0.01 * step)
    features = FbankOptions(num_bins=INPUTS, frame_shift_ms=12.5)
    model = HybridModel(NativeNetwork(NETWORKS[kind]), features)
    assert model.output_frame_shift == pytest.approx(0.0125 * step)


@settings(max_examples=60)
@given(data=st.data(), kind=st.sampled_from(sorted(STREAMING)))
def test_streams_and_batches_have_the_bits_of_whole_utterances(
    data: st.DataObject, kind: str
) -> None:
    model = MODELS[kind]
    lengths = data.draw(st.lists(st.integers(0, 40), min_size=1, max_size=5))
    utterances = [frames(length, seed) for seed, length in enumerate(lengths)]
    expected = [model.scores(features) for features in utterances]
    sessions = [model.start() for _ in utterances]
    alone = [model.start() for _ in utterances]
    rows: list[list[FloatArray]] = [[] for _ in utterances]
    rows_alone: list[list[FloatArray]] = [[] for _ in utterances]
    begin = 0
    while begin < 40:
        size = data.draw(st.integers(1, 20))
        blocks = [features[begin : begin + size] for features in utterances]
        for i, scores in enumerate(model.advance_all(sessions, blocks)):
            rows[i].append(scores)
            rows_alone[i].append(alone[i].advance(blocks[i]))
        begin += size
    for i, scores in enumerate(model.finish_all(sessions)):
        np.testing.assert_array_equal(np.concatenate([*rows[i], scores]), expected[i])
        last = alone[i].finish()
        np.testing.assert_array_equal(np.concatenate([*rows_alone[i], last]), expected[i])


@pytest.mark.parametrize("kind", sorted(set(NETWORKS) - set(STREAMING)))
def test_bidirectional_models_take_whole_utterances_only(kind: str) -> None:
    model = MODELS[kind]
    assert not model.streaming
    with pytest.raises(UsageError, match="bidirectional: it cannot stream"):
        model.start()


def test_wrong_frames_advance_no_stream() -> None:
    model = MODELS["lstmp, every third"]
    one, two = model.start(), model.start()
    good, bad = frames(20), frames(20)
    bad[3, 2] = np.nan
    with pytest.raises(SpeechError, match="features: expected finite numbers, found NaN or inf"):
        model.advance_all([one, two], [good, bad])
    np.testing.assert_array_equal(one.advance(good), model.start().advance(good))
    with pytest.raises(UsageError, match="sessions of this model, found another's"):
        MODELS["lstmp"].advance_all([two], [good])
    two.finish()
    with pytest.raises(SpeechError, match="frames after its end"):
        two.advance(good)
    with pytest.raises(SpeechError, match="ended twice"):
        two.finish()


def test_networks_that_do_not_fit_are_refused() -> None:
    network = NETWORKS["lstmp"]
    with pytest.raises(SpeechError, match="input_dim: expected 40, the number of mel bins, found"):
        HybridModel(NativeNetwork(network), FbankOptions())
    tensors = {name: array for name, array in network.tensors.items() if name != "log_priors"}
    with pytest.raises(SpeechError, match="expected a tensor log_priors, found none"):
        HybridModel(NativeNetwork(Network(network.options, tensors)), FEATURES)


def test_scores_of_characters_are_the_log_posteriors() -> None:
    network = NETWORKS["lstmp"]
    tensors = {name: array for name, array in network.tensors.items() if name != "log_priors"}
    engine = NativeNetwork(Network(network.options, tensors))
    model = CtcModel(engine, FEATURES)
    features = np.random.default_rng(0).normal(3, 1, (20, network.options.input_dim))
    expected = engine.log_posteriors([features])[0]
    np.testing.assert_array_equal(model.scores(features), expected)
    session = model.start()
    pieces = [session.advance(features[:7]), session.advance(features[7:]), session.finish()]
    np.testing.assert_array_equal(np.concatenate(pieces), expected)


def test_a_kind_has_one_name() -> None:
    assert {name: kind.kind for name, kind in KINDS.items()} == {
        "hybrid": "hybrid",
        "ctc": "ctc",
    }
    assert all(issubclass(kind, AcousticModel) for kind in KINDS.values())
