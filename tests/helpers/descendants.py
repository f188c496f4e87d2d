"""Finds the processes that a program has started, however far from it they have gone."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path

MARK = "RECOGNIZER_TEST_MARK"


def marked_environment() -> tuple[str, dict[str, str]]:
    """An environment whose mark all descendants inherit, and the mark."""
    mark = uuid.uuid4().hex
    return mark, {**os.environ, MARK: mark}


def marked_processes(mark: str) -> set[int]:
    """Processes with the mark that are alive (Linux)."""
    wanted = f"{MARK}={mark}".encode()
    found = set()
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit():
            continue
        try:
            # A zombie has no environment left.
            if wanted in (directory / "environ").read_bytes().split(b"\0"):
                found.add(int(directory.name))
        except OSError:
            continue
    return found


def wait_until(reached: Callable[[], bool], seconds: float = 90.0) -> bool:
    """Whether it came to that in time."""
    end = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
