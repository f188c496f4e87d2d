"""Processes at work together: their answers, and their end when nobody is left to want them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from descendants import marked_environment, marked_processes, wait_until
from places import HELPERS, ROOT
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.parallel.processes import PREFETCHED, prefetch_map, process_map

PROGRAM = HELPERS / "long_work.py"


def square(number: int) -> int:
    return number * number


def die(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("jobs", [1, 2])
def test_answers_come_in_order(jobs: int) -> None:
    assert list(process_map(square, range(5), jobs, "squares")) == [0, 1, 4, 9, 16]


@pytest.mark.parametrize("processes", [1, 2])
def test_answers_are_made_ahead_of_endless_items(processes: int) -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in count():
            taken.append(number)
            yield number

    answers = prefetch_map(square, items(), processes, "squares")
    assert [next(answers) for _ in range(30)] == [number * number for number in range(30)]
    assert len(taken) == 30 + PREFETCHED * processes - 1
    answers.close()


def test_closing_one_leaves_the_processes_of_another() -> None:
    first = prefetch_map(str, count(), 1, "numbers")
    assert next(first) == "0"
    second = prefetch_map(str, count(), 1, "numbers")
    assert next(second) == "0"
    first.close()
    assert [next(second) for _ in range(40)] == [str(number) for number in range(1, 41)]
    second.close()


def test_what_goes_wrong_is_said() -> None:
    with pytest.raises(UsageError, match="jobs: expected at least 1, found 0"):
        list(process_map(square, [1], 0, "squares"))
    with pytest.raises(SpeechError, match="dying: a process has died"):
        list(process_map(die, [1, 2], 2, "dying"))
    with pytest.raises(SpeechError, match="dying: a process has died"):
        next(prefetch_map(die, count(), 1, "dying"))


def _without_agents(processes: set[int]) -> set[int]:
    """Those that work for us: Ray's two agents of a machine may outlive its other processes."""
    agents = ("ray::DashboardA", "ray::RuntimeEnv")  # the system keeps 15 letters of a name
    left = set()
    for process in processes:
        try:
            name = Path(f"/proc/{process}/comm").read_text().strip()
        except OSError:
            continue  # has just ended
        if name not in agents:
            left.add(process)
    return left


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")
@pytest.mark.parametrize("kind", ["processes", "async", "ddp", "ray"])
def test_processes_end_when_their_parent_is_killed(kind: str, tmp_path: Path) -> None:
    """With SIGKILL, of which the parent can tell them nothing."""
    if kind != "processes":
        pytest.importorskip("torch", reason="training needs torch")
    if kind == "ray":
        pytest.importorskip("ray", reason="needs Ray")
    mark, environment = marked_environment()
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    parent = subprocess.Popen(
        [sys.executable, *(launcher if kind == "ddp" else []), str(PROGRAM), kind, str(tmp_path)],
        env={
            **environment,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(HELPERS), str(HELPERS / "am")]),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert wait_until(lambda: (tmp_path / "begun").exists() or parent.poll() is not None)
        assert parent.poll() is None
        assert len(marked_processes(mark)) > 2
        parent.kill()
        parent.wait()
        assert wait_until(lambda: not _without_agents(marked_processes(mark)), 60.0)
    finally:
        for process in marked_processes(mark):
            os.kill(process, signal.SIGKILL)
