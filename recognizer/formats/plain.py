"""Transcripts without markup: for the terminal, as lines of text, as tab-separated values."""

from __future__ import annotations

from recognizer.formats.recordings import Recording
from recognizer.recognition.result import Result


def text(recording: Recording, result: Result) -> str:
    """``PATH<TAB>TRANSCRIPT``, or the transcript alone where there is only one file."""
    return (
        f"{result.display_text}\n"
        if recording.alone
        else f"{recording.path}\t{result.display_text}\n"
    )


def txt(result: Result) -> str:
    """The transcript with a line for each segment that has words."""
    return "".join(f"{one.display_text}\n" for one in result.segments if one.words)


def tsv(result: Result) -> str:
    """Tab-separated values as Whisper writes them: ``start``, ``end``, ``text`` of each segment.

    Times are whole milliseconds; the first line names the columns.
    """
    rows = [
        f"{milliseconds(one.start)}\t{milliseconds(one.end)}\t{one.display_text}\n"
        for one in result.segments
        if one.words
    ]
    return "".join(["start\tend\ttext\n", *rows])


def milliseconds(seconds: float) -> int:
    """The nearest whole number of milliseconds."""
    return round(seconds * 1000)
