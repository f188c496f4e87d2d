"""Results in the formats that OpenAI's clients know."""

from __future__ import annotations

import math
import zlib
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

from recognizer.formats.json_line import readable_field, word_objects
from recognizer.formats.subtitles import MEDIA_TYPES, srt, vtt
from recognizer.readable.writer import shipped_writer
from recognizer.recognition.result import Result, TranscriptSegment
from recognizer.serving.transcriptions.fields import TranscriptionRequest

_LEAST_CONFIDENCE = 1e-10
"""Stands for a confidence of 0, whose logarithm JSON cannot express."""


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
