"""Kills a training with SIGKILL again and again: it must end with the same bits.

    PYTHONPATH=. python tests/helpers/am/killed_training.py --points 20

Trains the toy task once undisturbed. Then the same anew, in a process that is killed after a
random time (drawn with --seed) and started again, until it has been killed that often; a run that
comes to its end before is compared and a new one begun. Every file that training leaves must be
the same, save for the measured times in the log and the checkpoint.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from recognizer.am.nnet.network_file import read_network
from recognizer.am.training.engine.options import AugmentOptions
from recognizer.am.training.parallel.synchronous import train_synchronously
from toy_training import NETWORK, SGD, toy_task


def train(directory: Path) -> None:
    """The toy task with everything that has a state; checkpoints all the time."""
    network = dataclasses.replace(NETWORK, mean_window=30, mean_prior=10)
    task = toy_task(
        directory, SGD, network, optimizer="adam", reduction="mean", learning_rate=5e-3,
        final_learning_rate=1e-3, dropout=0.1, average_frames=500, evaluate_frames=500,
        augment=AugmentOptions(gain_std=0.1), checkpoint_seconds=0.002,
    )  # fmt: skip
    train_synchronously(task)


def killed(directory: Path, seconds: float | None) -> bool:
    """Train in a process of its own for so long; whether it was killed before its end."""
    child = os.fork()
    if child == 0:
        try:
            train(directory)
        except BaseException as error:
            print(f"training failed: {error!r}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit("training failed after it had been killed")
    return os.WIFSIGNALED(status)


def content(directory: Path) -> dict[str, Any]:
    """All that a finished run has left, without times."""
    found: dict[str, Any] = {}
    for name in ("best", "last"):
        network = read_network(directory / f"{name}.safetensors")
        found[name] = {key: array.tobytes() for key, array in network.tensors.items()}
        found[f"{name} metadata"] = network.metadata
    with safe_open(directory / "checkpoint.safetensors", framework="numpy") as file:
        names = list(file.keys())
        found["checkpoint"] = {key: file.get_tensor(key).tobytes() for key in names}
        found["progress"] = json.loads(file.metadata()["progress"])
        del found["progress"]["seconds"]
    found["log"] = [
        {
            key: value
            for key, value in json.loads(line).items()
            if key not in ("seconds", "frames_per_second")
        }
        for line in (directory / "training.jsonl").read_text().splitlines()
    ]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=20, help="how often to kill")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        began = time.monotonic()
        killed(root / "whole", None)
        longest = time.monotonic() - began
        expected = content(root / "whole")
        points, runs = 0, 0
        while points < options.points:
            runs += 1
            directory = root / f"killed-{runs}"
            while killed(directory, draw.uniform(0.0, longest)):
                points += 1
                if points == options.points:
                    killed(directory, None)
                    break
            found = content(directory)
            for key, value in expected.items():
                if found[key] != value:
                    raise SystemExit(f"run {runs}: {key} differs after {points} kills")
    print(f"killed {points} times in {runs} runs: the same bits")


if __name__ == "__main__":
    main()
