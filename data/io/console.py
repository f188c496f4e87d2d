"""The console for progress and warnings: standard error, so that results stay alone on output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

console = Console(stderr=True, soft_wrap=True)  # a message is one line of a log, however long


def end_of(seconds: float) -> str:
    """When work of so many seconds will be done, by the clock: ``ends 17:42 (0:25:10)``."""
    end = datetime.now() + timedelta(seconds=seconds)
    return f"ends {end:%H:%M} ({timedelta(seconds=int(seconds))})"


class EndColumn(ProgressColumn):
    """When the work will be done at its present speed."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """The text of one bar; empty until its speed is known."""
        left = task.time_remaining
        if left is None or task.finished:
            return Text("")
        return Text(end_of(left), style="progress.remaining")


@contextmanager
def progress_bar(label: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error, if that is a terminal; yields what to call for each step."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(
        *columns,
        EndColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,  # it goes on to a file, or another program
        disable=not console.is_terminal,  # else it would leave an empty line in every log
    )
    with bar as progress:
        task = progress.add_task(label, total=total)
        yield lambda: progress.advance(task)
