"""Many streams at once, for the event loop: the recognition itself is done in threads."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from recognizer.recognizer import Recognizer
from recognizer.streaming.events import Event
from recognizer.streaming.stream import Stream


class Engine:
    """The streams of one server.

    Args:
        recognizer: recognises them all.
        threads: at the same time.
    """

    def __init__(self, recognizer: Recognizer, threads: int) -> None:
        self._recognizer = recognizer
        self._threads = ThreadPoolExecutor(threads, "streams")

    def open(self) -> EngineStream:
        """A new stream."""
        return EngineStream(self._recognizer.stream(), self._threads)

    def close(self) -> None:
        """Give the threads back."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class EngineStream:
    """A stream whose calls are awaited; one at a time."""

    def __init__(self, stream: Stream, threads: ThreadPoolExecutor) -> None:
        self._stream, self._threads = stream, threads

    async def accept(self, samples: Any, sample_rate: float) -> list[Event]:
        """`Stream.accept`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._stream.accept, samples, sample_rate)

    async def finish(self) -> list[Event]:
        """`Stream.finish`."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._stream.finish)

    def cancel(self) -> None:
        """`Stream.cancel`."""
        self._stream.cancel()
