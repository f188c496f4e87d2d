"""Time alignments: which word, which phone and which state was spoken when.

Whatever format an alignment comes in, it becomes an `Alignment`; the readers are
`recognizer.data.alignments.textgrid`, `recognizer.data.alignments.ctm`,
`recognizer.data.alignments.timit`, `recognizer.data.alignments.mlf`,
`recognizer.data.alignments.lhotse` and `recognizer.am.kaldi.alignments`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from recognizer.data.errors import SpeechError

Tier = Literal["words", "phones", "states"]


@dataclass(frozen=True)
class Segment:
    """One labelled stretch of time.

    Attributes:
        label: the word, the phone or the state, without white space.
        start: seconds from the utterance's beginning.
        end: seconds from the utterance's beginning, not before `start`.
        confidence: probability that the label is right, or None where nobody has judged it.
    """

    label: str
    start: float
    end: float
    confidence: float | None = None

    def __post_init__(self) -> None:
        if self.label.split() != [self.label]:
            raise SpeechError(f"expected a label without white space, found {self.label!r}")
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
    """The words, phones and HMM states of one utterance, in order of time and not overlapping.

    Silence is a segment only of `phones` (label SIL) and `states`; between words it is simply a
    gap. A format that lacks one of the tiers leaves it empty.

    Attributes:
        utterance: its id.
        words: what was said.
        phones: base phones (AH), or without words also in word-position variants (AH_B).
        states: classes of frames to train a network on directly: names, or for Kaldi's alignments
            pdf-ids in decimal.

    Raises:
        SpeechError: a segment begins before the one before it has ended.
    """

    utterance: str
    words: tuple[Segment, ...] = ()
    phones: tuple[Segment, ...] = ()
    states: tuple[Segment, ...] = ()

    def __post_init__(self) -> None:
        for tier in (self.words, self.phones, self.states):
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
        tiers = self.words, self.phones, self.states
        return max((tier[-1].end for tier in tiers if tier), default=0.0)

    def tier(self, name: Tier) -> tuple[Segment, ...]:
        """The segments of one tier."""
        return {"words": self.words, "phones": self.phones, "states": self.states}[name]

    def with_tier(self, name: Tier, segments: tuple[Segment, ...]) -> Alignment:
        """A copy with other segments in one tier."""
        tiers = {"words": self.words, "phones": self.phones, "states": self.states}
        tiers[name] = segments
        return Alignment(self.utterance, **tiers)
