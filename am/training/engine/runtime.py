"""What a training process asks of its system: an orderly end, and memory that stays."""

from __future__ import annotations

import ctypes
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch


class Interrupt:
    """Turns SIGINT and SIGTERM into a flag, so that a chunk is always finished.

    Whoever is impatient may ask once more, after a second: launchers pass on the signal that the
    terminal has sent to all.
    """

    def __init__(self) -> None:
        self.requested = False
        self._since = 0.0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.requested:
            self.requested, self._since = True, now
        elif now - self._since > 1.0:
            raise KeyboardInterrupt


@contextmanager
def fast_arithmetic(threads: int) -> Iterator[None]:
    """Settings of torch and of the C library while a process trains.

    Args:
        threads: of torch; 0 leaves its own choice.
    """
    if threads:
        torch.set_num_threads(threads)
    keep_freed_memory()
    # Gradients of rarely used cells fade into denormals, which cost a hundred cycles each.
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def keep_freed_memory() -> None:
    """Let the C library keep what is freed, instead of returning it to the system.

    Each chunk makes and frees the same large arrays. glibc maps them anew each time, and clearing
    the fresh pages costs a fifth of the training time. Elsewhere this does nothing.
    """
    trim_threshold, mmap_max = -1, -4
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, 2**31 - 1)
