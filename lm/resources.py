"""What long work on language models may use, and who is told how far it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from recognizer.data.errors import UsageError

MIN_MEMORY = 1 << 20

Progress = Callable[[str, int, "int | None"], None]
"""Called with a stage, the amount done since the last call, and the stage's total if known."""


def available_threads() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def no_progress(stage: str, done: int, total: int | None) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Resources:
    """What estimating, building and writing a model may use.

    Attributes:
        memory: bytes for sorting and for mapped pages, at least 2**20; the vocabulary, and a few
            buffers of some MiB, come on top.
        threads: that work at once.
        temporary: directory for files that are removed at the end; None: beside the result.
        progress: told of stages.
    """

    memory: int = 4 << 30
    threads: int = field(default_factory=available_threads)
    temporary: Path | None = None
    progress: Progress = no_progress

    def __post_init__(self) -> None:
        """Check the values."""
        if self.memory < MIN_MEMORY:
            raise UsageError(f"memory: expected at least {MIN_MEMORY} bytes, found {self.memory}")
        if self.threads < 1:
            raise UsageError(f"threads: expected at least 1, found {self.threads}")
        if self.temporary is not None and not self.temporary.is_dir():
            raise UsageError(f"{self.temporary}: expected a directory, found none")
