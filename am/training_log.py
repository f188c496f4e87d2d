"""What a training run tells: a JSON-lines log and a live progress bar."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class TrainingLog:
    """Append-only JSON lines, one for each measurement on the held-out part."""

    def __init__(self, path: Path, *, keep_frames: int) -> None:
        """Open; lines beyond ``keep_frames`` frames (a run resumed from before) are removed."""
        lines = path.read_text().splitlines() if path.exists() else []
        kept = [line for line in lines if _frames(line) <= keep_frames] if keep_frames else []
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_text("".join(line + "\n" for line in kept))
        temporary.replace(path)
        self._path = path

    def write(self, entry: dict[str, Any]) -> None:
        """Append one entry."""
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")


def _frames(line: str) -> float:
    try:
        return float(json.loads(line)["frames"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


class TrainingProgress:
    """Bar on standard error: share of the planned frames, frames/s, loss and frame accuracy.

    Where standard error is no terminal only the measurements are printed, a line each.
    """

    def __init__(self, planned_frames: int, *, enabled: bool) -> None:
        self._enabled = enabled
        self._console = Console(stderr=True)
        self._live = enabled and self._console.is_terminal
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            TextColumn("{task.percentage:5.1f} %"),
            TextColumn("{task.fields[speed]:,.0f} frames/s"),
            TextColumn("loss {task.fields[loss]:.3f}"),
            TextColumn("accuracy {task.fields[accuracy]:.1%}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._live,
        )
        self._task = self._bar.add_task(
            "", total=planned_frames, epoch=1, speed=0.0, loss=0.0, accuracy=0.0
        )
        self._drawn = 0.0

    def __enter__(self) -> TrainingProgress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def update(
        self, frames: int, *, epoch: int, speed: float, loss: float, accuracy: float
    ) -> None:
        """Show the place reached, at most four times a second."""
        now = time.monotonic()
        if self._live and now - self._drawn >= 0.25:
            self._drawn = now
            self._bar.update(
                self._task, completed=frames, epoch=epoch + 1, speed=speed, loss=loss,
                accuracy=accuracy,
            )  # fmt: skip

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        if self._enabled:
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)
