"""NIST's time-marked files for scoring: segments of an ``stm``, words of a ``ctm``.

The rules are sclite's (SCTK, ``stm.c``, ``fillmrks.c``, ``stm2ctm.c``), except that neither file
needs to be sorted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines

IGNORED = ("IGNORE_TIME_SEGMENT_IN_SCORING", "IGNORETIMESEGMENTINSCORING")
"""A segment whose transcript has one of these is not scored, nor are the words in it."""


@dataclass(frozen=True)
class StmSegment:
    """One line of an ``stm``.

    Attributes:
        speaker: who speaks.
        start: seconds from the recording's beginning.
        end: seconds from the recording's beginning.
        label: the field in angle brackets, such as ``<o,f0,male>``, or empty.
        text: the transcript, in sclite's notation.
        where: file and line.
    """

    speaker: str
    start: float
    end: float
    label: str
    text: str
    where: str

    @property
    def ignored(self) -> bool:
        """Whether nothing in the segment is scored."""
        return any(mark in self.text.upper() for mark in IGNORED)


@dataclass(frozen=True)
class CtmWord:
    """A word of a ``ctm``, or several alternatives for it.

    Attributes:
        start: seconds; of alternatives the first word's.
        middle: half-way between start and end in seconds; of alternatives the latest.
        alternatives: sequences of words; a single sequence of one for an ordinary word.
    """

    start: float
    middle: float
    alternatives: tuple[tuple[str, ...], ...]


def content_lines(path: str | Path) -> Iterator[tuple[str, str]]:
    """Lines that are neither empty nor comments (``;;``), each after its file and number.

    Raises:
        SpeechError: an unreadable file.
    """
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip() and not line.startswith(";;"):
            yield f"{path}:{number}", line


def read_stm(path: str | Path) -> dict[tuple[str, str], list[StmSegment]]:
    """Segments by recording and channel, sorted by time.

    A line is ``recording channel speaker start end [<label>] transcript``; lines that begin with
    ``;;`` are comments. As for sclite, a word that begins with ``<`` behind the times is the label.

    Raises:
        SpeechError: an unreadable file, a malformed line.
    """
    segments: dict[tuple[str, str], list[StmSegment]] = {}
    for where, line in content_lines(path):
        fields = line.split(maxsplit=5)
        try:
            recording, channel, speaker, *times = fields[:5]
            start, end = (_seconds(field) for field in times)
        except ValueError:
            raise SpeechError(
                f"{where}: expected recording, channel, speaker, start and end in seconds and a "
                f"transcript, found {line.strip()!r}"
            ) from None
        if start > end:
            raise SpeechError(f"{where}: expected start <= end in seconds, found {start} {end}")
        label, text = "", fields[5] if len(fields) > 5 else ""
        if text.startswith("<"):
            label, *rest = text.split(maxsplit=1)
            text = "".join(rest)
        segments.setdefault((recording, channel), []).append(
            StmSegment(speaker, start, end, label, text, where)
        )
    for found in segments.values():
        found.sort(key=lambda segment: segment.start)
    return segments


def read_ctm_words(path: str | Path) -> dict[tuple[str, str], list[CtmWord]]:
    """Words by recording and channel, sorted by time.

    A line is ``recording channel start duration word [confidence]``; lines that begin with ``;;``
    are comments. Alternatives stand between lines with the words ``<ALT_BEGIN>``, ``<ALT>`` and
    ``<ALT_END>``, whose times are not read; an alternative without words stands for no word.

    Raises:
        SpeechError: an unreadable file, a malformed line, alternatives without an end, a recording
            that comes again after others and begins anew: two of one name would be made into one.
    """
    words: dict[tuple[str, str], list[CtmWord]] = {}
    latest: dict[tuple[str, str], float] = {}
    before: tuple[str, str] | None = None
    alternation: _Alternation | None = None
    for where, line in content_lines(path):
        fields = line.split()
        if len(fields) < 5:
            raise _bad_ctm_line(where, line)
        key, word = (fields[0], fields[1]), fields[4]
        mark = word.upper()
        if alternation is not None and (key != alternation.key or mark == "<ALT_BEGIN>"):
            raise SpeechError(f"{alternation.where}: expected <ALT_END> behind it, found none")
        if mark == "<ALT_BEGIN>":
            alternation = _Alternation(where, key)
            continue
        if mark in ("<ALT>", "<ALT_END>"):
            if alternation is None:
                raise SpeechError(f"{where}: expected <ALT_BEGIN> before {word}, found none")
            if mark == "<ALT>":
                alternation.words.append([])
                continue
            if alternation.middles:  # without any word there is nothing to align
                words.setdefault(key, []).append(alternation.word())
            alternation = None
            continue
        try:
            start, duration = (_seconds(field.removeprefix("&&")) for field in fields[2:4])
        except ValueError:
            raise _bad_ctm_line(where, line) from None
        if key != before and start < latest.get(key, start):
            raise SpeechError(
                f"{where}: expected recording {key[0]!r}, channel {key[1]}, to go on after "
                f"{latest[key]:g} s, found {start:g} s: are these two recordings of one name?"
            )
        before, latest[key] = key, max(start, latest.get(key, start))
        middle = start + duration / 2.0
        if alternation is None:
            words.setdefault(key, []).append(CtmWord(start, middle, ((word,),)))
        else:
            alternation.starts.append(start)
            alternation.middles.append(middle)
            alternation.words[-1].append(word)
    if alternation is not None:
        raise SpeechError(f"{alternation.where}: expected <ALT_END> behind it, found none")
    for found in words.values():
        found.sort(key=lambda word: word.start)
    return words


def segment_words(
    segments: Sequence[StmSegment], words: Sequence[CtmWord]
) -> list[Sequence[CtmWord]]:
    """The words of a channel by segment, as sclite assigns them.

    A segment has the words whose middle lies before its end and that no earlier segment has: words
    in a gap belong to the next segment. The last segment has all that are left. Ends are rounded to
    float32, as sclite keeps them, which decides where a middle lies on an end.

    Args:
        segments: of one channel, sorted by time.
        words: of the same channel, sorted by time.
    """
    found: list[Sequence[CtmWord]] = []
    begin = 0
    for number, segment in enumerate(segments, start=1):
        end = begin
        if number == len(segments):
            end = len(words)
        limit = float(np.float32(segment.end))
        while end < len(words) and words[end].middle < limit:
            end += 1
        found.append(words[begin:end])
        begin = end
    return found


class _Alternation:
    """The lines between ``<ALT_BEGIN>`` and ``<ALT_END>``."""

    def __init__(self, where: str, key: tuple[str, str]) -> None:
        self.where = where
        self.key = key
        self.starts: list[float] = []
        self.middles: list[float] = []
        self.words: list[list[str]] = [[]]

    def word(self) -> CtmWord:
        words = tuple(tuple(words) for words in self.words)
        return CtmWord(self.starts[0], max(self.middles), words)


def _seconds(field: str) -> float:
    value = float(field)
    if not math.isfinite(value) or value < 0:
        raise ValueError
    return value


def _bad_ctm_line(where: str, line: str) -> SpeechError:
    return SpeechError(
        f"{where}: expected recording, channel, start, duration, word and perhaps a confidence, "
        f"found {line.strip()!r}"
    )
