"""The machines of a Ray cluster, for the time of a block, and work spread over them."""

from __future__ import annotations

import functools
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from recognizer.data.errors import SpeechError, UsageError

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_RETRIES = 3
"""So often an item is given to another worker after one has died at it."""

_AHEAD = 2
"""Items for each processor of the cluster that are given to it before they are asked for."""


@contextmanager
def ray_cluster(address: str = "", processors: int | None = None) -> Iterator[Any]:
    """Connect to a Ray cluster, or start one of this machine; yields the module `ray`.

    What is connected already stays so, with its own address.

    Args:
        address: of a running cluster's head, or "auto" for the cluster that this machine belongs
            to; "": a cluster of this machine alone, which ends with the block.
        processors: of that one; None: all that the machine has.

    Raises:
        UsageError: Ray is not installed.
        SpeechError: there is no such cluster.
    """
    try:
        import ray
    except ImportError:
        raise UsageError("a cluster needs Ray: pip install 'recognizer[cluster]'") from None
    if ray.is_initialized():
        yield ray
        return
    try:
        if address:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
        else:
            ray.init(
                num_cpus=processors,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        found = str(error).strip().splitlines()[0]
        raise SpeechError(f"Ray at {address or 'this machine'}: cannot connect: {found}") from None
    try:
        yield ray
    finally:
        ray.shutdown()


def cluster_map(
    work: Callable[[Item], Answer],
    items: Iterable[Item],
    address: str,
    lost: Callable[[Item, SpeechError], Answer],
) -> Iterator[Answer]:
    """Answers of `work` for each item, in order, from the workers of a Ray cluster.

    Each worker has one processor and works in the directory of this process, so that relative
    paths mean the same on all machines; they must have the same files. Where a worker or its
    machine dies, its items are done again by others.

    Args:
        work: a function of a module, or a `functools.partial` of one.
        items: drawn a few ahead of the answers.
        address: as for `ray_cluster`.
        lost: the answer for an item at which worker after worker has died.

    Raises:
        UsageError: Ray is not installed.
        SpeechError: there is no such cluster, or a machine lacks the directory.
    """
    with ray_cluster(address) as ray:
        task = ray.remote(num_cpus=1, max_retries=_RETRIES)(_work_in)
        work = functools.partial(task.remote, str(Path.cwd()), ray.put(work))
        processors = int(ray.cluster_resources().get("CPU", 1))
        running: deque[tuple[Item, Any]] = deque()

        def answer() -> Answer:
            item, reference = running.popleft()
            try:
                found: Answer = ray.get(reference)
            except ray.exceptions.RayTaskError as error:
                cause: Exception = error.cause
                raise cause from None
            except ray.exceptions.WorkerCrashedError:
                return lost(
                    item, SpeechError(f"{_RETRIES + 1} workers died at it (out of memory?)")
                )
            return found

        for item in items:
            running.append((item, work(item)))
            if len(running) > _AHEAD * processors:
                yield answer()
        while running:
            yield answer()


def _work_in(directory: str, work: Callable[[Item], Answer], item: Item) -> Answer:
    """What a worker does with an item."""
    try:
        os.chdir(directory)
    except OSError as error:
        raise SpeechError(
            f"{directory}: a machine of the cluster lacks it: {error.strerror}"
        ) from None
    return work(item)
