"""Work spread over threads, its answers in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from recognizer.data.errors import UsageError

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def thread_map(
    work: Callable[[Item], Answer], items: Iterable[Item], threads: int
) -> Iterator[Answer]:
    """Answers of `work` for each item, in order, from several threads.

    Items are drawn a few ahead of the answers that are asked for. An exception of `work` comes
    when its item's turn does.

    Args:
        work: may be called by several threads at once.
        items: what it is called with.
        threads: number of threads; 1 works in this one.

    Raises:
        UsageError: fewer than one thread.
    """
    if threads < 1:
        raise UsageError(f"threads: expected at least 1, found {threads}")
    if threads == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        running: deque[Future[Answer]] = deque()
        try:
            for item in items:
                running.append(pool.submit(work, item))
                while len(running) > 2 * threads or (running and running[0].done()):
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
