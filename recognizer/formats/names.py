"""The names of the formats; a module of its own, so that ``recognize --help`` loads no more."""

from __future__ import annotations

import difflib

from recognizer.data.errors import UsageError

FORMATS = ("text", "txt", "json", "tsv", "srt", "vtt", "ctm")
"""What ``recognize --format`` offers. A file's name ends in its format's name."""

SEVERAL = ("text", "json", "ctm")
"""Formats that name the recording, so that those of several recordings can follow each other."""


def format_names(text: str) -> tuple[str, ...]:
    """The formats of a list such as ``srt,json``, each once, in that order.

    Raises:
        UsageError: there is no such format; names similar ones.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in FORMATS:
            near = difflib.get_close_matches(name.lower().removeprefix("."), FORMATS, 2, 0.4)
            hint = f" (did you mean {' or '.join(near)}?)" if near else ""
            raise UsageError(f"--format: expected {', '.join(FORMATS)}, found {name!r}{hint}")
    return names


def output_format(text: str, recordings: int) -> str:
    """The one format for standard output, which so many recordings share.

    Raises:
        UsageError: several formats, or one that cannot hold several recordings.
    """
    names = format_names(text)
    if len(names) > 1:
        raise UsageError(
            f"--format: expected one format for standard output, found {', '.join(names)} "
            "(--output-dir writes a file of each)"
        )
    if recordings > 1 and names[0] not in SEVERAL:
        raise UsageError(
            f"--format {names[0]}: expected one recording, found {recordings} "
            "(--output-dir writes a file for each)"
        )
    return names[0]
