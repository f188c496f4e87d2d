"""The text of an upload as server-sent events, segment by segment."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from recognizer.recognition.result import Result
from recognizer.serving.shared.errors import RequestError
from recognizer.serving.shared.service import Service
from recognizer.serving.shared.uploads import Upload
from recognizer.serving.transcriptions.recognition import UploadRecognition, while_connected

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold the events back
]


class TranscriptEvents(Response):
    """OpenAI's events: ``transcript.text.delta`` of each segment, then ``transcript.text.done``.

    The deltas together are the text of the last event. A request that fails before its first
    segment has the answer of any other failed request; one that fails later ends with an event
    that holds the error, which OpenAI's clients raise.

    Args:
        request: whose client waits.
        service: the server's.
        upload: the recording.
        began: when the request came, by `time.monotonic`.
        held: what the request holds, such as the upload's file; it is let go at the end.
    """

    def __init__(
        self,
        request: Request,
        service: Service,
        upload: Upload,
        began: float,
        held: AsyncExitStack,
    ) -> None:
        self._request, self._service, self._upload = request, service, upload
        self._began, self._held = began, held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Recognise the upload, and send each segment when it is there."""
        async with self._held:
            loop = asyncio.get_running_loop()
            texts: asyncio.Queue[str | None] = asyncio.Queue()

            def told(segment: Result) -> None:
                loop.call_soon_threadsafe(texts.put_nowait, segment.text)

            work = UploadRecognition(self._service, self._upload, told)
            running = asyncio.ensure_future(while_connected(self._request, self._service, work))
            running.add_done_callback(lambda _: texts.put_nowait(None))
            try:
                await self._send_events(texts, running, send)
            finally:
                running.cancel()
                await asyncio.wait({running})

    async def _send_events(
        self, texts: asyncio.Queue[str | None], running: asyncio.Future[Result], send: Send
    ) -> None:
        sent = ""
        while (text := await texts.get()) is not None:
            if not text:
                continue
            delta = f" {text}" if sent else text
            if not sent:
                await _begin(send)
            sent += delta
            await _send(send, {"type": "transcript.text.delta", "delta": delta})
        try:
            result = running.result()
        except (RequestError, ClientDisconnect) as error:
            if not sent:
                raise
            if isinstance(error, RequestError):
                await _send(send, error.body())
        else:
            if not sent:
                await _begin(send)
            await _send(send, {"type": "transcript.text.done", "text": result.text})
            self._service.metrics.uploaded(result.duration, self._began)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _begin(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})


async def _send(send: Send, event: dict[str, Any]) -> None:
    body = f"data: {json.dumps(event)}\n\n".encode()
    await send({"type": "http.response.body", "body": body, "more_body": True})
