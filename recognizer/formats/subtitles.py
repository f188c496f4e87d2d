"""Subtitles: SubRip (``srt``) and WebVTT (``vtt``).

Both are written here, since writers at hand stop at 100 hours or do not escape what WebVTT takes
for markup; how words are cut into cues is in `recognizer.formats.cues`.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterator

from recognizer.formats.cues import Cue, CueWord, SubtitleOptions, cues
from recognizer.recognition.result import Result, display_words

MEDIA_TYPES = {"srt": "application/x-subrip", "vtt": "text/vtt"}
"""What the formats are called over HTTP."""


def srt(result: Result, options: SubtitleOptions | None = None) -> str:
    """SubRip: numbered cues with times ``HH:MM:SS,mmm``; nothing where there are no words.

    With word time stamps a cue is shown once for each of its words, which is underlined, as Whisper
    does with ``--highlight_words``.

    Args:
        result: of one recording.
        options: lengths of lines and cues.

    Returns:
        The text of a whole file.
    """
    options = options or SubtitleOptions()
    parts = _highlighted if options.word_timestamps else _whole
    found = cues(display_words(result), result.duration, options)
    shown = itertools.chain.from_iterable(parts(cue) for cue in found)
    return "".join(
        f"{number}\n{_time(start, ',')} --> {_time(end, ',')}\n{text}\n\n"
        for number, (start, end, text) in enumerate(shown, start=1)
    )


def vtt(result: Result, options: SubtitleOptions | None = None) -> str:
    """WebVTT: cues with times ``HH:MM:SS.mmm`` (W3C, "WebVTT: The Web Video Text Tracks Format").

    With word time stamps each word but a cue's first follows a time-stamp tag that says when it
    begins.

    Args:
        result: of one recording.
        options: lengths of lines and cues.

    Returns:
        The text of a whole file.
    """
    options = options or SubtitleOptions()
    found = cues(display_words(result), result.duration, options)
    return "WEBVTT\n\n" + "".join(
        f"{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n"
        f"{_stamped(cue) if options.word_timestamps else html.escape(cue.text, quote=False)}\n\n"
        for cue in found
    )


def _whole(cue: Cue) -> Iterator[tuple[int, int, str]]:
    """Start, end and text of a cue."""
    yield cue.start, cue.end, cue.text


def _highlighted(cue: Cue) -> Iterator[tuple[int, int, str]]:
    """Start, end and text for each word of a cue, which is underlined from its start on."""
    words = cue.words
    borders = [cue.start, *(word.start for word in words[1:]), cue.end]
    for word, (start, end) in zip(words, itertools.pairwise(borders), strict=True):
        lines = (
            " ".join(f"<u>{one.text}</u>" if one is word else one.text for one in line)
            for line in cue.lines
        )
        yield start, end, "\n".join(lines)


def _stamped(cue: Cue) -> str:
    """The text of a cue with a time-stamp tag before each word but the first."""
    first = cue.lines[0][0]

    def marked(word: CueWord) -> str:
        tag = "" if word is first else f"<{_time(word.start, '.')}>"
        return tag + html.escape(word.text, quote=False)

    return "\n".join(" ".join(marked(word) for word in line) for line in cue.lines)


def _time(milliseconds: int, point: str) -> str:
    """``HH:MM:SS.mmm``; hours have more digits from 100 on."""
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{rest:03}"
