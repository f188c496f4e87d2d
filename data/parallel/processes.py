"""Work spread over processes, which leave interrupts to the one that began and end with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from typing import TypeVar

from recognizer.data.errors import SpeechError, UsageError

PREFETCHED = 8
"""Items that `prefetch_map` gives to each process before their answers are asked for."""

_POLL_SECONDS = 0.5

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def process_map(
    work: Callable[[Item], Answer], items: Iterable[Item], jobs: int, what: str
) -> Iterator[Answer]:
    """Answers of `work` for each item, in order, from `jobs` processes.

    Args:
        work: a function of a module, or a `functools.partial` of one.
        items: they go to the processes one by one.
        jobs: number of processes; 1 works in this one.
        what: is named if a process dies.

    Raises:
        UsageError: fewer than one job.
        SpeechError: a process died.
    """
    if jobs < 1:
        raise UsageError(f"jobs: expected at least 1, found {jobs}")
    return map(work, items) if jobs == 1 else _pool_map(work, items, jobs, what, None)


def prefetch_map(
    work: Callable[[Item], Answer], items: Iterable[Item], processes: int, what: str
) -> Generator[Answer, None, None]:
    """As `process_map`, but answers are made ready before they are asked for, always elsewhere.

    To be closed when no more answers are wanted, which ends the processes.
    Each process is given `PREFETCHED` items at most: items may be endless, and answers large.
    """
    return _pool_map(work, items, processes, what, PREFETCHED * processes)


def _pool_map(
    work: Callable[[Item], Answer],
    items: Iterable[Item],
    processes: int,
    what: str,
    ahead: int | None,
) -> Generator[Answer, None, None]:
    """Answers in order; at most `ahead` items are given to the processes at a time, or all."""
    # Each process does its own arithmetic; numpy's threads would only stand in each other's way.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    own: set[BaseProcess] = set()  # other pools may have been started before and since
    pool = ProcessPoolExecutor(
        processes, mp_context=multiprocessing.get_context("spawn"), initializer=end_with_parent
    )
    try:
        waiting: deque[Future[Answer]] = deque()
        for item in items:
            others = set(multiprocessing.active_children())
            with interrupts_wait():  # a process is started where all others are busy
                waiting.append(pool.submit(work, item))
            own |= set(multiprocessing.active_children()) - others
            if len(waiting) == ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise SpeechError(f"{what}: a process has died (out of memory? use fewer jobs)") from None
    except BaseException:
        # Interrupted, or no more answers are wanted: what they work at may take minutes.
        for process in own:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def end_with_parent() -> None:
    """End this process as soon as its parent is gone, however that ended (`kill -9` included).

    A process that waits for work would otherwise wait for ever, as nobody is left to end it.
    """
    threading.Thread(target=_watch_parent, name="end_with_parent", daemon=True).start()


def _watch_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # waits for the other end of a pipe to close, which no signal can prevent
    else:
        # Not started by `multiprocessing`: when a parent is gone, another process takes its role.
        number = os.getppid()
        while os.getppid() == number:
            time.sleep(_POLL_SECONDS)
    os._exit(1)


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Holds SIGINT back; processes started meanwhile never see it.

    The terminal interrupts all processes, but one is enough to end them all, and a process that
    is just starting would answer with a traceback.
    """
    # Started here, since starting it lets signals through again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
