"""How the streams of a group share worker threads and the network's calls.

Audio waits in its stream until a worker thread is free. A worker searches first what has been
scored, then makes features, and when nothing else is left it takes the streams that wait for the
network, as many as are its share, through one batched call. So batches grow with the load, and no
thread waits while there is work. Each stream is in one worker's hands at a time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt

from recognizer.am.nnet.acoustic_model import AcousticModel
from recognizer.data.audio.reading import SAMPLE_RATE, Samples
from recognizer.data.errors import SpeechError, UsageError
from recognizer.lm.resources import available_threads
from recognizer.streaming.events import Event
from recognizer.streaming.steps import BLOCK_SAMPLES, StreamSteps

FloatArray = npt.NDArray[np.float32]


class BacklogError(SpeechError):
    """Too much audio waits, or there are too many streams; nothing was taken."""


@dataclass(frozen=True)
class GroupOptions:
    """Limits of a group.

    Attributes:
        threads: workers; None is the number of processors.
        max_streams: open streams.
        max_backlog: seconds of audio that may wait in one stream.
        max_batch: streams that go through the network in one call.

    Raises:
        UsageError: a value that is not above 0.
    """

    threads: int | None = None
    max_streams: int = 256
    max_backlog: float = 60.0
    max_batch: int = 64

    def __post_init__(self) -> None:
        for name in ("threads", "max_streams", "max_backlog", "max_batch"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"{name}: expected a number above 0, found {value}")


@dataclass(eq=False)
class GroupMember:
    """A stream as the scheduler sees it.

    Attributes:
        steps: its state.
        waiting: audio in blocks, each with the number of the call that it completes.
        waiting_samples: how much that is.
        ended: whether nothing comes after what waits.
        busy: whether it is in a queue or in a worker's hands.
        num_calls: calls so far.
        calls: those that wait, with their numbers.
        events: those that nobody has taken yet.
        error: why it failed.
    """

    steps: StreamSteps
    waiting: deque[tuple[Samples, int]] = field(default_factory=deque)
    waiting_samples: int = 0
    ended: bool = False
    busy: bool = False
    num_calls: int = 0
    calls: deque[tuple[int, Future[None]]] = field(default_factory=deque)
    events: list[Event] = field(default_factory=list)
    error: Exception | None = None


@dataclass(eq=False)
class GroupTurn:
    """A stream's audio on its way through the steps.

    Attributes:
        member: the stream.
        samples: 16 kHz ``[n]``.
        last: whether its audio ends with them.
        call: number of the last call that is done with them.
        features: ``[t, D]``.
        scores: ``[t', S]``.
    """

    member: GroupMember
    samples: Samples
    last: bool
    call: int
    features: FloatArray = field(default_factory=lambda: np.empty((0, 0), np.float32))
    scores: FloatArray = field(default_factory=lambda: np.empty((0, 0), np.float32))


class GroupScheduler:
    """The queues between the steps, and the threads that serve them.

    All state of members but their steps is changed under one lock. A member is busy from the call
    that finds it idle until no audio of it waits.
    """

    def __init__(self, model: AcousticModel, options: GroupOptions) -> None:
        self._model, self._options = model, options
        self._num_threads = options.threads or available_threads()
        self._changed = threading.Condition()
        self._to_hear: deque[GroupMember] = deque()
        self._to_score: deque[GroupTurn] = deque()
        self._to_search: deque[GroupTurn] = deque()
        self._open: set[GroupMember] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False

    @property
    def num_open(self) -> int:
        """Streams that are open."""
        with self._changed:
            return len(self._open)

    def open(self, member: GroupMember) -> None:
        """Take a new stream in; errors as of `recognizer.streaming.group.StreamGroup.stream`."""
        with self._changed:
            if self._closed:
                raise UsageError("stream group: expected an open group, found a closed one")
            if len(self._open) >= self._options.max_streams:
                raise BacklogError(
                    f"stream group: expected at most {self._options.max_streams} streams, "
                    "found all of them open"
                )
            self._open.add(member)
            while len(self._threads) < self._num_threads:
                self._threads.append(threading.Thread(target=self._work, daemon=True))
                self._threads[-1].start()

    def check_backlog(self, member: GroupMember, seconds: float) -> None:
        """Refuse audio beyond the backlog, and of a stream that failed."""
        with self._changed:
            if member.error is not None:
                raise member.error
            waiting = member.waiting_samples / SAMPLE_RATE
        if waiting + seconds > self._options.max_backlog:
            raise BacklogError(
                f"stream: expected at most {self._options.max_backlog:g} s of audio that waits, "
                f"found {waiting:.1f} s and {seconds:.1f} s more"
            )

    def submit(self, member: GroupMember, samples: Samples, *, last: bool) -> Future[None]:
        """Let audio wait for its turn; done when it has been recognised."""
        call: Future[None] = Future()
        call.set_running_or_notify_cancel()  # nobody can cancel it from now on
        with self._changed:
            if member.error is not None:
                raise member.error
            if member.steps.cancelled:  # since the call began
                raise UsageError("stream: expected an open stream, found a cancelled one")
            member.num_calls += 1
            member.calls.append((member.num_calls, call))
            blocks = np.split(samples, list(range(BLOCK_SAMPLES, len(samples), BLOCK_SAMPLES)))
            for block in blocks[:-1]:
                member.waiting.append((block, member.num_calls - 1))
            member.waiting.append((blocks[-1], member.num_calls))
            member.waiting_samples += len(samples)
            member.ended = last
            if not member.busy:
                member.busy = True
                self._to_hear.append(member)
                self._changed.notify()
        return call

    def take_events(self, member: GroupMember) -> list[Event]:
        """What is new since the last call."""
        with self._changed:
            events, member.events = member.events, []
            return events

    def cancel(self, member: GroupMember) -> None:
        """Give an open stream up; its calls are answered at once."""
        with self._changed:
            if member not in self._open:
                return
            member.steps.cancel()
            self._open.discard(member)
            calls = [] if member.busy else self._given_up(member)
            calls += self._answered(member, member.num_calls)
        _answer(calls, None)

    def close(self) -> None:
        """Cancel all streams and wait until the threads have ended."""
        with self._changed:
            self._closed = True
            members = list(self._open)
            self._changed.notify_all()
        for member in members:
            self.cancel(member)
        for thread in self._threads:
            if thread is not threading.current_thread():  # of a call's callback
                thread.join()

    def _work(self) -> None:
        while (work := self._next()) is not None:
            work()

    def _next(self) -> Callable[[], None] | None:
        """What a worker does next; None: end."""
        with self._changed:
            while True:
                if self._to_search:
                    return partial(self._search, self._to_search.popleft())
                if self._to_hear:
                    return partial(self._hear, self._turn(self._to_hear.popleft()))
                if self._to_score:
                    share = -(-len(self._to_score) // self._num_threads)
                    count = min(share, self._options.max_batch)
                    return partial(self._score, [self._to_score.popleft() for _ in range(count)])
                if self._closed:
                    return None
                self._changed.wait()

    def _turn(self, member: GroupMember) -> GroupTurn:
        """The audio of a member that goes through the steps next: all, or as much as is good."""
        blocks, size, call = [], 0, 0
        while member.waiting and size < BLOCK_SAMPLES:
            block, call = member.waiting.popleft()
            blocks.append(block)
            size += len(block)
        member.waiting_samples -= size
        last = member.ended and not member.waiting
        return GroupTurn(member, np.concatenate(blocks), last, call)

    def _hear(self, turn: GroupTurn) -> None:
        try:
            turn.features = turn.member.steps.features(turn.samples, last=turn.last)
        except Exception as error:
            self._done(turn, [], error)
            return
        with self._changed:
            self._to_score.append(turn)
            self._changed.notify()

    def _score(self, turns: Sequence[GroupTurn]) -> None:
        try:
            sessions = [turn.member.steps.session for turn in turns]
            scores = self._model.advance_all(sessions, [turn.features for turn in turns])
            for turn, rows in zip(turns, scores, strict=True):
                turn.scores = rows
            ending = [turn for turn in turns if turn.last]
            rest = self._model.finish_all([turn.member.steps.session for turn in ending])
            for turn, rows in zip(ending, rest, strict=True):
                turn.scores = np.concatenate([turn.scores, rows])
        except Exception as error:
            for turn in turns:
                self._done(turn, [], error)
            return
        with self._changed:
            self._to_search.extend(turns)
            self._changed.notify(len(turns))

    def _search(self, turn: GroupTurn) -> None:
        try:
            self._done(turn, turn.member.steps.events(turn.scores, last=turn.last))
        except Exception as error:
            self._done(turn, [], error)

    def _done(self, turn: GroupTurn, events: list[Event], error: Exception | None = None) -> None:
        """End a turn: answer its calls, and queue the member again if more of it waits."""
        member = turn.member
        with self._changed:
            member.events += events
            if error is not None or member.steps.cancelled:
                member.error = error
                member.busy = False
                calls = self._given_up(member)
            else:
                calls = self._answered(member, turn.call)
                member.busy = bool(member.waiting)
                if member.busy:
                    self._to_hear.append(member)
                    self._changed.notify()
                if turn.last:
                    self._open.discard(member)
        _answer(calls, error)

    def _given_up(self, member: GroupMember) -> list[Future[None]]:
        """Drop all of a member that no thread works on; the calls to answer."""
        member.steps.release()
        member.waiting.clear()
        member.waiting_samples = 0
        self._open.discard(member)
        return self._answered(member, member.num_calls)

    def _answered(self, member: GroupMember, call: int) -> list[Future[None]]:
        """Takes the calls up to a number off the member."""
        calls = []
        while member.calls and member.calls[0][0] <= call:
            calls.append(member.calls.popleft()[1])
        return calls


def _answer(calls: Sequence[Future[None]], error: Exception | None) -> None:
    """Outside of the lock: who waits may act at once."""
    for call in calls:
        if error is None:
            call.set_result(None)
        else:
            call.set_exception(error)
