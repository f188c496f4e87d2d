"""The server in a process of its own, and what it takes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

COMMAND = [sys.executable, "-c", "from recognizer.cli.main import main; main()", "serve"]
_DRAIN_SECONDS = 60.0
_MB = 1e6


@dataclass
class ServerProcess:
    """A server that listens."""

    pid: int
    port: int
    lines: list[str] = field(default_factory=list)

    def memory_mb(self) -> float:
        """Memory of its own now, in MB (10^6 bytes), without the pages of the model's files."""
        return self._status("RssAnon")

    def resident_mb(self) -> float:
        """All resident memory now, in MB."""
        return self._status("VmRSS")

    def _status(self, name: str) -> float:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024 / _MB
        raise SystemExit("the server has ended")

    def processor_seconds(self) -> float:
        """Processor time of the process so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self) -> int:
        """Open file descriptors, connections among them."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


@contextmanager
def serving(*options: str) -> Iterator[ServerProcess]:
    """Run the server for the block; ends the benchmark if it does not start or end well."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *options], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line.rstrip())
        if listening := re.search(r"listening on http://.*:(\d+)$", line):
            break
    else:
        raise SystemExit(f"the server does not start: {' '.join(lines)}")
    stderr = process.stderr
    reader = threading.Thread(target=lambda: lines.extend(stderr), daemon=True)
    reader.start()
    try:
        yield ServerProcess(process.pid, int(listening[1]), lines)
        process.send_signal(signal.SIGTERM)
        if process.wait(_DRAIN_SECONDS):
            raise SystemExit(f"the server ended with {process.returncode}: {' '.join(lines)}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        reader.join()
        stderr.close()


def options_of(values: Sequence[tuple[str, object]]) -> list[str]:
    """Options of the command line."""
    return [text for name, value in values for text in (f"--{name}", str(value))]
