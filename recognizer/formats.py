"""Results as text, JSON lines or CTM; scripts rely on these forms, so they only ever grow."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import PurePath

from recognizer.result import Result


def text(path: str, result: Result, *, alone: bool = False) -> str:
    """``PATH<TAB>TRANSCRIPT``, or the transcript alone where there is only one file."""
    return f"{result.text}\n" if alone else f"{path}\t{result.text}\n"


def json_line(path: str, result: Result, *, alone: bool = False) -> str:
    """One JSON object: ``audio``, ``duration``, ``text`` and ``words``.

    Each word has its times in seconds and its confidence in [0, 1].
    """
    words = [
        {
            "word": word.word,
            "start": round(word.start, 3),
            "end": round(word.end, 3),
            "confidence": round(word.confidence, 4),
        }
        for word in result.words
    ]
    fields = {
        "audio": path,
        "duration": round(result.duration, 3),
        "text": result.text,
        "words": words,
    }
    return json.dumps(fields) + "\n"


def ctm(path: str, result: Result, *, alone: bool = False) -> str:
    """NIST's CTM: a line ``RECORDING 1 START DURATION WORD CONFIDENCE`` for each word, seconds.

    The recording is the file's name without its ending, as sclite and Kaldi want it; white space
    in it becomes an underscore, for the columns are separated by blanks.
    """
    recording = "_".join(PurePath(path).stem.split()) or "audio"
    return "".join(
        f"{recording} 1 {word.start:.2f} {word.end - word.start:.2f} {word.word} "
        f"{word.confidence:.3f}\n"
        for word in result.words
    )


FORMATS: Mapping[str, Callable[..., str]] = {"text": text, "json": json_line, "ctm": ctm}
"""What ``recognize --format`` offers."""
