"""Streams for asyncio: the recognition is done in a group's threads, never in the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any

from recognizer.streaming.events import Event
from recognizer.streaming.group import GroupStream

if TYPE_CHECKING:
    from typing_extensions import Self


class AsyncStream:
    """A `recognizer.streaming.group.GroupStream` whose calls are awaited.

    >>> group = StreamGroup(recognizer)
    >>> async with AsyncStream(group.stream()) as stream:
    ...     async for event in stream.recognize(microphone, 16000):
    ...         print(event.text)

    Where the task that awaits a call is cancelled, such as by `asyncio.wait_for`, the audio was
    taken all the same, and later calls give its events. As a context manager the stream is
    cancelled at the end of the block.

    Args:
        stream: is used by nobody else from now on.
    """

    def __init__(self, stream: GroupStream) -> None:
        self._stream = stream

    @property
    def cancelled(self) -> bool:
        """Whether the stream was cancelled."""
        return self._stream.cancelled

    async def accept(self, samples: Any, sample_rate: float) -> list[Event]:
        """Take the next piece of audio and wait until it has been recognised.

        Arguments and errors as of `recognizer.streaming.group.GroupStream.accept`.
        """
        return await self._answer(self._stream.submit(samples, sample_rate))

    async def finish(self) -> list[Event]:
        """End the audio and wait for the last events."""
        return await self._answer(self._stream.submit_end())

    async def recognize(
        self, pieces: AsyncIterable[Any], sample_rate: float
    ) -> AsyncIterator[Event]:
        """Recognise all audio of a source.

        Args:
            pieces: samples as of `accept`.
            sample_rate: samples per second.

        Yields:
            Events as they come; at last those of `finish`.
        """
        async for samples in pieces:
            for event in await self.accept(samples, sample_rate):
                yield event
        for event in await self.finish():
            yield event

    def cancel(self) -> None:
        """Give the stream up: nothing more comes of it, and calls that wait return at once."""
        self._stream.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cancel()

    async def _answer(self, call: Future[None]) -> list[Event]:
        answer = asyncio.wrap_future(call)
        # An answer that nobody awaits any more may be an error: the next call raises it again.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(answer)
        return self._stream.events()
