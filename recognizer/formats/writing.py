"""A result in a format that is known by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from recognizer.formats.ctm import ctm
from recognizer.formats.cues import SubtitleOptions
from recognizer.formats.json_line import json_line
from recognizer.formats.plain import text, tsv, txt
from recognizer.formats.recordings import Recording
from recognizer.formats.subtitles import srt, vtt
from recognizer.recognition.result import Result

_WRITERS: Mapping[str, Callable[[Recording, Result, SubtitleOptions | None], str]] = {
    "text": lambda recording, result, _: text(recording, result),
    "txt": lambda _, result, __: txt(result),
    "json": lambda recording, result, _: json_line(recording, result),
    "tsv": lambda _, result, __: tsv(result),
    "srt": lambda _, result, options: srt(result, options),
    "vtt": lambda _, result, options: vtt(result, options),
    "ctm": lambda recording, result, _: ctm(recording, result),
}


def formatted(
    name: str, recording: Recording, result: Result, options: SubtitleOptions | None = None
) -> str:
    """A result in a format of `recognizer.formats.names.FORMATS`; `options` are of subtitles."""
    return _WRITERS[name](recording, result, options)
