"""Time alignments: which word and which phone was spoken when."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from data.errors import SpeechError


@dataclass(frozen=True)
class Segment:
    """One labelled stretch of time.

    Attributes:
        label: the word or the phone.
        start: seconds from the utterance's beginning.
        end: seconds from the utterance's beginning, not before `start`.
        confidence: probability that the label is right, or None where nobody has judged it.
    """

    label: str
    start: float
    end: float
    confidence: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.start <= self.end < float("inf"):
            raise SpeechError(
                f"segment {self.label!r}: expected 0 <= start <= end in seconds, "
                f"found {self.start} to {self.end}"
            )

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


@dataclass(frozen=True)
class Alignment:
    """The words and the phones of one utterance, each in order of time and not overlapping.

    Silence is a segment only of `phones` (label SIL); between words it is simply a gap.

    Raises:
        SpeechError: a segment begins before the one before it has ended.
    """

    utterance: str
    words: tuple[Segment, ...] = ()
    phones: tuple[Segment, ...] = ()

    def __post_init__(self) -> None:
        for tier in (self.words, self.phones):
            for before, after in pairwise(tier):
                # A tenth of a millisecond is what writing times as decimals may cost.
                if after.start < before.end - 1e-4:
                    raise SpeechError(
                        f"utterance {self.utterance}: expected segments that do not overlap, "
                        f"found {after.label!r} at {after.start} s before the end of "
                        f"{before.label!r} at {before.end} s"
                    )

    @property
    def end(self) -> float:
        """Seconds at which the last segment ends; 0 without segments."""
        return max((tier[-1].end for tier in (self.words, self.phones) if tier), default=0.0)
