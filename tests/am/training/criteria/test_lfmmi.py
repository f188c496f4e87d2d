"""Lattice-free MMI: chunks add up to whole utterances, gradients are those of differences."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recognizer.am.torch.network_module import NetworkOutputs
from recognizer.am.torch.networks import make_network
from recognizer.am.training.criteria.criterion import ChunkTargets
from recognizer.am.training.criteria.denominator_graph import DenominatorGraph
from recognizer.am.training.criteria.lfmmi import FAILED, LfMmi, SoftTargetLoss
from recognizer.am.training.criteria.lfmmi_options import LfMmiOptions
from recognizer.am.training.criteria.targets import SupervisionGraph, Target
from recognizer.am.training.data.batching import StreamBatcher
from recognizer.am.training.data.checked_data import CheckedData
from recognizer.am.training.engine.objective import Objective
from recognizer.am.training.train import TrainingUtterance, make_task, train
from recognizer.data.errors import SpeechError, UsageError
from sequence_toys import (
    denominator_log_prob,
    numerator_log_prob,
    random_denominator,
    random_numerator,
)
from toy_training import DIM, NETWORK, SGD, STATES

HIDDEN = 4
PLAIN = LfMmiOptions(leak=0.125, l2=0.0, cross_entropy=0.0)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny products are slower in several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def whole(
    pieces: list[Target | None], frames: int, begins: list[int] | None = None
) -> ChunkTargets:
    """Targets of streams whose utterances lie within one chunk."""
    mask = np.zeros((frames, len(pieces)), dtype=bool)
    for n, piece in enumerate(pieces):
        first = begins[n] if begins else 0
        if piece is not None:
            mask[first : first + len(piece), n] = True
    some = np.array([piece is not None for piece in pieces])
    return ChunkTargets(pieces, mask, some, some)


def outputs_of(logits: Tensor) -> NetworkOutputs:
    """Network outputs with these logits: the output layer is the identity."""
    size = logits.shape[2]
    return NetworkOutputs(
        logits, torch.eye(size, dtype=logits.dtype), torch.zeros(size, dtype=logits.dtype),
        logits.dtype,
    )  # fmt: skip


def criterion_of(
    graph: DenominatorGraph, hidden: int | None = None, options: LfMmiOptions = PLAIN
) -> LfMmi:
    made = LfMmi(graph, hidden or graph.outputs, options)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(generator=generator)
    return made


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 999), streams=st.integers(1, 5))
def test_objective_is_numerator_less_denominator(seed: int, streams: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_denominator(rng, states=4, arcs=6, outputs=5)
    pieces: list[Target | None] = [
        random_numerator(rng, graph, int(rng.integers(1, 5))) if rng.random() < 0.8 else None
        for _ in range(streams)
    ]
    begins = [int(rng.integers(0, 3)) for _ in pieces]
    targets = whole(pieces, 7, begins)
    logits = torch.from_numpy(rng.normal(size=(7, streams, 5)) * 2)
    criterion = criterion_of(graph).double()
    result = criterion(outputs_of(logits), targets, criterion.initial_state(streams))
    expected = 0.0
    for n, piece in enumerate(pieces):
        if isinstance(piece, SupervisionGraph):
            rows = logits[begins[n] : begins[n] + len(piece), n].numpy()
            gain = numerator_log_prob(piece, rows) - denominator_log_prob(graph, rows, 0.125)
            assert gain < 1e-6  # the numerator's paths are some of the denominator's
            expected += gain
    assert result.loss.item() == pytest.approx(-expected, rel=1e-6, abs=1e-6)
    assert result.units == targets.mask.sum()
    assert result.counts[2] == 0


def test_gradients_are_those_of_finite_differences() -> None:
    rng = np.random.default_rng(3)
    graph = random_denominator(rng, states=4, arcs=6, outputs=5)
    pieces: list[Target | None] = [random_numerator(rng, graph, n) for n in (4, 2)]
    targets = whole([*pieces, None], 5, [0, 2, 0])
    criterion = criterion_of(graph, HIDDEN, LfMmiOptions(leak=0.1, l2=0.3, cross_entropy=0.4))
    criterion = criterion.double()
    state = criterion.initial_state(3)

    def loss(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        outputs = NetworkOutputs(hidden, weight, bias, torch.float64)
        total: Tensor = criterion(outputs, targets, state).loss
        return total

    arguments = [
        torch.from_numpy(rng.normal(size=shape)).requires_grad_()
        for shape in ((5, 3, HIDDEN), (5, HIDDEN), (5,))
    ]
    # The posteriors that the cross-entropy branch learns count as constants: without it, all is
    # exact; with it, its own parameters' gradients are.
    branch, criterion.branch = criterion.branch, None
    assert torch.autograd.gradcheck(loss, arguments, eps=1e-5, atol=1e-6)
    criterion.branch = branch
    parameters = list(criterion.parameters())
    value = loss(*arguments)
    found = torch.autograd.grad(value, parameters)
    for parameter, gradient in zip(parameters, found, strict=True):
        for index in np.ndindex(*parameter.shape):
            sides = []
            for step in (1e-5, -1e-5):
                with torch.no_grad():
                    parameter[index] += step
                    sides.append(loss(*arguments).item())
                    parameter[index] -= step
            assert gradient[index].item() == pytest.approx(
                (sides[0] - sides[1]) / 2e-5, rel=1e-4, abs=1e-6
            )


def test_soft_targets_pass_gradcheck() -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = ((4, 3), (5, 3), (5,))
    given = [
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
        for shape in shapes
    ]
    rows, labels = torch.tensor([0, 0, 2, 3]), torch.tensor([1, 4, 0, 2])
    values = torch.tensor([0.25, 0.75, 1.0, 0.5], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda *x: SoftTargetLoss.apply(*x, rows, labels, values), given
    )
    hidden, weight, bias = given
    logs = (hidden @ weight.t() + bias).log_softmax(1)
    expected = -(logs[rows, labels] * values).sum()
    torch.testing.assert_close(SoftTargetLoss.apply(*given, rows, labels, values), expected)


def labelled(count: int = 16) -> tuple[DenominatorGraph, list[TrainingUtterance]]:
    """Utterances of a language in which labels last two frames or more and go round in order."""
    labels = np.arange(STATES, dtype=np.int32)
    denominator = DenominatorGraph(
        np.concatenate((labels, labels)),
        np.concatenate((labels, (labels + 1) % STATES)).astype(np.int32),
        np.concatenate((labels, (labels + 1) % STATES)).astype(np.int32),
        np.full(2 * STATES, np.log(0.5), np.float32),
        np.full(STATES, 1 / STATES, np.float32),
        start=STATES - 1,
        outputs=STATES,
    )
    rng = np.random.default_rng(1)
    marks = np.random.default_rng(99).normal(size=(STATES, DIM))
    made = []
    for k in range(count):
        spoken = np.arange(int(rng.integers(3, 6)), dtype=np.int32)
        heard = marks[np.repeat(spoken, 4)]
        starts, states = 4 * spoken, np.arange(len(spoken))
        frames = len(heard)
        graph = SupervisionGraph(
            np.concatenate((states, states + 1)).astype(np.int32),
            np.concatenate((states + 1, states + 1)).astype(np.int32),
            np.concatenate((spoken, spoken)),
            np.full(2 * len(spoken), np.log(0.5), np.float32),
            np.maximum(np.concatenate((starts - 2, starts - 1)), 0).astype(np.int32),
            np.minimum(np.concatenate((starts + 2, starts + 6)), frames - 1).astype(np.int32),
            np.append(np.full(len(spoken), -np.inf), 0.0).astype(np.float32),
            frames,
        )
        features = 20 + 3 * (heard + 0.3 * rng.normal(size=heard.shape))
        made.append(TrainingUtterance(f"u{k}", features.astype(np.float32), graph))
    return denominator, made


@settings(deadline=None, max_examples=8)
@given(
    streams=st.integers(1, 3), chunk=st.integers(1, 9), delay=st.integers(0, 3),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_chunks_add_up_to_whole_utterances(streams: int, chunk: int, delay: int, seed: int) -> None:
    denominator, utterances = labelled(5)
    network = make_network(
        dataclasses.replace(NETWORK, output_delay=delay), initial_range=0.5,
        generator=torch.Generator().manual_seed(seed), precision=torch.float64,
    ).double()  # fmt: skip
    objective = Objective(network, criterion_of(denominator, NETWORK.projection))
    states, loss, frames = objective.initial_states(streams), 0.0, 0
    for one in StreamBatcher(utterances, streams=streams, chunk=chunk, delay=delay, shuffle=False):
        result, states = objective(one, states)
        loss += result.loss.item()
        frames += int(result.units)
        assert result.counts[2] == 0
    expected = 0.0
    for utterance in utterances:
        x = torch.from_numpy(utterance.features).double().unsqueeze(1)
        x = torch.cat((x, x[-1:].expand(delay, 1, DIM)))
        outputs, _ = network.outputs(x, network.initial_state(1))
        rows = outputs.logits()[delay:, 0].detach().numpy()
        assert isinstance(utterance.target, SupervisionGraph)
        expected += denominator_log_prob(denominator, rows, 0.125)
        expected -= numerator_log_prob(utterance.target, rows)
    assert frames == sum(len(one.features) for one in utterances)
    assert loss == pytest.approx(expected, rel=1e-5, abs=1e-4)


def test_threads_and_repetition_give_the_same_bits() -> None:
    denominator, utterances = labelled(40)
    pieces: list[Target | None] = [one.target for one in utterances]
    targets = whole(pieces, 24)
    logits = torch.randn(24, 40, STATES, generator=torch.Generator().manual_seed(0))
    found = []
    for count in (1, 3, 1):
        torch.set_num_threads(count)
        criterion = criterion_of(denominator, options=LfMmiOptions())
        x = logits.clone().requires_grad_()
        result = criterion(outputs_of(x), targets, criterion.initial_state(40))
        result.loss.backward()
        found.append((result.loss.detach(), x.grad, *result.state))
    for other in found[1:]:
        assert all(map(torch.equal, found[0], other))


def test_bfloat16_hidden_values_give_nearly_the_same() -> None:
    denominator, utterances = labelled(3)
    targets = whole([one.target for one in utterances], 24)
    hidden = torch.randn(24, 3, HIDDEN, generator=torch.Generator().manual_seed(0))
    weight = torch.randn(STATES, HIDDEN, generator=torch.Generator().manual_seed(1))
    losses = []
    for kind in (torch.float32, torch.bfloat16):
        criterion = criterion_of(denominator, HIDDEN, LfMmiOptions())
        x = hidden.to(kind).clone().detach().requires_grad_()
        outputs = NetworkOutputs(x, weight, torch.zeros(STATES), torch.float32)
        result = criterion(outputs, targets, criterion.initial_state(3))
        result.loss.backward()
        assert x.grad is not None and x.grad.dtype == kind and x.grad.isfinite().all()
        losses.append(result.loss.item())
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


def test_streams_that_fail_are_counted_and_have_no_gradient() -> None:
    """A numerator without a path, by which none of the arcs that were carried can end."""
    denominator, utterances = labelled(3)
    pieces: list[Target | None] = [one.target for one in utterances]
    graph = pieces[1]
    assert isinstance(graph, SupervisionGraph)
    nowhere = np.full_like(graph.final_log_probs, -np.inf)
    pieces[1] = dataclasses.replace(graph, final_log_probs=nowhere)
    logits = torch.randn(24, 3, STATES, generator=torch.Generator().manual_seed(0))
    criterion = criterion_of(denominator, options=LfMmiOptions())
    x = logits.clone().requires_grad_()
    result = criterion(outputs_of(x), whole(pieces, 24), criterion.initial_state(3))
    result.loss.backward()
    assert x.grad is not None
    assert result.counts[2] == len(graph)
    assert result.loss.isfinite()
    assert not x.grad[:, 1].any() and x.grad[:, 0].any() and x.grad[:, 2].any()
    sums = criterion.chunk_sums(result, 0)
    assert criterion.measures(sums)["failed_share"] == pytest.approx(len(graph) / sums.units)
    others = whole([pieces[0], pieces[2]], 24)
    alone = criterion(outputs_of(logits[:, [0, 2]]), others, criterion.initial_state(2))
    assert result.counts[0] == pytest.approx(alone.counts[0] + FAILED * len(graph))
    assert alone.counts[2] == 0
    assert result.state[1].isfinite().all()
    # Nothing at all is left: parameters that other processes wait for have gradients all the same.
    only = criterion(outputs_of(logits[:, [1]]), whole([pieces[1]], 24), criterion.initial_state(1))
    only.loss.backward()
    assert all(p.grad is not None for p in criterion.parameters())


def test_a_network_whose_outputs_are_not_finite_has_no_finite_loss() -> None:
    """Counting it as a failure of single streams would hide that its weights are spoiled."""
    denominator, utterances = labelled(3)
    targets = whole([one.target for one in utterances], 24)
    logits = torch.zeros(24, 3, STATES)
    logits[5, 1, 2] = torch.nan
    criterion = criterion_of(denominator, options=LfMmiOptions())
    assert not criterion(outputs_of(logits), targets, criterion.initial_state(3)).loss.isfinite()


def test_copies_and_pickles_compute_the_same() -> None:
    """Other processes get the criterion pickled; what is native is made anew."""
    denominator, utterances = labelled(2)
    targets = whole([one.target for one in utterances], 24)
    logits = torch.randn(24, 2, STATES, generator=torch.Generator().manual_seed(0))
    criterion = criterion_of(denominator)
    expected = criterion(outputs_of(logits), targets, criterion.initial_state(2)).loss
    for other in (copy.deepcopy(criterion), pickle.loads(pickle.dumps(criterion))):
        loss = other(outputs_of(logits), targets, other.initial_state(2)).loss
        assert torch.equal(loss, expected)


def test_training_learns_and_its_branch_too(tmp_path: Path) -> None:
    denominator, utterances = labelled(30)
    network = dataclasses.replace(NETWORK, output_delay=1)
    options = dataclasses.replace(
        SGD, optimizer="adam", reduction="mean", learning_rate=2e-2, final_learning_rate=1e-2,
        streams=4, chunk=6, epochs=8, held_out_fraction=0.3,
    )  # fmt: skip
    criterion = LfMmi(denominator, network.projection)
    result = train(utterances, network, options, tmp_path, criterion=criterion, progress=False)
    assert result.best is not None and not result.dropped
    assert result.best["failed_share"] == 0
    assert -0.25 < result.best["mmi"] < 0
    assert result.best["cross_entropy"] < 0.5 * np.log(STATES)


def test_what_does_not_fit_is_refused_in_one_line(tmp_path: Path) -> None:
    denominator, utterances = labelled(4)
    for network, fault in (
        (dataclasses.replace(NETWORK, outputs=STATES + 1), "another phone set or tree"),
        (dataclasses.replace(NETWORK, projection=NETWORK.projection + 1), "inputs"),
    ):
        with pytest.raises(SpeechError, match=fault) as caught:
            make_task(
                utterances, network, SGD, tmp_path,
                criterion=LfMmi(denominator, NETWORK.projection), progress=False,
            )  # fmt: skip
        assert "\n" not in str(caught.value)
    good = utterances[0].target
    assert isinstance(good, SupervisionGraph)
    short = dataclasses.replace(
        good, output_frames=5,
        first_frames=np.minimum(good.first_frames, 4),
        last_frames=np.minimum(good.last_frames, 4),
        sources=good.sources, final_log_probs=good.final_log_probs[::-1].copy(),
    )  # fmt: skip
    data = CheckedData.of(
        [*utterances, TrainingUtterance("short", np.zeros((5, DIM), np.float32), short)],
        criterion=LfMmi(denominator, NETWORK.projection), input_dim=DIM, outputs=STATES,
        tolerance=0, held_out_fraction=0.4,
    )  # fmt: skip
    assert data.dropped == ("short: supervision longer than its chunk: no path of 5 output frames",)


@pytest.mark.parametrize("name", ["leak", "l2", "cross_entropy"])
@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_impossible_options_are_refused(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=name):
        LfMmiOptions(**{name: value})
