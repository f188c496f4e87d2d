"""Seconds and peak memory of a command in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# The most memory that Linux says a process had counts that of the one it was started by, until it
# began with its own program. So a small process stands between, which imports nothing.
_LAUNCHER = """
import os, sys, time
if sys.argv[2]:
    os.sched_setaffinity(0, {int(sys.argv[2])})
begin = time.perf_counter()
child = os.posix_spawnp(sys.argv[3], sys.argv[3:], os.environ)
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - begin
processor = usage.ru_utime + usage.ru_stime
found = f"[{os.waitstatus_to_exitcode(status)}, {seconds}, {processor}, {usage.ru_maxrss}]"
os.write(int(sys.argv[1]), found.encode())
"""


def measured(
    command: Sequence[str], *, core: int | None = None, cwd: Path | None = None
) -> dict[str, Any]:
    """What a command takes; what it says on standard error is seen. Ends the benchmark if it fails.

    Args:
        command: program and arguments.
        core: where alone it runs; None for wherever the system likes.
        cwd: its working directory.

    Returns:
        `seconds` and `processor_seconds`, to hundredths; `peak_memory_mb`, in MB (10^6 bytes).
    """
    read, write = os.pipe()
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(write)]
    launcher += ["" if core is None else str(core), *command]
    with os.fdopen(read, "rb") as found:
        launched = subprocess.run(launcher, stdout=subprocess.DEVNULL, pass_fds=[write], cwd=cwd)
        os.close(write)
        if launched.returncode:
            raise SystemExit(f"{command[0]}: cannot be started")
        status, seconds, processor_seconds, kilobytes = json.loads(found.read())
    if status:
        raise SystemExit(f"{command[0]}: failed with status {status}")
    return {
        "seconds": round(seconds, 2),
        "processor_seconds": round(processor_seconds, 2),
        "peak_memory_mb": round(kilobytes * 1024 / 1e6),
    }
