"""Supervision graphs cut into chunks: what a criterion carries makes the chunks the whole.

The criterion here is the numerator of LF-MMI in its plainest form: minus the log of the summed
probability of all paths of a graph, by the forward algorithm, with a parameter of its own.
"""

from __future__ import annotations

import dataclasses
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from recognizer.am.nnet.network_file import read_network
from recognizer.am.torch.network_module import NetworkOutputs, State
from recognizer.am.torch.networks import make_network
from recognizer.am.training.criteria.criterion import ChunkLoss, ChunkTargets, Criterion, Sums
from recognizer.am.training.criteria.targets import SupervisionGraph
from recognizer.am.training.data.batching import StreamBatcher
from recognizer.am.training.data.checked_data import CheckedData
from recognizer.am.training.engine.objective import Objective
from recognizer.am.training.parallel.synchronous import SyncTrainer
from recognizer.am.training.train import TrainingUtterance, make_task
from toy_training import DIM, NETWORK, SGD, STATES

INFINITY = float("inf")
LOG_ZERO = -1e10
"""In place of -inf, whose differences have no gradient."""


class PathsOfGraph(Criterion):
    """Its state are forward log probabilities ``[N, V]``; V grows with the graphs."""

    target = SupervisionGraph
    best_by = "share"

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def initial_state(self, streams: int) -> State:
        return [torch.zeros(streams, 0, dtype=torch.float64)]

    def forward(self, outputs: NetworkOutputs, targets: ChunkTargets, state: State) -> ChunkLoss:
        rows = (outputs.logits().double() * self.scale).log_softmax(2)
        known = [0 if piece is None else len(piece.final_log_probs) for piece in targets.pieces]
        width = max(*known, state[0].shape[1])
        forward = functional.pad(state[0], (0, width - state[0].shape[1]), value=LOG_ZERO)
        after, loss = [], rows.sum() * 0
        for n, piece in enumerate(targets.pieces):
            alpha = forward[n]
            if targets.begins[n]:
                alpha = torch.full((width,), LOG_ZERO, dtype=torch.float64)
                alpha[0] = 0.0
            if piece is not None:
                assert isinstance(piece, SupervisionGraph)
                before = alpha.logsumexp(0)
                for t, row in enumerate(np.flatnonzero(targets.mask[:, n])):
                    alpha = step(piece, t, rows[row, n], alpha)
                if targets.ends[n]:
                    final = torch.from_numpy(piece.final_log_probs).double().clamp_min(LOG_ZERO)
                    alpha = alpha + functional.pad(final, (0, width - len(final)), value=LOG_ZERO)
                loss = loss + before - alpha.logsumexp(0)
            after.append(alpha)
        return ChunkLoss(loss, int(targets.mask.sum()), (), [torch.stack(after)])

    def measures(self, sums: Sums) -> dict[str, float]:
        mean = sums.loss / sums.units
        return {"path_loss": mean, "share": float(np.exp(-mean))}


def step(graph: SupervisionGraph, t: int, log_probs: Tensor, alpha: Tensor) -> Tensor:
    """Forward log probabilities after output frame t of a piece."""
    after = [[torch.tensor(LOG_ZERO, dtype=torch.float64)] for _ in alpha]
    for arc in np.flatnonzero((graph.first_frames <= t) & (t <= graph.last_frames)):
        weight = float(graph.log_probs[arc]) + log_probs[int(graph.labels[arc])]
        after[graph.destinations[arc]].append(alpha[int(graph.sources[arc])] + weight)
    return torch.stack([torch.stack(terms).logsumexp(0) for terms in after])


def random_graph(rng: np.random.Generator, frames: int, states: int, arcs: int) -> SupervisionGraph:
    """Arcs in windows of frames, and self-loops that are always open, so that there is a path."""
    first = rng.integers(0, frames, arcs)
    ends = np.array([rng.integers(begin, frames) for begin in first], dtype=np.int64)
    loops = np.arange(states)

    def with_loops(values: np.ndarray, of_loops: np.ndarray) -> np.ndarray:
        return np.concatenate((values, of_loops)).astype(np.int32)

    return SupervisionGraph(
        with_loops(rng.integers(0, states, arcs), loops),
        with_loops(rng.integers(0, states, arcs), loops),
        with_loops(rng.integers(0, STATES, arcs), loops % STATES),
        rng.normal(size=arcs + states).astype(np.float32),
        with_loops(first, 0 * loops),
        with_loops(ends, 0 * loops + frames - 1),
        rng.normal(size=states).astype(np.float32),
        frames,
    )


def over_all_paths(graph: SupervisionGraph, log_probs: np.ndarray) -> float:
    """Minus the log of the sum over every path of its probability ``[T, S]``."""
    total = -INFINITY
    for arcs in product(range(len(graph.sources)), repeat=graph.output_frames):
        state, score = 0, 0.0
        for t, arc in enumerate(arcs):
            if (
                graph.sources[arc] != state
                or not graph.first_frames[arc] <= t <= (graph.last_frames[arc])
            ):
                break
            score += float(graph.log_probs[arc]) + log_probs[t, graph.labels[arc]]
            state = graph.destinations[arc]
        else:
            total = np.logaddexp(total, score + graph.final_log_probs[state])
    return -total


@settings(deadline=None, max_examples=15)
@given(
    lengths=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    streams=st.integers(1, 3),
    chunk=st.integers(1, 4),
    delay=st.integers(0, 2),
    seed=st.integers(0, 99),
)
def test_chunks_add_up_to_all_paths(
    lengths: list[int], streams: int, chunk: int, delay: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    utterances = [
        TrainingUtterance(
            f"u{k}", rng.normal(size=(frames, DIM)).astype(np.float32),
            random_graph(rng, frames, states=int(rng.integers(1, 4)), arcs=3),
        )
        for k, frames in enumerate(lengths)
    ]  # fmt: skip
    network = make_network(
        dataclasses.replace(NETWORK, output_delay=delay), initial_range=0.5,
        generator=torch.Generator().manual_seed(seed), precision=torch.float64,
    ).double()  # fmt: skip
    objective = Objective(network, PathsOfGraph())
    states, loss, frames = objective.initial_states(streams), 0.0, 0
    for one in StreamBatcher(utterances, streams=streams, chunk=chunk, delay=delay, shuffle=False):
        result, states = objective(one, states)
        assert not states.criterion[0].requires_grad
        loss += result.loss.item()
        frames += int(result.units)
    expected = 0.0
    for utterance in utterances:
        x = torch.from_numpy(utterance.features).double().unsqueeze(1)
        x = torch.cat((x, x[-1:].expand(delay, 1, DIM)))
        rows = network(x, network.initial_state(1))[0][delay:, 0].detach().numpy()
        assert isinstance(utterance.target, SupervisionGraph)
        expected += over_all_paths(utterance.target, rows)
    assert frames == sum(lengths)
    assert loss == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(begin=st.integers(0, 9), length=st.integers(1, 10), seed=st.integers(0, 99))
def test_a_piece_has_the_arcs_of_its_frames(begin: int, length: int, seed: int) -> None:
    graph = random_graph(np.random.default_rng(seed), frames=20, states=4, arcs=12)
    piece = graph.cut(begin, begin + length)
    assert piece.fault(STATES) == "" and len(piece) == length
    for t in range(length):
        of_piece, of_whole = (
            sorted(zip(one.sources[here], one.destinations[here], one.log_probs[here], strict=True))
            for one, here in (
                (piece, (piece.first_frames <= t) & (t <= piece.last_frames)),
                (graph, (graph.first_frames <= begin + t) & (begin + t <= graph.last_frames)),
            )
        )
        assert of_piece == of_whole


def utterances(count: int = 14) -> list[TrainingUtterance]:
    """Each label for four frames, told to the criterion within two frames."""
    rng = np.random.default_rng(1)
    marks = np.random.default_rng(99).normal(size=(STATES, DIM))
    made = []
    for k in range(count):
        labels = rng.integers(0, STATES, rng.integers(2, 5))
        heard = marks[np.repeat(labels, 4)]
        starts = 4 * np.arange(len(labels))
        states = np.arange(len(labels))
        # State j is inside label j - 1: a loop in each, and an arc to each from the one before.
        graph = SupervisionGraph(
            np.concatenate((states, states + 1)).astype(np.int32),
            np.concatenate((states + 1, states + 1)).astype(np.int32),
            np.concatenate((labels, labels)).astype(np.int32),
            np.zeros(2 * len(labels), dtype=np.float32),
            np.concatenate((np.maximum(starts - 2, 0), 0 * starts)).astype(np.int32),
            np.concatenate((starts + 2, 0 * starts + len(heard) - 1)).astype(np.int32),
            np.array([-INFINITY] * len(labels) + [0.0], dtype=np.float32),
            len(heard),
        )
        features = 20 + 3 * (heard + 0.3 * rng.normal(size=heard.shape))
        made.append(TrainingUtterance(f"u{k}", features.astype(np.float32), graph))
    return made


def trainer(directory: Path) -> SyncTrainer:
    directory.mkdir(exist_ok=True)
    options = dataclasses.replace(
        SGD, optimizer="adam", reduction="mean", learning_rate=2e-2, final_learning_rate=1e-2,
        streams=3, chunk=5, epochs=5, held_out_fraction=0.3,
    )  # fmt: skip
    network = dataclasses.replace(NETWORK, layers=1, output_delay=1)
    task = make_task(
        utterances(), network, options, directory, criterion=PathsOfGraph(), progress=False
    )
    return SyncTrainer(task)


def test_a_run_cut_within_utterances_ends_with_the_same_bits(tmp_path: Path) -> None:
    """The criterion's state and parameter go on as the network's do."""
    torch.set_num_threads(1)
    whole = trainer(tmp_path / "whole")
    before = float(whole.run.model.criterion.scale.detach())
    result = whole.train()
    assert result.last is not None and result.last["share"] > 0.5
    assert float(whole.run.model.criterion.scale.detach()) != before
    first = trainer(tmp_path / "cut")
    first.train(max_chunks=7)
    assert first.learner.states.criterion[0].shape[1] > 0
    assert any(position for _, _, position in first.learner.batcher.state()["streams"])
    second = trainer(tmp_path / "cut")
    second.restore()
    assert second.train().last == result.last
    assert torch.equal(second.run.model.criterion.scale, whole.run.model.criterion.scale)
    expected = read_network(result.last_path).tensors
    for name, array in read_network(second.run.last_path).tensors.items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def test_graphs_that_do_not_fit_are_dropped() -> None:
    rng = np.random.default_rng(0)
    good = random_graph(rng, 6, 3, 4)
    changes: dict[str, dict[str, object]] = {
        "good": {},
        "frames": {"output_frames": 7},
        "label": {"labels": good.labels + 3},
        "state": {"sources": good.sources - 1},
        "short": {"log_probs": good.log_probs[1:]},
        "weight": {"log_probs": good.log_probs * np.nan},
    }
    x = np.zeros((6, DIM), dtype=np.float32)
    given = [
        TrainingUtterance(name, x, dataclasses.replace(good, **change))  # type: ignore[arg-type]
        for name, change in changes.items()
    ]
    data = CheckedData.of(
        given, criterion=PathsOfGraph(), input_dim=DIM, outputs=STATES, tolerance=3,
        held_out=[dataclasses.replace(given[0], id="apart")],
    )  # fmt: skip
    assert [one.id for one in data.training] == ["good"]
    assert [line.split(": ")[0] for line in data.dropped] == list(changes)[1:]
    assert data.dropped[0] == "frames: 6 frames of features, a graph of 7"
