"""What a training process asks of its system: a device, an orderly end, and memory that stays."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch

from recognizer.am.training.engine.options import TrainingOptions
from recognizer.data.errors import SpeechError


class Interrupt:
    """Turns SIGINT and SIGTERM into a flag, so that a chunk is always finished.

    Whoever is impatient may ask once more, after a second: launchers pass on the signal that the
    terminal has sent to all.

    Attributes:
        signal: that asked for an end; None while none has.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
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
        if self.signal is None:
            self.signal, self._since = number, now
        elif now - self._since > 1.0:
            raise KeyboardInterrupt


def training_device(options: TrainingOptions) -> torch.device:
    """The device that this process trains on.

    In mode "ddp", "cuda" gives each process of a machine a GPU of its own, by the rank that
    torchrun gave it there.

    Raises:
        SpeechError: torch cannot use it.
    """
    name = options.device
    if name == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise SpeechError(f"training device {name}: torch finds no GPU that it can use")
    device = torch.device(name)
    if device.index is None:
        index = int(os.environ.get("LOCAL_RANK", "0")) if options.mode == "ddp" else 0
        device = torch.device("cuda", index)
    if device.index >= torch.cuda.device_count():
        raise SpeechError(
            f"training device {device}: torch finds {torch.cuda.device_count()} GPUs only"
        )
    return device


def named_device(name: str) -> torch.device:
    """A device as torch calls it.

    Raises:
        SpeechError: torch cannot use it.
    """
    try:
        device = torch.device(name)
        torch.zeros((), device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise SpeechError(f"--device {name}: torch cannot use it: {reason}") from None
    return device


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
