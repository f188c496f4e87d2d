"""Layered networks in training: running statistics are carried, averaged, saved and shared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from recognizer.am.nnet.layers import LstmpOptions, TdnnOptions
from recognizer.am.nnet.network_file import read_network
from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.torch.networks import from_network
from recognizer.am.training.parallel.asynchronous import train_async
from recognizer.am.training.parallel.synchronous import SyncTrainer, train_synchronously
from recognizer.am.training.train import TrainingOptions, evaluate
from recognizer.data.errors import UsageError
from toy_training import DIM, STATES, toy_task

LAYERED = NetworkOptions(
    kind="layered",
    layers=(
        TdnnOptions(units=16, left=1, right=1),
        TdnnOptions(units=16, bottleneck=6, left=1, right=1, bypass=0.66),
        LstmpOptions(cells=12, projection=8),
    ),
    outputs=STATES,
    input_dim=DIM,
)
OPTIONS = TrainingOptions(
    epochs=4,
    streams=4,
    learning_rate=1e-2,
    final_learning_rate=2e-3,
    initial_range=0.3,
    held_out_fraction=0.2,
    dropout=0.1,
    average_frames=500,
    evaluate_frames=700,
    threads=1,
    tensorboard=False,
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def run(directory: Path) -> SyncTrainer:
    return SyncTrainer(toy_task(directory, OPTIONS, LAYERED))


def test_a_resumed_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    assert run(tmp_path / "whole").train().finished
    cut = tmp_path / "cut"
    assert not run(cut).train(max_chunks=13).finished
    again = run(cut)
    again.restore()
    again.train(max_chunks=9)
    last = run(cut)
    last.restore()
    assert last.train().finished
    for name in ("last.safetensors", "best.safetensors"):
        ours, expected = (read_network(tmp_path / d / name).tensors for d in ("cut", "whole"))
        assert ours.keys() == expected.keys()
        for key, array in expected.items():
            np.testing.assert_array_equal(ours[key], array, err_msg=key)


def test_a_network_learns_and_its_file_does_what_was_measured(tmp_path: Path) -> None:
    trainer = run(tmp_path)
    result = trainer.train()
    assert result.last is not None and result.last["accuracy"] > 0.7
    task = trainer.task
    model = task.make_model()
    model.network = from_network(read_network(result.last_path))
    again = evaluate(model, task.data.held_out)
    assert again.loss == pytest.approx(result.last.loss, abs=1e-4)


def test_processes_that_share_parameters_share_statistics(tmp_path: Path) -> None:
    """One worker does what a single process does; the leader measures with its statistics."""
    alone = train_synchronously(toy_task(tmp_path / "single", network=LAYERED))
    shared = train_async(toy_task(tmp_path / "async", network=LAYERED, mode="async"))
    expected = read_network(alone.last_path).tensors
    for name, array in read_network(shared.last_path).tensors.items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)
    assert shared.last == alone.last


def test_factors_stay_semi_orthogonal(tmp_path: Path) -> None:
    trainer = run(tmp_path)
    trainer.train()
    factor = trainer.run.model.network.get_parameter("layers.1.linear")
    products = factor @ factor.t()
    scaled = products / products.trace() * len(products)
    assert (scaled - torch.eye(len(products))).abs().max() < 0.05


@pytest.mark.parametrize("mode", ["single", "async"])
def test_dropout_follows_its_schedule(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The networks that a schedule makes are those of the dropout that it gives at each step."""
    plain = toy_task(tmp_path / "plain", network=LAYERED, dropout=0.2, mode=mode)
    schedule = toy_task(tmp_path / "same", network=LAYERED, dropout="0.2,0.2@0.5,0.2", mode=mode)
    late = toy_task(tmp_path / "late", network=LAYERED, dropout="0,0@0.5,0.4@0.5,0", mode=mode)
    train = train_async if mode == "async" else train_synchronously
    one, two, three = (read_network(train(task).last_path) for task in (plain, schedule, late))
    for name, array in one.tensors.items():
        np.testing.assert_array_equal(two.tensors[name], array)
    assert not np.array_equal(one.tensors["output.weight"], three.tensors["output.weight"])
    if mode == "single":
        seen = []
        trainer = SyncTrainer(late)
        forward = trainer.learner.forward
        monkeypatch.setattr(
            trainer.learner,
            "forward",
            lambda chunk: seen.append(trainer.run.model.network.dropout) or forward(chunk),
        )
        trainer.train()
        half = len(seen) // 2
        assert set(seen[: half - 2]) == {0.0} and max(seen) > 0.35
        assert seen[half + 2 :] == sorted(seen[half + 2 :], reverse=True) and seen[-1] < 0.1


def test_parameter_servers_hold_no_statistics(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs Ray: pip install 'recognizer[cluster]'")
    from recognizer.am.training.parallel.ray_training import train_on_ray

    with pytest.raises(UsageError, match='kind: expected lstm or dnn in mode "ray", found layered'):
        train_on_ray(toy_task(tmp_path, network=LAYERED, mode="ray"))
