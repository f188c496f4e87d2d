"""Subtitles of words that a client has already, such as those of a stream."""

from __future__ import annotations

import asyncio
import itertools
import math
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from recognizer.formats.subtitles import MEDIA_TYPES, srt, vtt
from recognizer.recognition.result import Hypothesis, Result, Word
from recognizer.serving.shared.errors import RequestError
from recognizer.serving.shared.service import Service
from recognizer.serving.shared.uploads import read_json

_MAX_BYTES = 32 * 1024 * 1024
_WRITERS = {"srt": srt, "vtt": vtt}


async def subtitles(request: Request) -> Response:
    """``POST /v1/subtitles``: ``{"format": "srt", "words": [{"word", "start", "end"}, ...]}``.

    An optional ``duration`` in seconds says how long the last subtitle may be shown.
    """
    service: Service = request.app.state.service
    body = await read_json(request, _MAX_BYTES, service.options.idle_seconds)
    if not isinstance(body, dict) or not isinstance(body.get("words"), list):
        raise _wrong("words", "an object with a list of words", body)
    write = _WRITERS.get(str(body.get("format")))
    if write is None:
        raise _wrong("format", " or ".join(_WRITERS), body.get("format"))
    words = tuple(_word(one) for one in body["words"])
    if any(before.start > after.start for before, after in itertools.pairwise(words)):
        raise _wrong("words", "words in the order of their times", "another order")
    nothing = Hypothesis((), 0.0, 0.0)
    duration = body.get("duration", max((word.end for word in words), default=0.0))
    if not _is_time(duration):
        raise _wrong("duration", "seconds", duration)
    result = Result(words, float(duration), 0, nothing, nothing)
    text = await asyncio.to_thread(write, result)
    return PlainTextResponse(text, media_type=MEDIA_TYPES[str(body["format"])])


def _word(given: Any) -> Word:
    if isinstance(given, dict):
        word, start, end = (given.get(name, "") for name in ("word", "start", "end"))
        if isinstance(word, str) and word and _is_time(start) and _is_time(end) and start <= end:
            return Word(word, float(start), float(end), 1.0)
    raise _wrong("words", "a word with a start and an end in seconds", given)


def _is_time(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0.0 <= value < math.inf


def _wrong(param: str, expected: str, found: Any) -> RequestError:
    message = f"{param}: expected {expected}, found {found!r:.60}"
    return RequestError(400, message, param=param, code="invalid_value")
