"""Progress of commands on language models: bars on standard error, where that is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_LINES_PER_STEP = 4096
_PACKED = (".gz", ".xz", ".zst")


@contextmanager
def reading(
    label: str, texts: Sequence[str], *, unknown_words: bool = False
) -> Iterator[Iterator[str]]:
    """The sentences of all texts; a bar shows how much is read, where files' sizes tell it."""
    from recognizer.data.errors import SpeechError
    from recognizer.lm.text.text_files import read_sentences

    plain = all(Path(text).is_file() and not text.endswith(_PACKED) for text in texts)
    size = sum(Path(text).stat().st_size for text in texts) if plain else None
    with bar(label, size) as advance:

        def lines() -> Iterator[str]:
            number = read = 0
            for text in texts:
                for line in read_sentences(text, unknown_words=unknown_words):
                    number += 1
                    read += len(line.encode()) + 1
                    if number % _LINES_PER_STEP == 0:
                        advance(read)
                        read = 0
                    yield line
            advance(read)
            if not number:
                raise SpeechError(f"{', '.join(texts)}: expected sentences, found none")

        yield lines()


@contextmanager
def working(label: str) -> Iterator[None]:
    """Shows that something is under way that does not tell how far it is."""
    with bar(label, None):
        yield


@contextmanager
def bar(label: str, size: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, if that is a terminal; yields what takes the bytes that were read.

    Without a size it shows movement, and the time that it has taken.
    """
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    from recognizer.data.io.console import console

    columns = [TextColumn("{task.description}", markup=False), BarColumn()]
    if size is not None:
        columns.append(DownloadColumn())
    progress = Progress(
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with progress:
        task = progress.add_task(label, total=size)
        yield lambda count: progress.advance(task, count)


@contextmanager
def counting_words(total: int, done: int) -> Iterator[Callable[[int], None]]:
    """A bar of words on standard error, if that is a terminal; yields what takes how many more."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from recognizer.data.io.console import console

    progress = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with progress:
        task = progress.add_task("words", total=total, completed=done)
        yield lambda words: progress.advance(task, words)


@contextmanager
def stages() -> Iterator[Callable[[str, int, int | None], None]]:
    """Bars on standard error, if that is a terminal, one for each stage of some work.

    Yields what takes a stage's name, the amount done since the last call, and the total if known.
    """
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    from recognizer.data.io.console import console

    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    tasks: dict[str, TaskID] = {}
    with progress:

        def advance(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                for task in tasks.values():
                    progress.stop_task(task)
                tasks[stage] = progress.add_task(stage, total=total)
            progress.advance(tasks[stage], done)

        yield advance
