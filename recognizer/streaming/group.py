"""Many streams of one recogniser, whose network advances in batches.

The results of each stream are those of a `recognizer.streaming.stream.Stream`, bit for bit; how the
work is shared out is told in `recognizer.streaming.scheduler`.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from concurrent.futures import Future, TimeoutError
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any

from recognizer.data.audio.audio_stream import Piece
from recognizer.data.errors import SpeechError, UsageError
from recognizer.recognition.passes import Passes
from recognizer.streaming.endpointing import ENDPOINTING, EndpointOptions
from recognizer.streaming.events import Event
from recognizer.streaming.scheduler import GroupMember, GroupOptions, GroupScheduler
from recognizer.streaming.steps import StreamSteps
from recognizer.vocabulary.adaptation import Adaptation, AdaptationArguments

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack


class DeadlineError(SpeechError):
    """The answer did not come in time. The audio was taken; its events come with a later call."""


class StreamGroup:
    """Recognises many streams at once; may be used by any number of threads.

    As a context manager it is closed at the end of the block.

    Args:
        recognizer: the model of all streams.
        options: limits.

    Raises:
        UsageError: the model takes whole utterances only.
    """

    def __init__(self, recognizer: Passes, options: GroupOptions | None = None) -> None:
        recognizer.acoustic_model.start()
        self._recognizer = recognizer
        self._scheduler = GroupScheduler(recognizer.acoustic_model, options or GroupOptions())
        # Worker threads refer to the scheduler only, so that they end with a forgotten group.
        self._close = weakref.finalize(self, self._scheduler.close)

    @property
    def num_streams(self) -> int:
        """Streams that are open."""
        return self._scheduler.num_open

    def close(self) -> None:
        """Cancel all streams and end the threads. May be called any number of times."""
        self._close()

    def stream(
        self,
        *,
        endpointing: EndpointOptions | None = ENDPOINTING,
        channel: int | None = None,
        partials: bool = True,
        adaptation: Adaptation | None = None,
        **given: Unpack[AdaptationArguments],
    ) -> GroupStream:
        """Open a stream; arguments as of `recognizer.recognizer.Recognizer.stream`.

        Raises:
            BacklogError: as many are open as may be.
            UsageError: the group was closed, or a channel below 1.
            UsageError, SpeechError: as of `recognizer.recognizer.Recognizer.adapted`.
        """
        passes = self._recognizer
        if adaptation is not None or given:
            passes = passes.adapted(adaptation, **given)
        member = GroupMember(StreamSteps(passes, endpointing, channel, partials))
        self._scheduler.open(member)
        return GroupStream(self._scheduler, member)

    def accept_all(
        self,
        streams: Sequence[GroupStream],
        samples: Sequence[Any],
        sample_rate: float,
        timeout: float | None = None,
    ) -> list[list[Event]]:
        """`GroupStream.accept` of several streams at once.

        Args:
            streams: of this group, each at most once.
            samples: a piece for each.
            sample_rate: of all pieces.
            timeout: seconds after which to give up waiting; None: never.

        Returns:
            For each stream what is new.

        Raises:
            UsageError, SpeechError, BacklogError: as `GroupStream.accept`, or streams of another
                group, or lists of different lengths. No stream has then taken anything.
            DeadlineError: not all answers came in time. All audio was taken; events that have
                come, and others, are given by later calls.
        """
        if len(samples) != len(streams):
            raise UsageError(f"samples: expected {len(streams)} pieces, found {len(samples)}")
        if len({id(one) for one in streams}) != len(streams):
            raise UsageError("streams: expected each once, found one twice")
        if any(one._scheduler is not self._scheduler for one in streams):
            raise UsageError("streams: expected streams of this group, found another's")
        pieces = [one._check(s, sample_rate) for one, s in zip(streams, samples, strict=True)]
        calls = [one._submit(piece) for one, piece in zip(streams, pieces, strict=True)]
        _wait(calls, timeout)
        return [one.events() for one in streams]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class GroupStream:
    """A stream of a group; `StreamGroup.stream` makes it.

    It is used as a `recognizer.streaming.stream.Stream`, by one thread at a time except for
    `cancel`. `submit` and `events` are for callers that do not wait.
    """

    def __init__(self, scheduler: GroupScheduler, member: GroupMember) -> None:
        self._scheduler, self._member = scheduler, member
        self._forgotten = weakref.finalize(self, scheduler.cancel, member)
        self._forgotten.atexit = False

    @property
    def cancelled(self) -> bool:
        """Whether the stream was cancelled."""
        return self._member.steps.cancelled

    def accept(self, samples: Any, sample_rate: float, timeout: float | None = None) -> list[Event]:
        """Take the next piece of audio and wait until it has been recognised.

        Args:
            samples: as of `recognizer.streaming.stream.Stream.accept`.
            sample_rate: samples per second; the same in all calls.
            timeout: seconds after which to give up waiting; None: never.

        Returns:
            What is new, in order; often nothing.

        Raises:
            UsageError, SpeechError: as `recognizer.streaming.stream.Stream.accept`. The stream then
                stands as before.
            BacklogError: more audio waits than may; nothing was taken.
            DeadlineError: the answer did not come in time; later calls give it.
        """
        _wait([self.submit(samples, sample_rate)], timeout)
        return self.events()

    def finish(self, timeout: float | None = None) -> list[Event]:
        """End the audio and wait for the last events; arguments and errors as of `accept`."""
        _wait([self.submit_end()], timeout)
        return self.events()

    def submit(self, samples: Any, sample_rate: float) -> Future[None]:
        """Take the next piece of audio; do not wait.

        Arguments and errors as of `accept`.

        Returns:
            Done when the piece has been recognised; `events` then has what is new. It cannot be
            cancelled.
        """
        return self._submit(self._check(samples, sample_rate))

    def submit_end(self) -> Future[None]:
        """End the audio; do not wait. As `submit`."""
        return self._scheduler.submit(self._member, self._member.steps.last_samples(), last=True)

    def events(self) -> list[Event]:
        """What is new since the last call of this or of another method that gives events."""
        return self._scheduler.take_events(self._member)

    def cancel(self) -> None:
        """Give the stream up: nothing more comes of it, and calls that wait return at once.

        Any thread may call it, any number of times.
        """
        self._forgotten()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cancel()

    def _check(self, samples: Any, sample_rate: float) -> Piece:
        piece = self._member.steps.check(samples, sample_rate)
        self._scheduler.check_backlog(self._member, len(piece.mono) / piece.rate)
        return piece

    def _submit(self, piece: Piece) -> Future[None]:
        return self._scheduler.submit(self._member, self._member.steps.samples(piece), last=False)


def _wait(calls: Sequence[Future[None]], timeout: float | None) -> None:
    end = None if timeout is None else monotonic() + timeout
    for call in calls:
        try:
            call.result(None if end is None else max(0.0, end - monotonic()))
        except TimeoutError:
            raise DeadlineError(
                f"streams: expected an answer within {timeout:g} s, found none yet"
            ) from None
