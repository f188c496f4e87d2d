"""Cross-entropy of frame labels, with networks of every kind."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from chunks import labelled_chunk
from network_kinds import INPUTS, KINDS, OUTPUTS, WHOLE, make_module
from recognizer.am.torch.network_module import NetworkModule
from recognizer.am.training.criteria.criterion import ChunkLoss
from recognizer.am.training.criteria.cross_entropy import IGNORED, CrossEntropy, SoftmaxLoss
from recognizer.am.training.engine.objective import Objective, StreamStates


def frames(count: int, streams: int = 2, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 + 1.5 * torch.randn(count, streams, INPUTS, generator=generator)


def log_posteriors(model: NetworkModule, x: Tensor, lengths: Tensor | None = None) -> Tensor:
    result: Tensor = model(x, model.initial_state(x.shape[1]), lengths)[0]
    return result


def loss_of(model: NetworkModule, x: Tensor, labels: Tensor) -> tuple[ChunkLoss, StreamStates]:
    objective = Objective(model, CrossEntropy())
    chunk = labelled_chunk(x.numpy(), labels.numpy())
    loss, states = objective(chunk, objective.initial_states(x.shape[1]))
    return loss, states


@pytest.mark.parametrize("kind", KINDS)
def test_loss_is_that_of_the_labelled_frames(kind: str) -> None:
    model = make_module(kind)
    labels = torch.tensor([[0, 1], [2, IGNORED], [3, 4], [20, 5], [6, 0], [1, 22]])
    x = frames(6)
    result, states = loss_of(model, x, labels)
    wanted = labels != IGNORED
    rows = log_posteriors(model, x)[wanted]
    picked = rows.gather(1, labels[wanted].unsqueeze(1))
    assert result.units == 11
    assert result.counts == (int((rows.argmax(1) == labels[wanted]).sum()),)
    torch.testing.assert_close(result.loss, -picked.sum())
    _, expected = model(x, model.initial_state(2))
    for carried, state in zip(states.network, expected, strict=True):
        assert not carried.requires_grad
        torch.testing.assert_close(carried, state.detach())
    result.loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("kind", KINDS)
def test_a_chunk_without_labels_has_no_loss(kind: str) -> None:
    result, _ = loss_of(make_module(kind), frames(4), torch.full((4, 2), IGNORED))
    assert (result.units, result.counts, float(result.loss.detach())) == (0, (0,), 0.0)
    result.loss.backward()


@pytest.mark.parametrize("kind", KINDS)
def test_loss_has_the_gradients_of_plain_torch(kind: str) -> None:
    model = make_module(kind, precision=torch.float64).double()
    x, labels = frames(6).double(), torch.arange(12).reshape(6, 2)
    parameters = list(model.parameters())
    ours = loss_of(model, x, labels)[0].loss
    rows = log_posteriors(model, x).reshape(-1, OUTPUTS)
    plain = functional.nll_loss(rows, labels.reshape(-1), reduction="sum")
    torch.testing.assert_close(ours, plain)
    for a, b in zip(
        torch.autograd.grad(ours, parameters), torch.autograd.grad(plain, parameters), strict=True
    ):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("kind", WHOLE)
def test_padding_of_whole_utterances_changes_nothing(kind: str) -> None:
    model = make_module(kind)
    x, lengths = frames(9, streams=3), torch.tensor([9, 4, 1])
    together = log_posteriors(model, x, lengths)
    labels = torch.full((9, 3), IGNORED)
    for n, length in enumerate(lengths.tolist()):
        labels[:length, n] = 3
    result, states = loss_of(model, x, labels)
    expected = -sum(together[:length, n, 3].sum() for n, length in enumerate(lengths.tolist()))
    torch.testing.assert_close(result.loss, expected)
    assert (result.units, states.network) == (14, [])


def test_softmax_loss_is_torchs_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    hidden, weight, bias = (
        torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()
        for shape in [(11, 3), (7, 3), (7,)]
    )
    labels = torch.arange(11) % 7
    loss, correct = SoftmaxLoss.apply(hidden, weight, bias, labels)
    logits = hidden @ weight.T + bias
    expected = functional.cross_entropy(logits, labels, reduction="sum")
    torch.testing.assert_close(loss, expected)
    assert int(correct) == int((logits.argmax(1) == labels).sum())
    parameters = (hidden, weight, bias)
    ours = torch.autograd.grad(3.0 * loss, parameters)
    plain = torch.autograd.grad(3.0 * expected, parameters)
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b)


def test_measures_are_means_over_frames() -> None:
    criterion = CrossEntropy()
    sums = criterion.sums([6.0, 4, 4, 3]).plus(criterion.sums([2.0, 4, 4, 1]))
    assert criterion.measures(sums) == {"cross_entropy": 1.0, "accuracy": 0.5}
    assert sums.values() == [8.0, 8, 8, 4]
    assert np.isfinite(criterion.sums().values()).all()
