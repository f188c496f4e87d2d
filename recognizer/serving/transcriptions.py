"""Transcription of uploads, in the shape of OpenAI's ``/v1/audio/transcriptions``."""

from __future__ import annotations

import asyncio
import math
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from recognizer.data.audio.conversion import Samples
from recognizer.data.audio.reader import AudioReader, first_seconds
from recognizer.data.errors import SpeechError
from recognizer.formats.json_line import readable_field, word_objects
from recognizer.formats.subtitles import srt, vtt
from recognizer.long.recognition import LONG_SECONDS, joined, recognize_segments
from recognizer.long.segmentation import SegmentationOptions
from recognizer.readable.writer import shipped_writer
from recognizer.recognition.result import Result, TranscriptSegment
from recognizer.serving.errors import RequestError, draining, too_long
from recognizer.serving.service import OPENAI_MODEL, Service
from recognizer.serving.subtitles import MEDIA_TYPES
from recognizer.serving.uploads import Upload, read_upload

RESPONSE_FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
GRANULARITIES = ("word", "segment")

WITHOUT_EFFECT = ("prompt", "temperature", "chunking_strategy")
"""Fields of OpenAI's that are accepted and change nothing: recognition takes no prompt, draws no
random numbers, and cuts recordings by itself."""

_FIELDS = (
    "file",
    "model",
    "language",
    "response_format",
    "timestamp_granularities[]",
    "stream",
    "readable",
)

_LEAST_CONFIDENCE = 1e-10
"""Stands for a confidence of 0, whose logarithm JSON cannot express."""


@dataclass(frozen=True)
class TranscriptionRequest:
    """What a client wants to know.

    Attributes:
        response_format: one of `RESPONSE_FORMATS`.
        granularities: what ``verbose_json`` lists, of `GRANULARITIES`.
        readable: whether text has punctuation, capital letters and digits; OpenAI has no such
            field. JSON then has ``readable`` beside ``text``, and other formats have it instead.
    """

    response_format: str
    granularities: tuple[str, ...]
    readable: bool = False


async def transcribe(request: Request) -> Response:
    """``POST /v1/audio/transcriptions``."""
    service: Service = request.app.state.service
    options, metrics = service.options, service.metrics
    began = time.monotonic()
    with service.uploads.slot():
        async with read_upload(request, options.max_upload_bytes, options.idle_seconds) as upload:
            wanted = parsed_request(upload.form, service.model_name, service.language)
            if wanted.readable:
                service.check_readable()
            work = _Recognition(service, upload)
            result = await _while_connected(request, service, work)
            metrics.audio_seconds.labels("upload").inc(result.duration)
            answer = await asyncio.to_thread(answer_of, result, wanted, service.language)
    metrics.upload_seconds.observe(time.monotonic() - began)
    return answer


class _Recognition:
    """The recognition of an upload, in a thread."""

    def __init__(self, service: Service, upload: Upload) -> None:
        self._service, self._upload = service, upload
        self.cancelled = threading.Event()

    def __call__(self) -> Result:
        """Recognise the upload; a long one segment by segment, in bounded memory.

        Raises:
            RequestError: it is no audio, or too long.
            ClientDisconnect: nobody waits for it any more.
        """
        recognizer = self._service.recognizer
        try:
            with AudioReader(self._upload.file) as reader:
                pieces, whole = first_seconds(self._checked(reader), LONG_SECONDS)
                if whole is not None:
                    return recognizer.recognize_samples(whole)
                found = recognize_segments(recognizer, pieces, SegmentationOptions(), threads=1)
                # Of hours of audio, the lattices would fill the memory.
                segments = [replace(one, lattice=None) for one in found]
                return joined(segments, reader.read)
        except SpeechError as error:
            raise RequestError(400, str(error), param="file", code="invalid_audio") from None

    def _checked(self, reader: AudioReader) -> Iterator[Samples]:
        """The recording, up to where it is too long, or nobody waits for it any more."""
        limit = self._service.options.max_audio_seconds
        if reader.seconds is not None and reader.seconds > limit:
            raise too_long(limit)
        for piece in reader:
            if reader.read > limit:
                raise too_long(limit)
            if self.cancelled.is_set():
                raise ClientDisconnect
            yield piece


async def _while_connected(request: Request, service: Service, work: _Recognition) -> Result:
    """The result of work that is given up when nobody waits for it any more."""
    running = asyncio.get_running_loop().run_in_executor(service.threads, work)
    ending = asyncio.ensure_future(service.ending.wait())
    leaving = asyncio.ensure_future(_disconnected(request))
    waits: set[asyncio.Future[Any]] = {running, ending, leaving}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            return running.result()
        if ending.done():
            raise draining()
        raise ClientDisconnect
    finally:
        work.cancelled.set()
        ending.cancel()
        leaving.cancel()
        if not running.cancel():
            # The upload's file may be closed only when the thread has let go of it.
            await asyncio.wait({running})


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def parsed_request(form: FormData, model_name: str, language: str) -> TranscriptionRequest:
    """What a form asks for.

    Raises:
        RequestError: an unknown field, or a value that cannot be served.
    """
    for name in form:
        if name not in _FIELDS + WITHOUT_EFFECT:
            raise RequestError(400, f"{name}: unknown field", param=name, code="unknown_parameter")
    model = _text(form, "model", model_name)
    if model not in (model_name, OPENAI_MODEL):
        raise RequestError(
            404,
            f"model: expected {model_name!r} or {OPENAI_MODEL!r}, found {model!r}",
            param="model",
            code="model_not_found",
        )
    spoken = _text(form, "language", language)
    if _primary(spoken) != _primary(language):
        raise _wrong_value("language", f"{_primary(language)!r}, the model's", spoken)
    if _text(form, "stream", "false").lower() != "false":
        raise _wrong_value("stream", "'false' (live results come over the websocket)", "true")
    response_format = _text(form, "response_format", "json")
    if response_format not in RESPONSE_FORMATS:
        raise _wrong_value("response_format", ", ".join(RESPONSE_FORMATS), response_format)
    granularities = tuple(str(value) for value in form.getlist("timestamp_granularities[]"))
    for granularity in granularities:
        if granularity not in GRANULARITIES:
            raise _wrong_value("timestamp_granularities[]", " or ".join(GRANULARITIES), granularity)
    if granularities and response_format != "verbose_json":
        raise _wrong_value("response_format", "verbose_json with timestamps", response_format)
    readable = _text(form, "readable", "false").lower()
    if readable not in ("true", "false"):
        raise _wrong_value("readable", "'true' or 'false'", readable)
    return TranscriptionRequest(response_format, granularities or ("segment",), readable == "true")


def _text(form: FormData, name: str, default: str) -> str:
    value = form.get(name, default)
    if not isinstance(value, str):
        raise _wrong_value(name, "text", "a file")
    return value or default


def _primary(tag: str) -> str:
    return tag.lower().replace("_", "-").split("-")[0]


def _wrong_value(param: str, expected: str, found: str) -> RequestError:
    message = f"{param}: expected {expected}, found {found!r}"
    return RequestError(400, message, param=param, code="invalid_value")


def answer_of(result: Result, wanted: TranscriptionRequest, language: str) -> Response:
    """A result in the format that the client wants."""
    if wanted.readable:
        result = shipped_writer().result(result)
    if wanted.response_format == "text":
        return PlainTextResponse(result.display_text + "\n")
    if wanted.response_format == "srt":
        return PlainTextResponse(srt(result), media_type=MEDIA_TYPES["srt"])
    if wanted.response_format == "vtt":
        return PlainTextResponse(vtt(result), media_type=MEDIA_TYPES["vtt"])
    usage = {"type": "duration", "seconds": math.ceil(result.duration)}
    if wanted.response_format == "json":
        return JSONResponse({"text": result.text, **readable_field(result), "usage": usage})
    body: dict[str, Any] = {
        "task": "transcribe",
        "language": language,
        "duration": round(result.duration, 3),
        "text": result.text,
        **readable_field(result),
        "usage": usage,
    }
    if "segment" in wanted.granularities:
        body["segments"] = [_segment(i, one) for i, one in enumerate(result.segments)]
    if "word" in wanted.granularities:
        body["words"] = word_objects(result.words)
    return JSONResponse(body)


def _segment(number: int, segment: TranscriptSegment) -> dict[str, Any]:
    """A segment with all the fields that Whisper's have.

    ``tokens``, ``seek``, ``temperature`` and ``no_speech_prob`` describe Whisper's decoding, which
    has no counterpart here: they are empty or 0. ``avg_logprob`` is the mean logarithm of the
    words' confidences, ``compression_ratio`` is computed as Whisper does.
    """
    logs = [math.log(max(word.confidence, _LEAST_CONFIDENCE)) for word in segment.words]
    text = segment.text.encode()
    return {
        "id": number,
        "seek": 0,
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "text": segment.text,
        **readable_field(segment),
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": round(sum(logs) / len(logs), 4) if logs else 0.0,
        "compression_ratio": round(len(text) / len(zlib.compress(text)), 4),
        "no_speech_prob": 0.0,
    }
