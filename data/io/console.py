"""The console for progress and warnings: standard error, so that results stay alone on output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

console = Console(stderr=True)


@contextmanager
def progress_bar(label: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error, if that is a terminal; yields what to call for each step."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,  # it goes on to a file, or another program
        disable=not console.is_terminal,  # else it would leave an empty line in every log
    )
    with bar as progress:
        task = progress.add_task(label, total=total)
        yield lambda: progress.advance(task)
