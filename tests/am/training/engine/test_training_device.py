"""The device of training: what is asked for and cannot be, and the same on a GPU as on the CPU."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from chunks import labelled_chunk
from network_kinds import INPUTS, KINDS, OUTPUTS, make_module
from recognizer.am.nnet.network_file import read_network
from recognizer.am.torch.network_module import NetworkModule
from recognizer.am.training.criteria.criterion import ChunkTargets
from recognizer.am.training.criteria.ctc import Ctc
from recognizer.am.training.criteria.targets import TokenSequence
from recognizer.am.training.data.batching import Chunk
from recognizer.am.training.engine.runtime import training_device
from recognizer.am.training.parallel.synchronous import SyncTrainer
from recognizer.am.training.train import CrossEntropy, Objective, TrainingOptions
from recognizer.data.errors import SpeechError, UsageError
from toy_training import toy_task

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")


@pytest.mark.parametrize("device", ["", "gpu", "cuda:", "cuda:x", "cpu:0", "cuda:1 "])
def test_devices_that_are_none(device: str) -> None:
    with pytest.raises(UsageError, match="device: expected cpu, cuda or cuda:N, found"):
        TrainingOptions(device=device)


def test_devices_that_a_mode_does_not_have() -> None:
    for mode in ("async", "ray"):
        with pytest.raises(UsageError, match=f'device: expected cpu in mode "{mode}", found .cuda'):
            TrainingOptions(mode=mode, optimizer="sgd", device="cuda")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r'expected cpu or cuda in mode "ddp"'):
        TrainingOptions(mode="ddp", device="cuda:1")
    TrainingOptions(mode="ddp", device="cuda")


def test_a_gpu_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SpeechError, match="device cuda: torch finds no GPU that it can use"):
        SyncTrainer(toy_task(tmp_path, device="cuda"))
    assert training_device(TrainingOptions()) == torch.device("cpu")


def test_each_process_of_a_group_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert training_device(TrainingOptions(mode="ddp", device="cuda")) == torch.device("cuda", 1)
    assert training_device(TrainingOptions(device="cuda")) == torch.device("cuda", 0)
    assert training_device(TrainingOptions(device="cuda:1")) == torch.device("cuda", 1)
    with pytest.raises(SpeechError, match="device cuda:2: torch finds 2 GPUs only"):
        training_device(TrainingOptions(device="cuda:2"))


def loss_and_gradients(objective: Objective, chunk: Chunk) -> tuple[float, list[np.ndarray]]:
    result, states = objective(chunk, objective.initial_states(len(chunk.fresh)))
    result, _ = objective(dataclasses.replace(chunk, fresh=~chunk.fresh), states)
    objective.zero_grad()
    result.loss.backward()
    gradients = [p.grad for p in objective.parameters()]
    return result.loss.item(), [g.cpu().numpy() for g in gradients if g is not None]


def close(one: tuple[float, list[np.ndarray]], other: tuple[float, list[np.ndarray]]) -> None:
    assert one[0] == pytest.approx(other[0], rel=1e-4)
    for a, b in zip(one[1], other[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def on_gpu(network: NetworkModule) -> NetworkModule:
    return network.to("cuda")


@needs_gpu
@pytest.mark.parametrize("kind", KINDS)
def test_cross_entropy_on_a_gpu_is_that_on_the_cpu(kind: str) -> None:
    rng = np.random.default_rng(0)
    features = (3 + rng.normal(size=(7, 3, INPUTS))).astype(np.float32)
    labels = rng.integers(0, OUTPUTS, (7, 3))
    labels[4:, 1] = -1
    chunk = labelled_chunk(features, labels)
    cpu, gpu = make_module(kind), on_gpu(make_module(kind))
    close(
        loss_and_gradients(Objective(gpu, CrossEntropy()), chunk),
        loss_and_gradients(Objective(cpu, CrossEntropy()), chunk),
    )
    for name, array in gpu.to_network().tensors.items():
        np.testing.assert_array_equal(array, cpu.to_network().tensors[name])


@needs_gpu
def test_ctc_on_a_gpu_is_that_on_the_cpu() -> None:
    rng = np.random.default_rng(0)
    features = (3 + rng.normal(size=(9, 2, INPUTS))).astype(np.float32)
    mask = np.ones((9, 2), dtype=np.bool_)
    mask[:2], mask[6:, 1] = False, False
    flags = np.ones(2, dtype=np.bool_)
    tokens = [TokenSequence(np.array(one, np.int32)) for one in ([3, 4, 4], [7])]
    targets = ChunkTargets([*tokens], mask, flags, flags)
    chunk = Chunk(features, np.array([9, 6]), flags, targets, 0)
    close(
        loss_and_gradients(Objective(on_gpu(make_module("lstmp")), Ctc()), chunk),
        loss_and_gradients(Objective(make_module("lstmp"), Ctc()), chunk),
    )


@needs_gpu
def test_a_training_on_a_gpu_learns_and_goes_on(tmp_path: Path) -> None:
    settings = {
        "device": "cuda", "optimizer": "adam", "reduction": "mean", "learning_rate": 2e-2,
        "epochs": 12, "dropout": 0.1, "average_frames": 300,
    }  # fmt: skip
    whole = SyncTrainer(toy_task(tmp_path / "whole", **settings)).train()
    assert whole.finished and whole.last is not None and whole.last["accuracy"] > 0.8
    assert not SyncTrainer(toy_task(tmp_path / "cut", **settings)).train(max_chunks=9).finished
    again = SyncTrainer(toy_task(tmp_path / "cut", **settings))
    again.restore()
    result = again.train()
    expected = read_network(whole.last_path).tensors
    for name, array in read_network(result.last_path).tensors.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-2, atol=1e-3, err_msg=name)
