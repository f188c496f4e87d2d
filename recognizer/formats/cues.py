"""Words cut into cues: the texts of subtitles, each shown for a stretch of time.

What makes a cue readable are the rules that broadcasters and streaming services agree on: at most
two lines of some 40 characters, no more characters a second than people read, neither too short nor
too long on the screen, a moment of nothing between two cues. Cues are cut where speakers pause.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from recognizer.data.errors import UsageError
from recognizer.formats.plain import milliseconds
from recognizer.recognition.result import Word

_GOOD_PAUSE = 500
"""Milliseconds of silence after which nothing speaks against a cut."""

_CUT_COST = 1.0
"""Of a cut where the speaker does not pause; the cost of one more cue is the unit."""

_UNEVEN_COST = 0.5
"""Of a cue with hardly any text: three cues of 40 characters are better than 60, 50 and 10."""

_SHORT_COST = 5.0
"""Of a cue that is shown for no time at all."""

_FAST_COST = 10.0
"""Of a cue that asks for twice the reading speed that is allowed."""


@dataclass(frozen=True)
class SubtitleOptions:
    """How words become the cues of subtitles.

    The lengths are kept whatever the words are, except that a word is never split: one that is
    longer than a line is a line, and one that lasts longer than a cue is a cue. How long a cue can
    be shown, however, depends on how fast is spoken: where a speaker leaves no time to read, cuts
    are where they do the least harm.

    Attributes:
        max_line_length: characters of a line.
        max_lines: lines of a cue.
        max_characters_per_second: reading speed: a cue is shown longer than it is spoken, if need
            be and as far as the pause after it allows.
        min_duration: seconds; a shorter cue is shown longer as far as the pause after it allows.
        max_duration: seconds.
        min_gap: seconds between two cues. Where there is no pause, the first ends earlier by so
            much; yet its last word is shown for at least half the time until the next cue.
        max_pause: seconds of silence inside a cue.
        word_timestamps: say when each word begins: WebVTT has time stamps before the words; SRT has
            a cue for each word, in which it is underlined.

    Raises:
        UsageError: a value that is impossible.
    """

    max_line_length: int = 42
    max_lines: int = 2
    max_characters_per_second: float = 20.0
    min_duration: float = 1.0
    max_duration: float = 7.0
    min_gap: float = 0.08
    max_pause: float = 1.0
    word_timestamps: bool = False

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("max_line_length", "max_lines"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected at least 1, found {getattr(self, name)}")
        for name in ("max_characters_per_second", "max_duration"):
            value = getattr(self, name)
            if not 0.0 < value < math.inf:
                raise UsageError(f"{name}: expected a positive number, found {value:g}")
        for name in ("min_duration", "min_gap", "max_pause"):
            value = getattr(self, name)
            if not 0.0 <= value < math.inf:
                raise UsageError(f"{name}: expected a number from 0 on, found {value:g}")
        if self.min_duration > self.max_duration:
            raise UsageError(
                f"min_duration: expected at most max_duration {self.max_duration:g}, "
                f"found {self.min_duration:g}"
            )


@dataclass(frozen=True)
class CueWord:
    """A word of a cue.

    Attributes:
        text: as recognised.
        start: milliseconds from the recording's beginning; later than that of the word before.
        end: milliseconds from the recording's beginning.
    """

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Cue:
    """Text that is shown for a stretch of time.

    Attributes:
        start: milliseconds from the recording's beginning.
        end: milliseconds from the recording's beginning, after `start`.
        lines: of words.
    """

    start: int
    end: int
    lines: tuple[tuple[CueWord, ...], ...]

    @property
    def words(self) -> tuple[CueWord, ...]:
        """The words of all lines."""
        return tuple(word for line in self.lines for word in line)

    @property
    def text(self) -> str:
        """The lines, separated by line feeds."""
        return "\n".join(" ".join(word.text for word in line) for line in self.lines)


def cues(
    words: Sequence[Word], duration: float, options: SubtitleOptions | None = None
) -> list[Cue]:
    """Cut the words of a recording into cues.

    Of all ways to cut, the one with the lowest cost is found by dynamic programming: each cue
    costs something, the more the shorter it is shown and the faster it must be read, and a cut
    costs the more the less the speaker pauses there.

    Args:
        words: of the whole recording, in order.
        duration: of the recording, in seconds; the last cue is not shown longer.
        options: what cues must be like.

    Returns:
        The cues in order. They have every word once, and do not overlap.
    """
    options = options or SubtitleOptions()
    timed = _timed(words)
    cutter = _Cutter(timed, milliseconds(duration), options)
    found = []
    for first, end in cutter.cuts():
        part = timed[first:end]
        lines = _balanced(part, options.max_line_length)
        found.append(Cue(part[0].start, cutter.shown_until(first, end), lines))
    return found


def _timed(words: Sequence[Word]) -> list[CueWord]:
    """Words in milliseconds; each begins later than the one before it, however odd its times."""
    timed: list[CueWord] = []
    for word in words:
        start, end = milliseconds(word.start), milliseconds(word.end)
        if timed:
            start = max(start, timed[-1].start + 1)
        timed.append(CueWord(word.word, start, max(start + 1, end)))
    return timed


class _Cutter:
    """Finds where to cut.

    Args:
        words: of the recording.
        duration: of the recording, in milliseconds.
        options: what cues must be like.
    """

    def __init__(self, words: Sequence[CueWord], duration: int, options: SubtitleOptions) -> None:
        self._words = words
        self._duration = duration
        self._options = options
        self._min_duration = milliseconds(options.min_duration)
        self._max_duration = milliseconds(options.max_duration)
        self._min_gap = milliseconds(options.min_gap)
        self._max_pause = milliseconds(options.max_pause)
        self._characters_before: list[int] = [0]
        for word in words:
            self._characters_before.append(self._characters_before[-1] + len(word.text))

    def cuts(self) -> list[tuple[int, int]]:
        """The first word of each cue and the one after its last."""
        count = len(self._words)
        best = [0.0] + [math.inf] * count
        begin = [0] * (count + 1)
        for first in range(count):
            for end in self._ends(first):
                cost = best[first] + self._cost(first, end)
                if cost < best[end]:
                    best[end], begin[end] = cost, first
        found: list[tuple[int, int]] = []
        end = count
        while end:
            found.append((begin[end], end))
            end = begin[end]
        return found[::-1]

    def shown_until(self, first: int, end: int) -> int:
        """When a cue of the words `first` to before `end` disappears, in milliseconds."""
        words = self._words[first:end]
        start, spoken = words[0].start, words[-1].end
        seconds = self._characters(first, end) / self._options.max_characters_per_second
        wanted = min(max(self._min_duration, math.ceil(seconds * 1000)), self._max_duration)
        if end == len(self._words):
            return max(spoken, min(start + wanted, self._duration))
        after = self._words[end].start
        latest = max(after - self._min_gap, -(-(words[-1].start + after) // 2))
        return min(max(spoken, start + wanted), latest)

    def _ends(self, first: int) -> list[int]:
        """Where a cue that begins with the word `first` may end."""
        options, words = self._options, self._words
        ends = [first + 1]
        lines, length = 1, len(words[first].text)
        for index in range(first + 1, len(words)):
            word, before = words[index], words[index - 1]
            length += 1 + len(word.text)
            if length > options.max_line_length:
                lines, length = lines + 1, len(word.text)
            if (
                lines > options.max_lines
                or word.end - words[first].start > self._max_duration
                or word.start - before.end > self._max_pause
            ):
                break
            ends.append(index + 1)
        return ends

    def _characters(self, first: int, end: int) -> int:
        """Letters of the words and the spaces or line ends between them."""
        return self._characters_before[end] - self._characters_before[first] + end - first - 1

    def _cost(self, first: int, end: int) -> float:
        options = self._options
        characters = self._characters(first, end)
        shown = self.shown_until(first, end) - self._words[first].start
        cost = 1.0
        full = characters / (options.max_line_length * options.max_lines)
        cost += _UNEVEN_COST * max(0.0, 1.0 - full) ** 2
        if shown < self._min_duration:
            cost += _SHORT_COST * (1.0 - shown / self._min_duration)
        speed = characters * 1000 / shown / options.max_characters_per_second
        if speed > 1.0:
            cost += _FAST_COST * (speed - 1.0)
        if end < len(self._words):
            pause = self._words[end].start - self._words[end - 1].end
            cost += _CUT_COST * (1.0 - min(max(pause / _GOOD_PAUSE, 0.0), 1.0))
        return cost


def _balanced(words: Sequence[CueWord], width: int) -> tuple[tuple[CueWord, ...], ...]:
    """As few lines as there can be, the longest of them as short as it can be."""
    fewest = len(_filled(words, width))
    narrow: int = bisect_left(
        range(width), True, key=lambda one: len(_filled(words, one)) <= fewest
    )
    return _filled(words, narrow)


def _filled(words: Sequence[CueWord], width: int) -> tuple[tuple[CueWord, ...], ...]:
    """Each line filled as far as the words fit; a longer word is a line of its own."""
    lines: list[list[CueWord]] = []
    length = 0
    for word in words:
        length += 1 + len(word.text)
        if not lines or length > width:
            lines.append([])
            length = len(word.text)
        lines[-1].append(word)
    return tuple(tuple(line) for line in lines)
