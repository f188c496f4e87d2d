"""A training that is killed at any point and started again ends with the same bits."""

from __future__ import annotations

import os
import subprocess
import sys

from places import HELPERS, ROOT

PROGRAM = HELPERS / "am" / "killed_training.py"


def test_killed_at_random_points() -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--points", "5"],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("killed 5 times")
    assert done.stdout.endswith("the same bits\n")
