"""What the parts of the server share: the recogniser, the options, and how much is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from prometheus_client import Gauge

from recognizer.data.audio.limits import MIN_SAMPLE_RATE
from recognizer.data.errors import UsageError
from recognizer.readable.writer import check_readable
from recognizer.recognizer import Recognizer
from recognizer.serving.shared.errors import RequestError, draining, too_many
from recognizer.serving.shared.metrics import Metrics
from recognizer.serving.shared.options import ServerOptions
from recognizer.streaming.aio import AsyncStream
from recognizer.streaming.group import StreamGroup
from recognizer.streaming.scheduler import GroupOptions

OPENAI_MODEL = "whisper-1"
"""The model that clients of OpenAI ask for when nobody told them otherwise; accepted as ours."""


class Slots:
    """So many at a time, and no more once the server is shutting down.

    Args:
        what: for messages, such as "streams".
        limit: how many.
        gauge: shows how many there are.
    """

    def __init__(self, what: str, limit: int, gauge: Gauge) -> None:
        self._what, self._limit, self._gauge = what, limit, gauge
        self._taken = 0
        self._closed = False
        self._empty = asyncio.Event()
        self._empty.set()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Take a slot for the block.

        Raises:
            RequestError: all are taken, or the server is shutting down.
        """
        if self._closed:
            raise draining()
        if self._taken >= self._limit:
            raise too_many(self._what, self._limit)
        self._taken += 1
        self._gauge.inc()
        self._empty.clear()
        try:
            yield
        finally:
            self._taken -= 1
            self._gauge.dec()
            if self._taken == 0:
                self._empty.set()

    async def drain(self) -> None:
        """Refuse everyone from now on, and wait until all slots are free."""
        self._closed = True
        await self._empty.wait()


class Service:
    """One server's state.

    Args:
        recognizer: answers all requests.
        options: the server's.
        report: takes one line about each fault of the server's own.

    Attributes:
        draining: set when the server is shutting down.
        ending: set when the time for that is over: what still runs must end now.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        options: ServerOptions,
        report: Callable[[object], None] = lambda message: None,
    ) -> None:
        self.report = report
        self.recognizer, self.options = recognizer, options
        self.metrics = Metrics()
        self._group = StreamGroup(
            recognizer,
            GroupOptions(
                threads=options.threads,
                max_streams=options.max_streams,
                # One message at a time waits for its answer.
                max_backlog=options.max_message_bytes / 2 / MIN_SAMPLE_RATE,
            ),
        )
        self.threads = ThreadPoolExecutor(options.threads, "recognition")
        self.uploads = Slots("uploads", options.max_uploads, self.metrics.uploads)
        self.streams = Slots("streams", options.max_streams, self.metrics.streams)
        self.draining = asyncio.Event()
        self.ending = asyncio.Event()

    @property
    def model_name(self) -> str:
        """The model's name."""
        return self.recognizer.bundle.config.name

    @property
    def language(self) -> str:
        """The model's language, a tag as in RFC 5646."""
        return self.recognizer.bundle.config.language

    def check_readable(self) -> None:
        """Refuse to write text for a model whose words are not English.

        Raises:
            RequestError: it is such a model.
        """
        try:
            check_readable(self.recognizer.bundle.config.text_rules, f"the model {self.model_name}")
        except UsageError as error:
            raise RequestError(
                400, str(error), param="readable", code="unsupported_parameter"
            ) from None

    def stream(self) -> AsyncStream:
        """A new stream; its network advances in one call with those of others."""
        return AsyncStream(self._group.stream())

    async def drain(self) -> None:
        """Let what is under way finish within `ServerOptions.drain_seconds`, then end it."""
        self.draining.set()
        idle = asyncio.gather(self.uploads.drain(), self.streams.drain())
        try:
            await asyncio.wait_for(asyncio.shield(idle), self.options.drain_seconds)
        except asyncio.TimeoutError:
            self.ending.set()
            await idle

    def close(self) -> None:
        """Give the threads back."""
        self._group.close()
        self.threads.shutdown(wait=False, cancel_futures=True)
