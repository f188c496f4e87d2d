"""State-level minimum Bayes risk: against sums over all paths, and finite differences."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recognizer.am.nnet.network_file import read_network
from recognizer.am.torch.network_module import NetworkOutputs
from recognizer.am.training.criteria.criterion import ChunkTargets
from recognizer.am.training.criteria.smbr import Smbr
from recognizer.am.training.criteria.smbr_options import SmbrOptions
from recognizer.am.training.criteria.targets import FrameLabels, StateLattice, Target
from recognizer.am.training.data.checked_data import CheckedData
from recognizer.am.training.train import TrainingUtterance, make_task, train
from recognizer.data.errors import SpeechError, UsageError
from sequence_toys import expected_accuracy, random_state_lattice
from toy_training import DIM, NETWORK, SGD, STATES, make_utterances


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def targets_of(pieces: list[Target | None], frames: int, begins: list[int]) -> ChunkTargets:
    mask = np.zeros((frames, len(pieces)), dtype=bool)
    for n, piece in enumerate(pieces):
        if piece is not None:
            mask[begins[n] : begins[n] + len(piece), n] = True
    some = np.array([piece is not None for piece in pieces])
    return ChunkTargets(pieces, mask, some, some)


def outputs_of(logits: Tensor) -> NetworkOutputs:
    size = logits.shape[2]
    return NetworkOutputs(
        logits, torch.eye(size, dtype=logits.dtype), torch.zeros(size, dtype=logits.dtype),
        logits.dtype,
    )  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 999), streams=st.integers(1, 4))
def test_accuracy_is_expected_over_all_paths(seed: int, streams: int) -> None:
    rng = np.random.default_rng(seed)
    pieces: list[Target | None] = [
        random_state_lattice(rng, int(rng.integers(1, 5)), 5) if n == 0 or rng.random() < 0.8
        else None
        for n in range(streams)
    ]  # fmt: skip
    begins = [int(rng.integers(0, 3)) for _ in pieces]
    logits = torch.from_numpy(rng.normal(size=(7, streams, 5)) * 2)
    priors = rng.normal(size=5).astype(np.float32)
    criterion = Smbr(priors, SmbrOptions(acoustic_scale=0.5, cross_entropy=0.3))
    result = criterion(outputs_of(logits), targets_of(pieces, 7, begins), [])
    log_posteriors = logits.log_softmax(2).numpy()
    right = cross_entropy = 0.0
    for n, piece in enumerate(pieces):
        if isinstance(piece, StateLattice):
            rows = log_posteriors[begins[n] : begins[n] + len(piece), n]
            right += expected_accuracy(piece, 0.5 * (rows - priors))
            said = np.flatnonzero(piece.references >= 0)
            cross_entropy -= rows[said, piece.references[said]].sum()
    assert result.counts == pytest.approx((right, cross_entropy, 0.0), rel=1e-6, abs=1e-9)
    assert result.loss.item() == pytest.approx(0.3 * cross_entropy - right, rel=1e-6, abs=1e-9)


def test_gradients_are_those_of_finite_differences() -> None:
    rng = np.random.default_rng(0)
    pieces: list[Target | None] = [random_state_lattice(rng, 4, 5), random_state_lattice(rng, 2, 5)]
    targets = targets_of([*pieces, None], 5, [0, 2, 0])
    criterion = Smbr(rng.normal(size=5), SmbrOptions(acoustic_scale=0.7, cross_entropy=0.2))
    logits = torch.from_numpy(rng.normal(size=(5, 3, 5))).requires_grad_()

    def loss(x: Tensor) -> Tensor:
        total: Tensor = criterion(outputs_of(x), targets, []).loss
        return total

    assert torch.autograd.gradcheck(loss, (logits,), eps=1e-5, atol=1e-7)


def test_threads_give_the_same_bits() -> None:
    rng = np.random.default_rng(0)
    pieces: list[Target | None] = [random_state_lattice(rng, 9, 5) for _ in range(20)]
    targets = targets_of(pieces, 9, [0] * 20)
    logits = torch.randn(9, 20, 5, generator=torch.Generator().manual_seed(0))
    found = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        x = logits.clone().requires_grad_()
        result = Smbr(np.zeros(5))(outputs_of(x), targets, [])
        result.loss.backward()
        found.append((result.loss.detach(), x.grad))
    assert all(map(torch.equal, *found))


def test_a_lattice_beyond_range_fails_alone_and_a_spoiled_network_ends_training() -> None:
    rng = np.random.default_rng(0)
    lattices = [random_state_lattice(rng, 4, 5) for _ in range(3)]
    hopeless = dataclasses.replace(
        lattices[1], final_log_probs=np.full_like(lattices[1].final_log_probs, -np.inf)
    )
    targets = targets_of([lattices[0], hopeless, lattices[2]], 4, [0] * 3)
    logits = torch.from_numpy(rng.normal(size=(4, 3, 5))).requires_grad_()
    criterion = Smbr(np.zeros(5), SmbrOptions(cross_entropy=0.0))
    result = criterion(outputs_of(logits), targets, [])
    result.loss.backward()
    assert result.counts[2] == 4 and result.loss.isfinite()
    assert logits.grad is not None
    assert not logits.grad[:, 1].any()
    others = logits.detach()[:, [0, 2]].requires_grad_()
    good: list[Target | None] = [lattices[0], lattices[2]]
    criterion(outputs_of(others), targets_of(good, 4, [0, 0]), []).loss.backward()
    assert others.grad is not None and others.grad.any()
    assert torch.equal(logits.grad[:, [0, 2]], others.grad)
    assert criterion.measures(criterion.chunk_sums(result, 0))["failed_share"] == pytest.approx(
        1 / 3
    )
    spoiled = torch.full((4, 3, 5), torch.nan)
    assert not criterion(outputs_of(spoiled), targets, []).loss.isfinite()


def competing(utterance: TrainingUtterance, version: int = 0) -> StateLattice:
    """In every frame the right label against the next one; no path is likelier than others."""
    labels = utterance.versions[version][1]
    assert isinstance(labels, FrameLabels)
    right = labels.labels.astype(np.int32)
    frames = len(right)
    sources = np.repeat(np.arange(frames, dtype=np.int32), 2)
    both = np.stack((right, (right + 1) % STATES), 1).reshape(-1)
    finals = np.full(frames + 1, -np.inf, np.float32)
    finals[-1] = 0.0
    return StateLattice(
        sources, sources + 1, both, np.zeros(2 * frames, np.float32),
        np.tile(np.array([1, 0], np.float32), frames), np.arange(frames + 1, dtype=np.int32),
        finals, right,
    )  # fmt: skip


def test_training_goes_on_from_cross_entropy_and_gains_accuracy(tmp_path: Path) -> None:
    utterances = make_utterances()
    options = dataclasses.replace(SGD, epochs=1, held_out_fraction=0.3)
    first = train(utterances, NETWORK, options, tmp_path / "ce", silence_pdfs=[0], progress=False)
    made = read_network(first.last_path)
    priors = made.tensors["log_priors"]
    lattices = [
        TrainingUtterance(one.id, one.versions[0][0][: len(competing(one))], competing(one))
        for one in utterances
    ]
    options = dataclasses.replace(options, epochs=4, learning_rate=5e-2, final_learning_rate=5e-2)
    results = [
        train(
            lattices, NETWORK, dataclasses.replace(options, max_frames=frames), tmp_path / name,
            criterion=Smbr(priors, SmbrOptions(acoustic_scale=1.0)), initial=first.last_path,
            progress=False,
        )
        for name, frames in (("begin", 1), ("smbr", 0))
    ]  # fmt: skip
    before, after = (result.last for result in results)
    assert before is not None and after is not None and not results[1].dropped
    assert after["accuracy"] > before["accuracy"] + 0.02
    assert after["failed_share"] == 0
    # Its outputs are posteriors still, of the same classes with the same priors.
    np.testing.assert_array_equal(read_network(results[1].last_path).tensors["log_priors"], priors)


GOOD = random_state_lattice(np.random.default_rng(5), 3, STATES)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"labels": GOOD.labels + STATES}, f"labels -1 to {STATES - 1}"),
        ({"log_probs": GOOD.log_probs[1:]}, "log_probs float32"),
        ({"accuracies": GOOD.accuracies * np.float32(np.nan)}, "finite"),
        ({"sources": GOOD.destinations, "destinations": GOOD.sources}, "topological"),
        ({"state_frames": GOOD.state_frames[::-1].copy()}, "frames apart"),
        ({"final_log_probs": np.zeros_like(GOOD.final_log_probs)}, "final states"),
        ({"final_log_probs": np.full_like(GOOD.final_log_probs, -np.inf)}, "final states"),
        ({"references": GOOD.references[:2]}, "state_frames"),
        ({"references": GOOD.references.astype(np.int64)}, "references int32"),
    ],
)  # fmt: skip
def test_lattices_that_do_not_fit_are_dropped(change: dict[str, np.ndarray], fault: str) -> None:
    assert GOOD.fault(STATES) == ""
    bad = dataclasses.replace(GOOD, **change)
    x = np.zeros((3, DIM), dtype=np.float32)
    data = CheckedData.of(
        [TrainingUtterance("good", x, GOOD), TrainingUtterance("bad", x[: len(bad)], bad)],
        criterion=Smbr(np.zeros(STATES)), input_dim=DIM, outputs=STATES, tolerance=0,
        held_out=[TrainingUtterance("apart", x, GOOD)],
    )  # fmt: skip
    (dropped,) = data.dropped
    assert dropped.startswith("bad: lattice: ") and fault in dropped


def test_pieces_of_lattices_and_other_priors_are_refused(tmp_path: Path) -> None:
    assert GOOD.cut(0, 3) is GOOD
    with pytest.raises(ValueError, match="no piece"):
        GOOD.cut(0, 2)
    with pytest.raises(SpeechError, match="priors"):
        make_task(
            make_utterances(), NETWORK, SGD, tmp_path, criterion=Smbr(np.zeros(STATES + 1)),
            progress=False,
        )  # fmt: skip
    for options in ({"acoustic_scale": 0.0}, {"cross_entropy": -1.0}):
        with pytest.raises(UsageError, match="sMBR"):
            SmbrOptions(**options)
