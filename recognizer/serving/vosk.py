"""The websocket: Vosk's protocol (vosk-server, ``websocket/asr_server.py``).

The client sends ``{"config": {...}}`` if it likes, then audio in binary messages, 16-bit
little-endian samples of one channel, and at last ``{"eof": 1}``. To each message of audio there is
one answer: ``{"partial": ...}``, or where an utterance has ended ``{"result": [...], "text": ...}``
with a time in seconds and a confidence for each word. The answer to eof is the last result; then
the connection is closed. ``{"reset": 1}`` ends the utterance and leaves the stream open.

Errors, for which Vosk has no message, are ``{"error": {...}}`` as over HTTP, and the reason of the
close frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect

from recognizer.data.audio.limits import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from recognizer.data.errors import SpeechError, as_speech_error
from recognizer.readable.writer import shipped_writer
from recognizer.serving.access import SUBPROTOCOL
from recognizer.serving.alternatives import TimedWord, alternatives
from recognizer.serving.shared.errors import RequestError, too_long, too_slow
from recognizer.serving.shared.service import Service
from recognizer.streaming.events import Event, Final, Partial

_NORMAL, _UNSUPPORTED, _POLICY, _INTERNAL, _RESTART, _TRY_AGAIN = 1000, 1003, 1008, 1011, 1012, 1013
"""Close codes of RFC 6455, section 7.4.1, and of IANA's registry."""

_MAX_REASON = 123
"""Bytes of a close frame's reason (RFC 6455, section 5.5)."""

_MAX_ALTERNATIVES = 100


@dataclass(frozen=True)
class StreamConfig:
    """What a client says of its stream; Vosk's names and defaults.

    Attributes:
        sample_rate: of its audio.
        words: whether results list the words with their times.
        max_alternatives: how many word sequences a result lists; 0 is one, with confidences.
        readable: whether results have ``readable`` beside ``text``: with punctuation, capital
            letters and digits. Vosk has no such field.
    """

    sample_rate: float = 8000.0
    words: bool = True
    max_alternatives: int = 0
    readable: bool = False


async def vosk(websocket: WebSocket) -> None:
    """Serve one connection."""
    service: Service = websocket.app.state.service
    offered = websocket.scope.get("subprotocols", [])
    await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
    outcome = "refused"
    try:
        with service.streams.slot():
            outcome = "error"
            code, reason = await _Session(websocket, service).run()
            outcome = "finished"
        with contextlib.suppress(WebSocketDisconnect):  # the client need not wait for it
            await websocket.close(code, reason)
    except RequestError as error:
        await _close(websocket, error, _code(error))
    except WebSocketDisconnect:
        outcome = "left"
    except SpeechError as error:
        await _close(websocket, RequestError(400, str(error)), _UNSUPPORTED)
    except Exception as error:
        wrong = as_speech_error(error)
        service.report(wrong)
        await _close(websocket, RequestError(500, str(wrong)), _INTERNAL)
    finally:
        service.metrics.streams_total.labels(outcome).inc()


def _code(error: RequestError) -> int:
    if error.status == 503:
        return _TRY_AGAIN
    return _POLICY if error.status in (408, 413) else _UNSUPPORTED


async def _close(websocket: WebSocket, error: RequestError, code: int) -> None:
    try:
        await websocket.send_text(json.dumps(error.body()))
        reason = error.message.encode()[:_MAX_REASON].decode(errors="ignore")
        await websocket.close(code, reason)
    except (WebSocketDisconnect, RuntimeError):
        pass  # the client has left


class _Session:
    """One stream, from its first message to its end."""

    def __init__(self, websocket: WebSocket, service: Service) -> None:
        self._websocket, self._service = websocket, service
        self._config = StreamConfig()
        self._stream = service.stream()
        self._ending = asyncio.ensure_future(service.ending.wait())
        self._offset = 0.0  # seconds of audio before the last reset
        self._seconds = 0.0
        self._odd = b""  # half a sample that waits for its other half
        self._partial = ""
        self._before: tuple[str, ...] = ()  # words of the utterance before, for readable text

    async def run(self) -> tuple[int, str]:
        """Answer messages until the client ends its audio, or the server must end.

        Returns:
            Code and reason to close the connection with.

        Raises:
            RequestError: a wrong message, or a limit.
            WebSocketDisconnect: the client left.
        """
        try:
            while True:
                message = await self._next()
                if message is None:
                    await self._send(await self._finished())
                    return _RESTART, "the server is shutting down"
                if isinstance(message, bytes):
                    began = time.monotonic()
                    await self._send(await self._accepted(message))
                    self._service.metrics.reply_seconds.observe(time.monotonic() - began)
                    continue
                command = _command(message)
                if "config" in command:
                    self._config = _config(command["config"], self._config)
                    if self._config.readable:
                        self._service.check_readable()
                    continue
                await self._send(await self._finished())
                if "eof" in command:
                    return _NORMAL, ""
                self._offset = self._seconds
                self._before = ()
                self._stream = self._service.stream()
        finally:
            self._ending.cancel()
            self._stream.cancel()

    async def _next(self) -> str | bytes | None:
        """The next message; None if the server must end now.

        Raises:
            RequestError: it does not come.
            WebSocketDisconnect: the client left.
        """
        receiving = asyncio.ensure_future(self._websocket.receive())
        idle = self._service.options.idle_seconds
        try:
            await asyncio.wait(
                {self._ending, receiving}, timeout=idle, return_when=asyncio.FIRST_COMPLETED
            )
            if not receiving.done():
                if self._ending.done():
                    return None
                raise too_slow(idle)
            message = receiving.result()
        finally:
            receiving.cancel()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005), message.get("reason"))
        found: bytes | str | None = message.get("bytes")
        return found if found is not None else str(message["text"])

    async def _send(self, body: dict[str, Any]) -> None:
        await self._websocket.send_text(json.dumps(body))

    async def _accepted(self, data: bytes) -> dict[str, Any]:
        """The answer to audio."""
        data = self._odd + data
        whole = len(data) // 2 * 2
        self._odd = data[whole:]
        samples = np.frombuffer(data[:whole], "<i2")
        seconds = len(samples) / self._config.sample_rate
        if self._seconds + seconds > self._service.options.max_audio_seconds:
            raise too_long(self._service.options.max_audio_seconds)
        self._seconds += seconds
        self._service.metrics.audio_seconds.labels("stream").inc(seconds)
        events = await self._stream.accept(samples, self._config.sample_rate)
        return await self._answer(events)

    async def _finished(self) -> dict[str, Any]:
        """The answer to the end of the audio, or of its part before a reset."""
        events = await self._stream.finish()
        self._partial = ""
        return await self._result([event for event in events if isinstance(event, Final)])

    async def _answer(self, events: Sequence[Event]) -> dict[str, Any]:
        finals = [event for event in events if isinstance(event, Final)]
        for event in events:
            self._partial = event.text if isinstance(event, Partial) else ""
        return await self._result(finals) if finals else {"partial": self._partial}

    async def _result(self, finals: Sequence[Final]) -> dict[str, Any]:
        """The result of utterances that ended with one message; nearly always one."""
        count = self._config.max_alternatives
        if count:
            recognizer = self._service.recognizer
            found = await asyncio.to_thread(alternatives, recognizer, finals, count)
            body: dict[str, Any] = {"alternatives": [self._alternative(*one) for one in found]}
            for one, (sequence, _) in zip(body["alternatives"], found, strict=True):
                one.update(await self._readable([word for word, _, _ in sequence]))
            self._before = tuple(word for word, _, _ in found[0][0]) if found else ()
            return body
        words = [word for final in finals for word in final.result.words]
        spoken = tuple(word.word for word in words)
        body = {"text": " ".join(spoken), **await self._readable(spoken)}
        self._before = spoken or self._before
        if self._config.words and words:
            listed = [
                {"conf": round(one.confidence, 6), **self._times(one.word, one.start, one.end)}
                for one in words
            ]
            body = {"result": listed, **body}
        return body

    async def _readable(self, words: Sequence[str]) -> dict[str, str]:
        """The field ``readable`` of these words, if the client wants it."""
        if not self._config.readable:
            return {}
        return {"readable": await asyncio.to_thread(_readable_text, words, self._before)}

    def _alternative(self, words: Sequence[TimedWord], score: float) -> dict[str, Any]:
        body: dict[str, Any] = {
            "confidence": round(score, 6),
            "text": " ".join(word for word, _, _ in words),
        }
        if self._config.words and words:
            body["result"] = [self._times(*word) for word in words]
        return body

    def _times(self, word: str, start: float, end: float) -> dict[str, Any]:
        return {
            "end": round(end + self._offset, 6),
            "start": round(start + self._offset, 6),
            "word": word,
        }


def _readable_text(words: Sequence[str], before: Sequence[str]) -> str:
    return shipped_writer().text(words, before)


def _command(message: str) -> dict[str, Any]:
    try:
        command = json.loads(message)
    except (ValueError, RecursionError):
        command = None
    if not isinstance(command, dict) or not command.keys() & {"config", "eof", "reset"}:
        raise RequestError(
            400,
            'expected audio in binary messages, or JSON with "config", "eof" or "reset", '
            f"found the text {message[:40]!r}",
            code="invalid_message",
        )
    return command


def _config(given: Any, before: StreamConfig) -> StreamConfig:
    """The configuration after a message; fields that are unknown are passed over, as by Vosk.

    Raises:
        RequestError: what this server has not, or an impossible value.
    """
    if not isinstance(given, dict):
        raise _wrong("config", "an object", given)
    for name in ("phrase_list", "model"):
        if given.get(name):
            raise RequestError(
                400,
                f"{name}: this server has one model, and recognises all of its words",
                param=name,
                code="unsupported_parameter",
            )
    config = before
    if "sample_rate" in given:
        rate = given["sample_rate"]
        if not _is_number(rate) or not MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE:
            raise _wrong("sample_rate", f"{MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz", rate)
        config = replace(config, sample_rate=float(rate))
    if "words" in given:
        config = replace(config, words=bool(given["words"]))
    if "readable" in given:
        config = replace(config, readable=bool(given["readable"]))
    if "max_alternatives" in given:
        count = given["max_alternatives"]
        if not _is_number(count) or not 0 <= count <= _MAX_ALTERNATIVES:
            raise _wrong("max_alternatives", f"0 to {_MAX_ALTERNATIVES}", count)
        config = replace(config, max_alternatives=int(count))
    return config


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _wrong(name: str, expected: str, found: Any) -> RequestError:
    shown = json.dumps(found)[:40]
    message = f"{name}: expected {expected}, found {shown}"
    return RequestError(400, message, param=name, code="invalid_value")
