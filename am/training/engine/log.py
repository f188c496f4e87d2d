"""What a training run tells: a log of its measurements and a live progress bar."""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    track,
)

from recognizer.data.io.console import EndColumn
from recognizer.data.io.files import replace_text

Item = TypeVar("Item")


class TrainingLog:
    """Measurements on the held-out part: JSON lines, and event files for TensorBoard.

    Args:
        directory: of ``training.jsonl`` and ``tensorboard/``.
        keep_frames: what was measured after more frames (by a run that this one resumes from
            before) is removed.
        tensorboard: write event files too, if the package is installed.
    """

    def __init__(self, directory: Path, *, keep_frames: int, tensorboard: bool) -> None:
        self._path = path = directory / "training.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        kept = [line for line in lines if _frames(line) <= keep_frames] if keep_frames else []
        with replace_text(path) as file:
            file.writelines(line + "\n" for line in kept)
        self._events: Any = None
        if tensorboard and importlib.util.find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            # TensorBoard hides what an earlier file says about this step and later ones.
            self._events = SummaryWriter(str(directory / "tensorboard"), purge_step=keep_frames + 1)

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(self, *_: object) -> None:
        if self._events is not None:
            self._events.close()

    def write(self, entry: dict[str, Any]) -> None:
        """Append one measurement, numbers by name, "frames" among them."""
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        if self._events is not None:
            for name, value in entry.items():
                if name != "frames":
                    self._events.add_scalar(name, value, entry["frames"])
            self._events.flush()


def _frames(line: str) -> float:
    try:
        return float(json.loads(line)["frames"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


SHARES = ("accuracy", "share")
"""What names of measures end with that are shares of one, and read as percentages."""


def readable(measures: Mapping[str, float]) -> str:
    """A criterion's measures for people; those whose names say so are shares of one."""
    return "  ".join(
        f"{name.replace('_', ' ')} " + (f"{value:.2%}" if name.endswith(SHARES) else f"{value:.4f}")
        for name, value in measures.items()
    )


def checking(items: Iterable[Item], *, enabled: bool) -> Iterable[Item]:
    """The same items, counted on standard error while they are gone through."""
    console = Console(stderr=True)
    return track(
        items, "checking features and targets", console=console, transient=True,
        disable=not (enabled and console.is_terminal),
    )  # fmt: skip


class TrainingProgress:
    """Bar on standard error: share of the planned frames, frames/s, and the criterion's measures.

    Where standard error is no terminal only the measurements are printed, a line each.

    Args:
        planned_frames: to train on.
        at_most: training may end before (by patience).
        enabled: whether anything is shown.
    """

    def __init__(self, planned_frames: int, *, at_most: bool = False, enabled: bool) -> None:
        self._enabled = enabled
        self._console = Console(stderr=True)
        self._live = enabled and self._console.is_terminal
        share = "{task.percentage:5.1f} % of " + ("at most " if at_most else "")
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            TextColumn(share + "{task.total:,.0f} frames"),
            TextColumn("{task.fields[speed]:,.0f} frames/s"),
            TextColumn("{task.fields[measures]}"),
            TimeElapsedColumn(),
            EndColumn(),
            console=self._console,
            disable=not self._live,
        )
        self._task = self._bar.add_task("", total=planned_frames, epoch=1, speed=0.0, measures="")
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
        self, frames: int, *, epoch: int, speed: float, measures: Mapping[str, float]
    ) -> None:
        """Show how far training has come, at most four times a second."""
        now = time.monotonic()
        if self._live and now - self._drawn >= 0.25:
            self._drawn = now
            self._bar.update(
                self._task, completed=frames, epoch=epoch + 1, speed=speed,
                measures=readable(measures),
            )  # fmt: skip

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        if self._enabled:
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)
