"""Asynchronous training over machines: several processes on this one, some of which are killed."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from torch.nn.utils import parameters_to_vector

from recognizer.am.nnet.network_file import read_network
from recognizer.am.training.engine.options import ParameterServerOptions
from recognizer.am.training.parallel.ray_shard import ParameterShard, write_shard
from recognizer.data.errors import SpeechError
from toy_training import toy_task

ray = pytest.importorskip("ray", reason="needs Ray: pip install 'recognizer[cluster]'")

import recognizer.am.training.parallel.ray_training  # noqa: E402
from recognizer.am.training.parallel import ray_worker as training_ray_worker  # noqa: E402
from recognizer.am.training.parallel.ray_training import train_on_ray  # noqa: E402
from recognizer.am.training.parallel.synchronous import train_synchronously  # noqa: E402

CLUSTER = ParameterServerOptions(parameter_shards=2, threads=2, report_steps=4, save_updates=5)


def test_a_shard_descends_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    path, values = tmp_path / "0", np.arange(4, dtype=np.float32)
    options = toy_task(tmp_path / "x", mode="ray", cluster=CLUSTER).options
    arguments = (path, options, 1000)
    with pytest.raises(SpeechError, match="0: expected a shard of the parameters"):
        ParameterShard(*arguments)
    write_shard(path, values, 0)
    shard = ParameterShard(*arguments)
    rates = [options.learning_rate_at(10 * k, 1000) for k in range(7)]
    assert [shard.push(np.ones(4, dtype=np.float32), 10, version) for version in (0, 0, 1)] == [
        0, 1, 1,
    ]  # fmt: skip
    for _ in range(4):
        shard.push(np.ones(4, dtype=np.float32), 10, 3)
    updates, now = shard.fetch()
    assert updates == 7
    np.testing.assert_allclose(now, values - sum(rates), rtol=1e-5)
    # Written after 5 updates; the other two are lost.
    again = ParameterShard(*arguments)
    assert again.status()[:2] == (5, 1)
    np.testing.assert_allclose(again.fetch()[1], values - sum(rates[:5]), rtol=1e-5)
    assert again.push(np.zeros(4, dtype=np.float32), 10, 7) == 0
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SpeechError, match="0: expected a shard of the parameters"):
        ParameterShard(*arguments)


def test_one_worker_with_one_thread_is_a_single_process(cluster: None, tmp_path: Path) -> None:
    """Its gradients are never stale, so that the shards' steps are those of plain SGD."""
    one = ParameterServerOptions(parameter_shards=3, threads=1, report_steps=4, save_updates=50)
    task = toy_task(tmp_path / "ray", mode="ray", workers=1, epochs=2, cluster=one)
    found = train_on_ray(task)
    expected = train_synchronously(toy_task(tmp_path / "single", epochs=2))
    assert found.frames == expected.frames
    weights = read_network(found.last_path).tensors
    for name, tensor in read_network(expected.last_path).tensors.items():
        np.testing.assert_allclose(weights[name], tensor, rtol=1e-4, atol=1e-5, err_msg=name)


class _Shard:
    """A parameter shard within the process: it remembers what it is sent."""

    def __init__(self, values: np.ndarray) -> None:
        self.sent: list[tuple[np.ndarray, int]] = []
        self.fetch = SimpleNamespace(remote=lambda: (0, values))
        self.push = SimpleNamespace(remote=self._push)

    def _push(self, piece: np.ndarray, frames: int, version: int) -> int:
        assert version == 0
        self.sent.append((piece.copy(), frames))
        return 0


def test_the_threads_of_a_worker_compute_one_gradient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_ray_worker, "ray", SimpleNamespace(get=lambda x: x))
    options = ParameterServerOptions(parameter_shards=2, threads=3)
    task = toy_task(tmp_path, mode="ray", workers=2, cluster=options, max_gradient_norm=0.0)
    vector = parameters_to_vector(task.make_model().parameters()).detach().numpy()
    shards = [_Shard(values) for values in np.array_split(vector, 2)]
    report = training_ray_worker.Worker(1, task, shards, [None] * 3).run(1)
    expected, frames = np.zeros_like(vector), 0
    for part in (3, 4, 5):  # of the six threads of both workers
        learner = task.part(part, 6).make_learner(task.make_model())
        chunk = learner.next_chunk()
        assert chunk is not None
        result, sums = learner.forward(chunk)
        expected += parameters_to_vector(learner.gradients(result)).numpy()
        frames += sums.frames
    assert report.sums.frames == frames
    assert [shard.sent[0][1] for shard in shards] == [frames, frames]
    found = np.concatenate([shard.sent[0][0] for shard in shards])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(expected).max() > 0.1


def test_it_learns_though_a_worker_and_a_shard_are_killed(
    cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And after the leading process was stopped."""
    settings: dict[str, Any] = {
        "mode": "ray", "workers": 2, "epochs": 15, "evaluate_frames": 3000, "cluster": CLUSTER,
    }  # fmt: skip
    task = toy_task(tmp_path, **settings)
    frames = task.data.frames
    part = train_on_ray(task, max_frames=2 * frames)
    assert not part.finished and part.frames >= 2 * frames
    killed: list[str] = []
    poll = recognizer.am.training.parallel.ray_training._Workers.poll

    def and_kill(workers: Any) -> None:
        poll(workers)
        if not killed:
            shard = workers._servers.status()[1]
            os.kill(shard.pid, signal.SIGKILL)
            killed.append("shard")
        elif killed == ["shard"]:
            ray.kill(workers.handles[0])
            killed.append("worker")

    with monkeypatch.context() as patch:
        patch.setattr(recognizer.am.training.parallel.ray_training._Workers, "poll", and_kill)
        result = train_on_ray(task)
    assert killed == ["shard", "worker"]
    assert result.finished and result.last is not None
    assert 14 < result.frames / frames < 17
    # Chance is a sixth. How fast it learns depends on how late gradients come.
    assert result.last["accuracy"] > 0.6
    log = [json.loads(line) for line in (tmp_path / "training.jsonl").read_text().splitlines()]
    assert log[-1]["worker_restarts"] == 1
    assert log[-1]["shard_restarts"] == 1
    assert max(entry["staleness_max"] for entry in log) >= 1
    assert train_on_ray(task) == result


def test_too_few_processors_are_said(
    cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(
        recognizer.am.training.parallel.ray_training.TrainingRun,
        "say",
        lambda _, text: said.append(text),
    )
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 3.0})
    train_on_ray(toy_task(tmp_path, mode="ray", workers=2, epochs=1, cluster=CLUSTER))
    assert said[0].startswith("the cluster has 3 processors and the workers ask for 4: some wait")


def test_what_goes_wrong_in_a_worker_is_said(cluster: None, tmp_path: Path) -> None:
    task = toy_task(
        tmp_path, mode="ray", cluster=CLUSTER, learning_rate=1e30, final_learning_rate=1e30,
        max_gradient_norm=0.0,
    )  # fmt: skip
    with pytest.raises(SpeechError, match="the loss is not finite"):
        train_on_ray(task)


def test_a_shard_that_cannot_begin_is_an_error(
    cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        recognizer.am.training.parallel.ray_training, "write_shard", lambda *_: None
    )
    with pytest.raises(SpeechError, match=r"a shard cannot go on: .*[01]\.safetensors: expected"):
        train_on_ray(toy_task(tmp_path, mode="ray", cluster=CLUSTER))
