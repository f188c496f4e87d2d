"""CTM files: one segment a line, as sclite and Kaldi read and write them."""

from __future__ import annotations

import os
from collections.abc import Iterable

from recognizer.data.alignments.alignment import Alignment, Segment, Tier
from recognizer.data.alignments.exclusions import Exclusions, exclude
from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines, replace_text
from recognizer.data.io.numbers import decimal


def read_ctm(
    words: str | os.PathLike[str] | None = None,
    phones: str | os.PathLike[str] | None = None,
    exclusions: Exclusions | None = None,
) -> dict[str, Alignment]:
    """Read CTM: `utterance channel start duration label [confidence]` a line, `;;` comments.

    Names of utterances may have spaces, and times decimal commas.

    Args:
        words: the words' CTM, if there is one.
        phones: the phones' CTM of the same utterances, if there is one.
        exclusions: counts utterances with overlapping segments instead of raising an error.

    Returns:
        Alignments by utterance, in order of first mention. Where a recording has several
        channels, each is an utterance of its own, called RECORDING-CHANNEL.

    Raises:
        SpeechError: an unreadable file, a malformed line, overlapping segments, two recordings of
            one name and channel.
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
    """The segments of each recording, or of each channel of a recording that has several."""
    where = os.fspath(path)
    recordings: dict[str, dict[str, list[Segment]]] = {}
    previous, ended = ("", ""), set[tuple[str, str]]()
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip() or line.startswith(";;"):
            continue
        parsed = _fields(line.split())
        if parsed is None:
            raise SpeechError(
                f"{where}:{number}: expected utterance, channel, start, duration, label "
                f"and perhaps a confidence, found {line.strip()!r}"
            )
        recording, channel, start, duration, label, confidence = parsed
        try:
            segment = Segment(label, start, round(start + duration, 6), confidence)
        except SpeechError as error:
            raise SpeechError(f"{where}:{number}: {error}") from None
        segments = recordings.setdefault(recording, {}).setdefault(channel, [])
        if previous[0] != recording:
            ended.add(previous)
            ended.update((previous[0], other) for other in recordings.get(previous[0], ()))
        if (recording, channel) in ended and start < max(one.end for one in segments) - 1e-4:
            raise SpeechError(
                f"{where}:{number}: expected one recording of the name {recording!r}, found a "
                "second one, whose times begin again"
            )
        ended.discard((recording, channel))
        previous = recording, channel
        segments.append(segment)
    found: dict[str, tuple[Segment, ...]] = {}
    for recording, channels in recordings.items():
        for channel, segments in channels.items():
            name = recording if len(channels) == 1 else f"{recording}-{channel}"
            if name in found:
                raise SpeechError(
                    f"{where}: expected distinct names of recordings, found {name!r} also as "
                    "a channel of another recording"
                )
            found[name] = tuple(sorted(segments, key=lambda segment: segment.start))
    return found


def _fields(
    fields: list[str],
) -> tuple[str, str, float, float, str, float | None] | None:
    """Recording, channel, start, duration, label and confidence; None if a line is malformed.

    The recording's name may have spaces. Of the ways to divide such a line, one in which both
    times have decimals is taken, else the one with the shortest name.
    """
    ways: list[tuple[bool, int, tuple[str, str, float, float, str, float | None]]] = []
    for at in range(2, len(fields) - 2):
        try:
            start, duration = decimal(fields[at]), decimal(fields[at + 1])
            confidence = decimal(fields[at + 3]) if len(fields) > at + 3 else None
        except ValueError:
            continue
        # After the confidence NIST has the kind of word and the speaker.
        if len(fields) > at + 6 or (confidence is not None and not 0 <= confidence <= 1 and at > 2):
            continue
        name = " ".join(fields[: at - 1])
        decimals = all("." in time or "," in time for time in fields[at : at + 2])
        way = name, fields[at - 1], start, duration, fields[at + 2], confidence
        ways.append((not decimals, len(ways), way))
    return min(ways)[2] if ways else None
