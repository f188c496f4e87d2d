"""CTM files: one segment a line, as sclite and Kaldi read and write them."""

from __future__ import annotations

import os
from collections.abc import Iterable

from recognizer.data.alignments.alignment import Alignment, Segment, Tier
from recognizer.data.alignments.exclusions import Exclusions, exclude
from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines, replace_text


def read_ctm(
    words: str | os.PathLike[str] | None = None,
    phones: str | os.PathLike[str] | None = None,
    exclusions: Exclusions | None = None,
) -> dict[str, Alignment]:
    """Read CTM: `utterance channel start duration label [confidence]` a line, `;;` comments.

    Args:
        words: the words' CTM, if there is one.
        phones: the phones' CTM of the same utterances, if there is one.
        exclusions: counts utterances with overlapping segments instead of raising an error.

    Returns:
        Alignments by utterance, in order of first mention. Where a recording has several
        channels, each is an utterance of its own, called RECORDING-CHANNEL.

    Raises:
        SpeechError: an unreadable file, a malformed line, overlapping segments.
    """
    alignments: dict[str, Alignment] = {}
    faulty = set()
    tiers: tuple[tuple[Tier, str | os.PathLike[str] | None], ...]
    tiers = (("words", words), ("phones", phones))
    for tier, path in tiers:
        if path is None:
            continue
        for utterance, segments in _read_tier(path).items():
            alignment = alignments.get(utterance, Alignment(utterance))
            try:
                alignments[utterance] = alignment.with_tier(tier, segments)
            except SpeechError as error:
                exclude(exclusions, "segments overlap", f"{os.fspath(path)}: {error}")
                faulty.add(utterance)
    return {key: value for key, value in alignments.items() if key not in faulty}


def write_ctm(
    alignments: Iterable[Alignment],
    path: str | os.PathLike[str],
    *,
    tier: Tier = "words",
    channel: str = "1",
) -> None:
    """Write one tier of alignments as CTM, times to the microsecond."""
    with replace_text(path) as stream:
        for alignment in alignments:
            for segment in alignment.tier(tier):
                stream.write(ctm_line(alignment.utterance, segment, channel=channel) + "\n")


def ctm_line(utterance: str, segment: Segment, *, channel: str = "1") -> str:
    """One line of CTM; the confidence is left out where there is none."""
    # From rounded ends, so that a segment's end and the next one's start stay equal.
    start = round(segment.start, 6)
    duration = round(segment.end, 6) - start
    confidence = "" if segment.confidence is None else f" {segment.confidence:.4f}"
    times = f"{_decimal(start)} {_decimal(duration)}"
    return f"{utterance} {channel} {times} {segment.label}{confidence}"


def _decimal(seconds: float) -> str:
    """At least three decimals, and as many of six as there are."""
    whole, _, decimals = f"{seconds:.6f}".partition(".")
    return f"{whole}.{decimals[:3]}{decimals[3:].rstrip('0')}"


def _read_tier(path: str | os.PathLike[str]) -> dict[str, tuple[Segment, ...]]:
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
