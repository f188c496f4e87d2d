"""How far the recognition of files has come, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from recognizer.data.io.console import console

if TYPE_CHECKING:
    from typing_extensions import Self


class RecordingProgress:
    """Bars on standard error, if that is a terminal: of all recordings, and of each long one.

    Args:
        recordings: how many there are.
    """

    def __init__(self, recordings: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[done]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,  # results are printed while the bars are paused
            redirect_stderr=False,
            disable=not console.is_terminal,
        )
        self._recordings = recordings
        self._all = self._progress.add_task(
            "recordings", total=recordings, done=f"0/{recordings}", visible=recordings > 1
        )
        self._finished = 0
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def heard(self, path: str, seconds: float, total: float | None) -> None:
        """Part of a long recording was recognised; any thread may tell.

        Args:
            path: of the recording.
            seconds: of audio that are done.
            total: seconds of the whole recording, if they are known.
        """
        if path not in self._tasks:
            self._tasks[path] = self._progress.add_task(path, total=total, done="")
        done = _clock(seconds) if total is None else f"{_clock(seconds)}/{_clock(total)}"
        self._progress.update(self._tasks[path], completed=seconds, total=total, done=done)

    def finished(self, path: str) -> None:
        """A recording is done."""
        if path in self._tasks:
            self._progress.remove_task(self._tasks.pop(path))
        self._finished += 1
        done = f"{self._finished}/{self._recordings}"
        self._progress.update(self._all, completed=self._finished, done=done)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No bars for the time of a block, so that it may print."""
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()


def _clock(seconds: float) -> str:
    """``H:MM:SS``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
