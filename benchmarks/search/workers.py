"""Processes of their own for the contestants of `benchmarks.search`, asked in turn.

Contestants take turns, utterance by utterance, so that whatever else the machine does disturbs all
alike; while one works the others wait. Time is CPU time of the contestant's process. Memory is the
process's peak resident set (VmHWM of /proc/self/status, mapped files included as far as they were
read); what an idle process peaks at, one with the same imports that reads the same scores and does
nothing with them, is taken off.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

WARM_UP_FRAMES = 50


@dataclass(frozen=True)
class Found:
    """What a contestant found in an utterance.

    Attributes:
        cost: of the best path.
        words: of the best path.
        tokens: tokens expanded, summed over the frames, if it tells.
    """

    cost: float
    words: tuple[str, ...]
    tokens: int | None = None


class Searcher(Protocol):
    """A contestant, ready to search."""

    def search(self, scores: FloatArray) -> Found:
        """Searches an utterance, `[T, num_pdfs]` log-likelihoods, which it may overwrite."""


class Contestant(Protocol):
    """Says how to make a searcher; it is sent to the process that makes it."""

    def open(self) -> Searcher:
        """Makes the searcher."""


@dataclass(frozen=True)
class Idle:
    """Searches nothing: what it needs, every process needs."""

    def open(self) -> Searcher:
        """Makes the searcher."""
        return self

    def search(self, scores: FloatArray) -> Found:
        """Does nothing."""
        return Found(0.0, ())


@dataclass(frozen=True)
class Timed:
    """What was found, and the CPU time that it took."""

    found: Found
    seconds: float


@dataclass(frozen=True)
class Utterance:
    """One utterance of the test set.

    Attributes:
        name: its id.
        words: what was said.
        scores: file of its log-likelihoods, `.npy`.
        frames: their number.
    """

    name: str
    words: tuple[str, ...]
    scores: Path
    frames: int


class Worker:
    """A process with one contestant."""

    def __init__(self, contestant: Contestant) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, contestant), daemon=True)
        self._process.start()
        other.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()  # the process ends when nobody can ask it any more
        self._process.join()

    def search(self, utterance: Utterance, frames: int | None = None) -> Timed:
        """Searches an utterance, or the first of its frames."""
        answer: Timed = self._ask("search", utterance.scores, frames)
        return answer

    def call(self, name: str, *arguments: Any) -> Any:
        """Calls another method of the contestant's searcher."""
        return self._ask("call", name, arguments)

    def peak_mb(self) -> float:
        """Greatest resident set of the process so far, in MB (10^6 bytes)."""
        answer: float = self._ask("peak")
        return answer

    def _ask(self, *request: Any) -> Any:
        try:
            self._connection.send(request)
            fine, answer = self._connection.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            code = self._process.exitcode
            raise SystemExit(f"a contestant's process ended with exit status {code}") from None
        if not fine:
            raise SystemExit(f"a contestant failed: {answer}")
        return answer


@dataclass(frozen=True)
class Race:
    """What came of all utterances.

    Attributes:
        results: by contestant, in the order of the utterances.
        peak_mb: greatest resident set by contestant, in MB (10^6 bytes).
        idle_mb: that of the idle process.
    """

    results: dict[str, list[Timed]]
    peak_mb: dict[str, float]
    idle_mb: float


def race(
    contestants: Mapping[str, Contestant],
    utterances: Sequence[Utterance],
    advance: Callable[[], None],
    after: Callable[[Mapping[str, Worker]], None] = lambda workers: None,
) -> Race:
    """Lets all contestants search all utterances, in turn.

    Args:
        contestants: by name.
        utterances: what to search.
        advance: called after each utterance.
        after: called with the processes once memory has been looked at.
    """
    results: dict[str, list[Timed]] = {name: [] for name in contestants}
    with ExitStack() as stack:
        idle = stack.enter_context(Worker(Idle()))
        workers = {name: stack.enter_context(Worker(one)) for name, one in contestants.items()}
        for worker in workers.values():
            worker.search(utterances[0], WARM_UP_FRAMES)
        for utterance in utterances:
            idle.search(utterance)
            for name, worker in workers.items():
                results[name].append(worker.search(utterance))
            advance()
        peaks = {name: worker.peak_mb() for name, worker in workers.items()}
        idle_mb = idle.peak_mb()
        after(workers)
    return Race(results, peaks, idle_mb)


def _serve(connection: Connection, contestant: Contestant) -> None:
    """Answers requests until nobody asks."""
    searcher: Searcher | None = None
    while True:
        try:
            request, *arguments = connection.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            if searcher is None:
                searcher = contestant.open()
            answer: Any
            if request == "search":
                answer = _search(searcher, *arguments)
            elif request == "call":
                name, values = arguments
                answer = getattr(searcher, name)(*values)
            else:
                answer = _peak_mb()
            connection.send((True, answer))
        except KeyboardInterrupt:
            return
        except Exception as error:  # whatever it is, the asker tells it and ends
            connection.send((False, f"{type(error).__name__}: {error}"))


def _search(searcher: Searcher, path: Path, frames: int | None) -> Timed:
    scores = np.load(path)[:frames]
    begin = time.process_time()
    found = searcher.search(scores)
    return Timed(found, time.process_time() - begin)


def _peak_mb() -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit("/proc/self/status: expected a line VmHWM, found none (Linux only)")
