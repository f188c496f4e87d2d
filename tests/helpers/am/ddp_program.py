"""What torchrun starts in test_training_ddp: ``ddp_program.py DIRECTORY``.

Trains the toy task in DIRECTORY/whole, in DIRECTORY/cut in two pieces, and in DIRECTORY/patient
until held-out accuracy fails to improve.
"""

from __future__ import annotations

import sys
from pathlib import Path

from torch import distributed

from recognizer.am.training.parallel.ddp import ProcessGroup, follow, lead, process_group
from recognizer.am.training.parallel.synchronous import SyncTrainer
from recognizer.am.training.train import TrainingOptions
from toy_training import toy_task


def main(directory: Path) -> None:
    settings = {"mode": "ddp", "epochs": 8, "dropout": 0.1, "average_frames": 200}
    with process_group(TrainingOptions(**settings)) as leads:
        if leads:
            directory.mkdir(exist_ok=True)
        distributed.barrier()
        SyncTrainer(toy_task(directory / "cut", **settings), ProcessGroup()).train(max_chunks=11)
        if leads:
            assert not (directory / "cut" / "last.safetensors").exists()
            for name in ("whole", "cut"):
                print(lead(toy_task(directory / name, **settings)))
            patience = {"epochs": 1000, "patience": 1, "learning_rate": 2e-2}
            print(lead(toy_task(directory / "patient", **settings | patience)))
        else:
            follow()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
