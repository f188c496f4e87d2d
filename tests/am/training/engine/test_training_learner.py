"""The step that all ways of training share: chunks of streams to gradients, and their scaling."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from recognizer.am.torch.networks import make_network
from recognizer.am.training.criteria.cross_entropy import CrossEntropy
from recognizer.am.training.engine.learner import Learner, scale_gradients
from recognizer.am.training.train import Objective, TrainingOptions, TrainingUtterance, evaluate
from toy_training import NETWORK, SGD, make_utterances


def learner(
    utterances: Sequence[TrainingUtterance], *, streams: int, chunk: int, seed: int = 0
) -> Learner:
    network = make_network(
        NETWORK,
        generator=torch.Generator().manual_seed(7),
        initial_range=0.5,
        precision=torch.float64,
    ).double()
    options = dataclasses.replace(SGD, streams=streams, chunk=chunk, seed=seed)
    model = Objective(network, CrossEntropy())
    return Learner(model, utterances, options, epochs=1, planned_frames=1, augment=None)


def without_versions(count: int) -> list[TrainingUtterance]:
    return [dataclasses.replace(one, alternatives=()) for one in make_utterances(count)]


def epoch(one: Learner, spoil_padding: bool = False) -> tuple[float, int, list[Tensor]]:
    """Loss, labelled frames and gradients, each summed over all chunks."""
    loss, frames = 0.0, 0
    sums = [torch.zeros_like(parameter) for parameter in one.parameters]
    while (chunk := one.next_chunk()) is not None:
        if spoil_padding:
            padding = chunk.targets.mask[::-1].cumsum(axis=0)[::-1] == 0
            chunk.features[padding] = 1e3
        result, counted = one.forward(chunk)
        loss += counted.loss
        frames += counted.frames
        for total, gradient in zip(sums, one.gradients(result), strict=True):
            total += gradient
    return loss, frames, sums


@pytest.mark.parametrize("spoil_padding", [False, True])
def test_streams_together_are_utterances_alone(spoil_padding: bool) -> None:
    """States begin anew with each utterance, and padding has no gradient."""
    utterances = without_versions(8)
    loss, frames, gradients = epoch(learner(utterances, streams=3, chunk=60), spoil_padding)
    alone = [epoch(learner([one], streams=1, chunk=60)) for one in utterances]
    assert frames == sum(len(one.target) for one in utterances)
    assert loss == pytest.approx(sum(one[0] for one in alone), rel=1e-9)
    for together, *apart in zip(gradients, *(one[2] for one in alone), strict=True):
        torch.testing.assert_close(together, sum(apart), rtol=1e-7, atol=1e-9)
        assert together.abs().max() > 1e-3


@pytest.mark.parametrize("chunk", [1, 7, 20])
def test_states_are_carried_from_chunk_to_chunk(chunk: int) -> None:
    """However an utterance is cut, its loss is that of the whole; only gradients are truncated."""
    utterances = without_versions(8)
    one = learner(utterances, streams=3, chunk=chunk)
    expected = evaluate(one.model, utterances)
    loss, frames, _ = epoch(one)
    assert frames == expected.frames
    assert loss / frames == pytest.approx(expected.loss, rel=1e-6)


def gradients() -> list[Tensor]:
    return [torch.tensor([[3.0, 0.0], [0.0, 0.0]]), torch.tensor([0.0, -4.0])]  # norm 5


@pytest.mark.parametrize(
    ("changes", "frames", "share", "factor"),
    [
        ({"max_gradient_norm": 0.0}, 10, 1.0, 1.0),
        ({"max_gradient_norm": 6.0}, 10, 1.0, 1.0),
        ({"max_gradient_norm": 2.0}, 10, 1.0, 0.4),
        ({"max_gradient_norm": 0.0, "reduction": "mean"}, 10, 1.0, 0.1),
        ({"max_gradient_norm": 0.0, "reduction": "mean"}, 10, 0.5, 0.2),
        ({"max_gradient_norm": 6.0}, 10, 0.5, 1.2),
        ({"max_gradient_norm": 0.25, "reduction": "mean"}, 10, 1.0, 0.05),
    ],
)
def test_gradients_are_scaled(
    changes: dict[str, object], frames: int, share: float, factor: float
) -> None:
    found = gradients()
    scale_gradients(found, dataclasses.replace(SGD, **changes), frames, share)  # type: ignore[arg-type]
    for scaled, given in zip(found, gradients(), strict=True):
        torch.testing.assert_close(scaled, factor * given, rtol=1e-5, atol=0.0)


def test_clipping_is_off_by_default() -> None:
    assert TrainingOptions().max_gradient_norm == TrainingOptions.paper().max_gradient_norm == 0.0
