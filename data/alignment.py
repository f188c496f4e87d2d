"""Time alignments: which word and which phone was spoken when."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

from data.errors import SpeechError
from data.files import open_bytes, read_lines, replace_file, replace_text

TextGridForm = Literal["long", "short"]
Tier = Literal["words", "phones"]


@dataclass(frozen=True)
class Segment:
    """One labelled stretch of time.

    Attributes:
        label: the word or the phone, without white space.
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


def read_textgrid(path: str | os.PathLike[str]) -> Alignment:
    """Read a Praat TextGrid, long or short form, UTF-8 or UTF-16.

    Takes the interval tiers called `words` and `phones`, alone or after a speaker's name
    ("jane - words", as the Montreal Forced Aligner writes). Intervals without a label are gaps.
    The utterance is called after the file.

    Raises:
        SpeechError: not a TextGrid, cut short, neither of the tiers or one of them twice.
    """
    from praatio import textgrid  # here, since recognition starts sooner without
    from praatio.utilities.errors import PraatioException

    path = Path(path)
    with open_bytes(path) as stream:
        raw = stream.read()
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    text = raw.decode(encoding, errors="replace")
    if "ooTextFile" not in text[:100] or "TextGrid" not in text[:200]:
        raise SpeechError(f"{path}: expected a Praat TextGrid, found something else")
    try:
        grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=True, reportingMode="silence")
    except (PraatioException, ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SpeechError(
            f"{path}: expected a whole TextGrid, found a damaged one: {reason}"
        ) from (error)
    declared = re.search(r"<exists>\s*(?:size = )?([0-9]+)", text)
    if declared and int(declared[1]) != len(grid.tierNames):
        raise SpeechError(
            f"{path}: cut short: expected {declared[1]} tiers, found {len(grid.tierNames)}"
        )
    found: dict[str, tuple[Segment, ...]] = {}
    for name in grid.tierNames:
        tier = grid.getTier(name)
        kind = name.rpartition(" - ")[2].strip().lower()
        if kind not in ("words", "phones") or not isinstance(tier, textgrid.IntervalTier):
            continue
        if kind in found:
            raise SpeechError(f"{path}: expected one tier of {kind}, found another: {name!r}")
        # Praat's interval tiers reach to their end, if need be with an empty interval.
        if not tier.entries or tier.entries[-1].end < tier.maxTimestamp - 1e-6:
            raise SpeechError(
                f"{path}: cut short: expected tier {name!r} to reach {tier.maxTimestamp} s"
            )
        try:
            found[kind] = tuple(
                Segment(entry.label, float(entry.start), float(entry.end))
                for entry in tier.entries
                if entry.label
            )
        except SpeechError as error:
            raise SpeechError(f"{path}: tier {name!r}: {error}") from None
    if not found:
        names = ", ".join(map(repr, grid.tierNames)) or "none"
        raise SpeechError(f"{path}: expected interval tiers words and phones, found {names}")
    return Alignment(path.stem, found.get("words", ()), found.get("phones", ()))


def write_textgrid(
    alignment: Alignment,
    path: str | os.PathLike[str],
    *,
    duration: float | None = None,
    form: TextGridForm = "long",
) -> None:
    """Write a Praat TextGrid with the interval tiers `words` and `phones`, times to 0.1 ms.

    Args:
        alignment: the segments; confidences have no place in a TextGrid.
        path: the file.
        duration: the recording's length in seconds; by default the last segment's end.
        form: Praat's long (named fields) or short form.

    Raises:
        SpeechError: a segment shorter than 0.1 ms, a duration before the last segment's end.
    """
    from praatio import textgrid

    end = _round4(alignment.end if duration is None else duration)
    if not _round4(alignment.end) <= end or end <= 0.0:
        raise SpeechError(
            f"utterance {alignment.utterance}: expected a duration of at least "
            f"{alignment.end} s and above 0, found {duration}"
        )
    grid = textgrid.Textgrid(0.0, end)
    for name, segments in (("words", alignment.words), ("phones", alignment.phones)):
        entries = []
        last = 0.0
        for segment in segments:
            start, last = max(last, _round4(segment.start)), _round4(segment.end)
            if last <= start:
                raise SpeechError(
                    f"utterance {alignment.utterance}: expected segments of at least 0.1 ms, "
                    f"found {segment.label!r} from {segment.start} to {segment.end} s"
                )
            entries.append((start, last, segment.label))
        grid.addTier(textgrid.IntervalTier(name, entries, 0.0, end))
    with replace_file(path) as temporary:
        grid.save(
            str(temporary),
            format="long_textgrid" if form == "long" else "short_textgrid",
            includeBlankSpaces=True,
        )


def read_ctm(
    path: str | os.PathLike[str], phones: str | os.PathLike[str] | None = None
) -> dict[str, Alignment]:
    """Read CTM: `utterance channel start duration label [confidence]` a line, `;;` comments.

    Args:
        path: the words' CTM.
        phones: the phones' CTM of the same utterances, if there is one.

    Returns:
        Alignments by utterance, in order of first mention. Where a recording has several
        channels, each is an utterance of its own, called RECORDING-CHANNEL.

    Raises:
        SpeechError: an unreadable file, a malformed line, overlapping segments.
    """
    words = _read_ctm_tier(path)
    alignments = {
        utterance: _with_tier(Alignment(utterance), "words", segments, path)
        for utterance, segments in words.items()
    }
    if phones is not None:
        for utterance, segments in _read_ctm_tier(phones).items():
            alignment = alignments.get(utterance, Alignment(utterance))
            alignments[utterance] = _with_tier(alignment, "phones", segments, phones)
    return alignments


def write_ctm(
    alignments: Iterable[Alignment],
    path: str | os.PathLike[str],
    *,
    tier: Tier = "words",
    channel: str = "1",
) -> None:
    """Write the words or the phones of alignments as CTM, times to the millisecond."""
    with replace_text(path) as stream:
        for alignment in alignments:
            for segment in alignment.words if tier == "words" else alignment.phones:
                stream.write(ctm_line(alignment.utterance, segment, channel=channel) + "\n")


def ctm_line(utterance: str, segment: Segment, *, channel: str = "1") -> str:
    """One line of CTM; the confidence is left out where there is none."""
    # From rounded ends, so that a segment's end and the next one's start stay equal.
    start = round(segment.start, 3)
    duration = round(segment.end, 3) - start
    confidence = "" if segment.confidence is None else f" {segment.confidence:.4f}"
    return f"{utterance} {channel} {start:.3f} {duration:.3f} {segment.label}{confidence}"


def _with_tier(
    alignment: Alignment, tier: Tier, segments: tuple[Segment, ...], path: str | os.PathLike[str]
) -> Alignment:
    try:
        if tier == "words":
            return replace(alignment, words=segments)
        return replace(alignment, phones=segments)
    except SpeechError as error:
        raise SpeechError(f"{os.fspath(path)}: {error}") from None


def _read_ctm_tier(path: str | os.PathLike[str]) -> dict[str, tuple[Segment, ...]]:
    recordings: dict[str, dict[str, list[Segment]]] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip() or line.startswith(";;"):
            continue
        fields = line.split()
        try:
            utterance, channel, start, duration, label = fields[:5]
            begin = float(start)
            confidence = float(fields[5]) if len(fields) > 5 else None
            segment = Segment(label, begin, round(begin + float(duration), 6), confidence)
        except ValueError:
            raise SpeechError(
                f"{os.fspath(path)}:{number}: expected utterance, channel, start, duration, label "
                f"and perhaps a confidence, found {line.strip()!r}"
            ) from None
        except SpeechError as error:
            raise SpeechError(f"{os.fspath(path)}:{number}: {error}") from None
        recordings.setdefault(utterance, {}).setdefault(channel, []).append(segment)
    return {
        utterance if len(channels) == 1 else f"{utterance}-{channel}": tuple(
            sorted(segments, key=lambda segment: segment.start)
        )
        for utterance, channels in recordings.items()
        for channel, segments in channels.items()
    }


def _round4(seconds: float) -> float:
    # praatio writes small numbers in scientific notation, which it cannot read: 4 decimals have
    # none.
    return round(seconds, 4)
