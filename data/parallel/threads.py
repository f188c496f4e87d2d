"""Work spread over threads, its answers in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

from recognizer.data.errors import UsageError

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_LOOK_SECONDS = 0.2
"""How long a signal may go unnoticed that arrives just before a wait begins."""


def thread_map(
    work: Callable[[Item], Answer], items: Iterable[Item], threads: int
) -> Iterator[Answer]:
    """Answers of `work` for each item, in order, from several threads.

    Items are drawn a few ahead of the answers that are asked for. An exception of `work` comes
    when its item's turn does. Where the caller is interrupted or asks for no more, what runs is not
    waited for: native code cannot be stopped, and a recording may take minutes. The calling thread
    itself never works, since an interrupt reaches it only between two steps of Python.

    Args:
        work: may be called by several threads at once.
        items: what it is called with.
        threads: number of threads.

    Raises:
        UsageError: fewer than one thread.
    """
    if threads < 1:
        raise UsageError(f"threads: expected at least 1, found {threads}")
    pool = ThreadPoolExecutor(threads)
    running: deque[Future[Answer]] = deque()
    finished: SimpleQueue[None] = SimpleQueue()

    def answer() -> Answer:
        first = running.popleft()
        # Not `first.result()` at once: a signal that arrives just before a wait without a limit is
        # noticed after it only, and one in the middle of a `Condition` gives a RuntimeError.
        while not first.done():
            with suppress(Empty):
                finished.get(timeout=_LOOK_SECONDS)
        return first.result()

    try:
        for item in items:
            running.append(pool.submit(work, item))
            running[-1].add_done_callback(lambda _: finished.put(None))
            while len(running) > 2 * threads or (running and running[0].done()):
                yield answer()
        while running:
            yield answer()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
