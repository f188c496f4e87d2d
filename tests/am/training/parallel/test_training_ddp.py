"""Synchronous data parallel training by several processes that torchrun starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from places import HELPERS, ROOT
from recognizer.am.nnet.network_file import read_network
from recognizer.am.training.engine.curves import read_curve
from recognizer.am.training.parallel.synchronous import SyncTrainer
from recognizer.am.training.train import TrainingOptions, train
from recognizer.data.errors import UsageError
from toy_training import NETWORK, make_utterances, toy_task

PROGRAM = HELPERS / "am" / "ddp_program.py"


def test_two_processes_learn_and_go_on_with_the_same_bits(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
            str(PROGRAM), str(tmp_path / "runs"),
        ],
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(PROGRAM.parent)]),
        },
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert done.stdout.count("finished=True") == 3
    whole, cut = (
        read_network(tmp_path / "runs" / name / "last.safetensors") for name in ("whole", "cut")
    )
    for name, array in whole.tensors.items():
        np.testing.assert_array_equal(cut.tensors[name], array, err_msg=name)
    assert whole.metadata["training"] == cut.metadata["training"]
    assert whole.metadata["training"]["held_out"]["accuracy"] > 0.5
    # The last measurement, after which it ended, was the only one to be no better.
    judged = [entry["held_out_accuracy"] for entry in read_curve(tmp_path / "runs" / "patient")]
    assert 2 <= len(judged) < 1000
    assert judged[-1] <= judged[-2] == max(judged)


class _Two:
    """The group as one of two processes sees it whose fellow has the same data and gradients."""

    rank, size = 0, 2

    def prepare(self, learner: object) -> None: ...

    def add(self, values: list[float]) -> list[float]:
        return [2 * value for value in values]

    def gather(self, value: object) -> list[object]:
        raise NotImplementedError

    def scatter(self, values: list[object] | None) -> object:
        raise NotImplementedError


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_step_is_that_of_all_chunks_together(tmp_path: Path, reduction: str) -> None:
    """The sum of the losses of both, or their mean over the frames of both."""
    task = toy_task(tmp_path, reduction=reduction, max_gradient_norm=0.0)
    trainer = SyncTrainer(task, _Two())
    alone = SyncTrainer(task)
    alone.learner = trainer.task.make_learner(alone.run.model)
    alone.learner.batcher._utterances = task.data.training[::2]
    alone.learner.batcher._order = trainer.learner.batcher._order
    before = [p.detach().clone() for p in trainer.parameters]
    for one in (trainer, alone):
        one._step(save=False, stop=False, impatient=False)
    factor = 2 if reduction == "sum" else 1
    for old, both, one in zip(before, trainer.parameters, alone.parameters, strict=True):
        torch.testing.assert_close(both - old, factor * (one - old), rtol=1e-4, atol=1e-7)


def test_torchrun_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="started by torchrun"):
        train(make_utterances(), NETWORK, TrainingOptions(mode="ddp"), tmp_path)
