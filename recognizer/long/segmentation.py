"""Where a long recording is cut: at silences, into segments of bounded length.

The cuts are a function of the whole recording's log odds of silence and do not depend on how these
arrive: a segment is decided on when its longest possible window has been seen, never earlier.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import UsageError
from recognizer.long.averaging import RunningMean

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SegmentationOptions:
    """Lengths in seconds.

    Attributes:
        min_length: a shorter segment is ended by a `max_silence` or by the recording's end only.
        max_length: at most this far from its start a segment is cut.
        long_silence: ends a segment that has the minimum length.
        max_silence: ends any segment.
        min_silence: the shortest silence that a segment of the maximum length may be cut in.
        padding: silence that is kept before the first and after the last speech of a segment.
        overlap: where there is no silence to cut in, what both segments share on either side of
            the cut, so that each word is whole in one of them.
        smoothing: over this time the log odds of silence are averaged.
        threshold: averaged log odds (natural) above which a frame is silence.

    Raises:
        UsageError: lengths that contradict each other.
    """

    min_length: float = 5.0
    max_length: float = 30.0
    long_silence: float = 0.8
    max_silence: float = 2.0
    min_silence: float = 0.3
    padding: float = 0.4
    overlap: float = 2.0
    smoothing: float = 0.3
    threshold: float = 2.0

    def __post_init__(self) -> None:
        for name, holds, expected in (
            ("padding", self.padding >= 0.0, "at least 0"),
            ("smoothing", self.smoothing >= 0.0, "at least 0"),
            ("overlap", self.overlap >= 0.0, "at least 0"),
            ("min_silence", self.min_silence > 0.0, "more than 0"),
            (
                "long_silence",
                self.long_silence >= max(2 * self.padding, self.min_silence),
                f"at least twice the padding {self.padding} and the min_silence {self.min_silence}",
            ),
            (
                "max_silence",
                self.max_silence >= self.long_silence,
                f"at least the long_silence {self.long_silence}",
            ),
            ("min_length", self.min_length > 0.0, "more than 0"),
            (
                "max_length",
                2 * max(self.min_length, 2 * self.overlap) <= self.max_length < float("inf"),
                f"at least twice the min_length {self.min_length}, and four times the overlap "
                f"{self.overlap}",
            ),
            ("threshold", abs(self.threshold) < float("inf"), "a finite number"),
        ):
            if not holds:
                raise UsageError(f"{name}: expected {expected}, found {getattr(self, name)}")


@dataclass(frozen=True)
class Span:
    """Frames [begin, end) of a recording that are recognised together.

    Attributes:
        begin: first output frame.
        end: one after the last output frame.
        cut: where there was no silence to cut in, the frame up to which words are taken from this
            span: it lies before `end`, and the next span begins before it. None: the span ends in
            silence or with the recording.
    """

    begin: int
    end: int
    cut: int | None = None


class Segmenter:
    """Cuts a recording whose log odds of silence come piece by piece.

    Args:
        options: lengths.
        frame_shift: seconds of an output frame.
    """

    def __init__(self, options: SegmentationOptions, frame_shift: float) -> None:
        def frames(seconds: float) -> int:
            return max(1, round(seconds / frame_shift))

        self._min_length = frames(options.min_length)
        self._max_length = frames(options.max_length)
        self._long_silence = frames(options.long_silence)
        self._max_silence = frames(options.max_silence)
        self._min_silence = frames(options.min_silence)
        self._padding = round(options.padding / frame_shift)
        self._overlap = round(options.overlap / frame_shift)
        self._threshold = options.threshold
        self._average = RunningMean(round(options.smoothing / frame_shift / 2))
        self._odds = np.zeros(0, np.float32)  # averaged log odds from frame `begin` on
        self.begin = 0
        self._forced = False

    def accept(self, log_odds: FloatArray) -> list[Span]:
        """Take the log odds of silence of the next frames ``[n]``; the spans that are decided on.

        No later span begins before `begin`.
        """
        self._odds = np.concatenate([self._odds, self._average.accept(log_odds)])
        return list(self._spans(last=False))

    def finish(self) -> list[Span]:
        """End the recording: the remaining spans."""
        self._odds = np.concatenate([self._odds, self._average.finish()])
        return list(self._spans(last=True))

    def _spans(self, *, last: bool) -> Iterator[Span]:
        while True:
            if not self._forced and not self._skip_silence():
                return
            if not last and len(self._odds) < self._max_length + self._max_silence:
                return
            if len(self._odds) == 0:
                return
            yield self._next()

    def _skip_silence(self) -> bool:
        """Go to the padding before the next speech; False where all that was seen is silence."""
        speech = np.flatnonzero(self._odds <= self._threshold)
        first = int(speech[0]) if len(speech) else len(self._odds)
        self._drop(max(0, first - self._padding))
        return len(speech) > 0

    def _drop(self, frames: int) -> None:
        self._odds = self._odds[frames:].copy()
        self.begin += frames

    def _next(self) -> Span:
        """The span that begins with what is kept; goes on to what comes after it."""
        runs = _runs(self._odds > self._threshold)
        begin, self._forced = self.begin, False
        window = min(self._max_length, len(self._odds))
        for first, end in runs:
            length = end - first
            long_enough = first >= self._min_length and length >= self._long_silence
            if first < window and (long_enough or length >= self._max_silence) and first > 0:
                self._drop(min(first + self._padding, self._max_length))
                return Span(begin, self.begin)
        if len(self._odds) <= self._max_length:  # the recording ends here
            end = len(self._odds)
            if len(runs) and runs[-1][1] == end:
                end = min(end, runs[-1][0] + self._padding)
            total = len(self._odds)
            self._drop(total)
            return Span(begin, begin + end)
        best = (0, 0)
        for first, end in runs:
            first, end = max(first, self._min_length), min(end, window)
            if end - first > best[1] - best[0]:
                best = (first, end)
        if best[1] - best[0] >= self._min_silence:
            self._drop((best[0] + best[1]) // 2)
            return Span(begin, self.begin)
        half = self._max_length // 2
        cut = half + int(np.argmax(self._odds[half:window]))
        self._forced = True
        end = min(len(self._odds), cut + self._overlap)
        self._drop(cut - self._overlap)
        return Span(begin, begin + end, begin + cut)


def _runs(mask: BoolArray) -> list[tuple[int, int]]:
    """Where a mask is true: [first, end) of each stretch, in order."""
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    pairs: list[list[int]] = edges.reshape(-1, 2).tolist()
    return [(first, end) for first, end in pairs]
