"""TIMIT's .phn and .wrd files: `START END LABEL` a line, times in samples."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import read_lines, replace_text

SAMPLE_RATE = 16_000
"""TIMIT's, in Hz."""


def read_timit(
    phn: str | os.PathLike[str] | None,
    wrd: str | os.PathLike[str] | None = None,
    *,
    sample_rate: int = SAMPLE_RATE,
) -> Alignment:
    """Read the phones and the words of one utterance, which is called after the file.

    Where two words share a phone, as the `jh` of "had your", TIMIT's words overlap; here the first
    one ends where the second begins.

    Args:
        phn: the phones' file, if there is one.
        wrd: the words' file, if there is one.
        sample_rate: samples per second of the times.

    Raises:
        SpeechError: an unreadable file, a malformed line, overlapping phones.
        UsageError: neither file, or an impossible rate.
    """
    if phn is None and wrd is None:
        raise UsageError("read_timit: expected a .phn or a .wrd file, found neither")
    _check_rate(sample_rate)
    path = Path(phn if phn is not None else str(wrd))
    phones = () if phn is None else tuple(_segments(phn, _read(phn), sample_rate))
    words: tuple[Segment, ...] = ()
    if wrd is not None:
        entries = _read(wrd)
        for index, (begin, _, _) in enumerate(entries[1:]):
            start, end, word = entries[index]
            entries[index] = (start, min(end, max(begin, start)), word)
        words = tuple(_segments(wrd, entries, sample_rate))
    try:
        return Alignment(path.stem, words, phones)
    except SpeechError as error:
        raise SpeechError(f"{path}: {error}") from None


def write_timit(
    segments: Sequence[Segment], path: str | os.PathLike[str], *, sample_rate: int = SAMPLE_RATE
) -> None:
    """Write one tier, times to the nearest sample.

    Raises:
        UsageError: an impossible rate.
    """
    _check_rate(sample_rate)
    with replace_text(path) as stream:
        for segment in segments:
            start, end = round(segment.start * sample_rate), round(segment.end * sample_rate)
            stream.write(f"{start} {end} {segment.label}\n")


def _read(path: str | os.PathLike[str]) -> list[tuple[int, int, str]]:
    entries = []
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 3 or not (fields[0].isdecimal() and fields[1].isdecimal()):
            raise SpeechError(
                f"{os.fspath(path)}:{number}: expected first sample, end and label, "
                f"found {line.strip()!r}"
            )
        if int(fields[1]) < int(fields[0]):
            raise SpeechError(
                f"{os.fspath(path)}:{number}: expected an end of at least {fields[0]}, "
                f"found {fields[1]}"
            )
        entries.append((int(fields[0]), int(fields[1]), fields[2]))
    if not entries:
        raise SpeechError(f"{os.fspath(path)}: expected labelled times, found none")
    return entries


def _segments(
    path: str | os.PathLike[str], entries: list[tuple[int, int, str]], rate: int
) -> list[Segment]:
    try:
        return [Segment(label, start / rate, end / rate) for start, end, label in entries]
    except SpeechError as error:
        raise SpeechError(f"{os.fspath(path)}: {error}") from None


def _check_rate(sample_rate: int) -> None:
    if sample_rate < 1:
        raise UsageError(f"sample rate: expected at least 1 Hz, found {sample_rate}")
