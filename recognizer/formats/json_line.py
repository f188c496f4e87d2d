"""JSON: one object for a recording; programs rely on its fields, which only ever grow."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from recognizer.formats.recordings import Recording
from recognizer.recognition.result import Result, TranscriptSegment, Word


def json_line(recording: Recording, result: Result) -> str:
    """One JSON object in a line: ``audio``, ``duration``, ``text``, ``words`` and ``segments``.

    Times are in seconds from the recording's beginning, to the millisecond. A word has ``word``,
    ``start``, ``end`` and ``confidence`` in [0, 1]; a segment ``start``, ``end`` and ``text``.
    With a grammar, the object and each of its segments have ``rejected`` and ``tags`` too; with
    readable words, ``readable``, their text.
    """
    fields = {
        "audio": recording.path,
        "duration": round(result.duration, 3),
        "text": result.text,
        **readable_field(result),
        "words": word_objects(result.words),
        **match_fields(result),
        "segments": [
            {
                "start": round(one.start, 3),
                "end": round(one.end, 3),
                "text": one.text,
                **readable_field(one),
                **match_fields(replace(result, words=one.words, segments=(one,))),
            }
            for one in result.segments
        ],
    }
    return json.dumps(fields) + "\n"


def readable_field(of: Result | TranscriptSegment) -> dict[str, str]:
    """``readable``, the text as it is written, where somebody asked for it."""
    return {} if of.readable is None else {"readable": of.display_text}


def match_fields(result: Result) -> dict[str, Any]:
    """``rejected`` and ``tags`` where a grammar says what may be said; nothing elsewhere."""
    if not any(one.match is not None for one in result.segments):
        return {}
    return {"rejected": result.rejected, "tags": list(result.tags)}


def word_objects(words: Iterable[Word]) -> list[dict[str, Any]]:
    """Words as JSON has them: ``word``, ``start``, ``end``, ``confidence``."""
    return [
        {
            "word": word.word,
            "start": round(word.start, 3),
            "end": round(word.end, 3),
            "confidence": round(word.confidence, 4),
        }
        for word in words
    ]
