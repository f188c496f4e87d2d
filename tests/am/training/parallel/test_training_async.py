"""Asynchronous training by processes that share the parameters."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import recognizer.am.training.parallel.asynchronous
from recognizer.am.nnet.network_file import read_network
from recognizer.am.training.parallel.asynchronous import train_async
from recognizer.am.training.parallel.synchronous import train_synchronously
from recognizer.data.errors import SpeechError
from toy_training import toy_task


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    torch.set_num_threads(1)
    yield


def test_one_worker_is_plain_training(tmp_path: Path) -> None:
    """Also when it is stopped and goes on."""
    alone = train_synchronously(toy_task(tmp_path / "single"))
    task = toy_task(tmp_path / "async", mode="async")
    part = train_async(task, max_frames=alone.frames // 3)
    assert not part.finished and 0 < part.frames < alone.frames
    result = train_async(task)
    assert result.finished and result.frames == alone.frames
    expected = read_network(alone.last_path).tensors
    for name, array in read_network(result.last_path).tensors.items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)
    assert result.last == alone.last
    assert train_async(task) == result


def test_workers_share_the_work_and_learn(tmp_path: Path) -> None:
    task = toy_task(
        tmp_path, mode="async", workers=2, epochs=16, evaluate_frames=4000, checkpoint_seconds=0.2
    )
    result = train_async(task)
    # Every frame of every epoch was counted once, whoever trained on it.
    epochs = result.frames / task.data.frames
    assert result.finished and 15 < epochs < 17
    # Chance is a sixth. How fast it learns depends on how late gradients come.
    assert result.last is not None and result.last["accuracy"] > 0.6
    log = [json.loads(line) for line in (tmp_path / "training.jsonl").read_text().splitlines()]
    assert len(log) >= 2
    assert log[-1]["training_accuracy"] > 0.7


def test_a_dead_worker_is_reported_and_the_run_goes_on_from_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = toy_task(tmp_path, mode="async", workers=2, epochs=2)
    part = train_async(task, max_frames=task.data.frames // 2)
    assert not part.finished
    enter = recognizer.am.training.parallel.asynchronous._Workers.__enter__

    def and_kill(
        workers: recognizer.am.training.parallel.asynchronous._Workers,
    ) -> recognizer.am.training.parallel.asynchronous._Workers:
        enter(workers)
        os.kill(workers._processes[1].pid, signal.SIGKILL)
        return workers

    with monkeypatch.context() as patch:
        patch.setattr(recognizer.am.training.parallel.asynchronous._Workers, "__enter__", and_kill)
        with pytest.raises(SpeechError, match=r"worker 1 died \(exit code -9"):
            train_async(task)
    assert train_async(task).finished


def test_a_worker_that_fails_says_why(tmp_path: Path) -> None:
    task = toy_task(
        tmp_path, mode="async", learning_rate=1e30, final_learning_rate=1e30, max_gradient_norm=0.0
    )
    with pytest.raises(SpeechError, match=r"worker 0: training: the loss is not finite"):
        train_async(task)


def test_another_number_of_workers_is_refused(tmp_path: Path) -> None:
    train_async(toy_task(tmp_path, mode="async"), max_frames=1)
    with pytest.raises(SpeechError, match="checkpoint of 2 workers, found one of 1"):
        train_async(toy_task(tmp_path, mode="async", workers=2))
