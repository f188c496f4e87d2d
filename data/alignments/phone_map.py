"""Tables that map one set of phones to another."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines


class UnknownPhoneError(SpeechError):
    """A phone that a table lacks."""


@dataclass(frozen=True)
class PhoneMap:
    """What each phone of a set becomes.

    A phone in a word position (AH_B) that the table lacks is looked up without it and keeps it.

    Attributes:
        targets: the new name by the old one, None for a phone that is dropped.
        source: where the table comes from, for errors.
    """

    targets: Mapping[str, str | None]
    source: str

    def apply(self, alignment: Alignment, where: str = "") -> Alignment:
        """The alignment with its phones renamed.

        The time of a dropped phone goes to the phone before it where the two touch, else to the
        one after it, else it becomes a gap.

        Args:
            alignment: is left as it is.
            where: the file of the alignment, for errors.

        Raises:
            UnknownPhoneError: the table lacks a phone.
        """
        phones: list[Segment] = []
        # Time of dropped phones that waits for the next one: its start and its end.
        waiting: tuple[float, float] | None = None
        for segment in alignment.phones:
            base = without_position(segment.label)
            known = segment.label if segment.label in self.targets else base
            if known not in self.targets:
                raise UnknownPhoneError(
                    f"{where or alignment.utterance}: at {segment.start:g} s: expected a phone of "
                    f"{self.source}, found {segment.label!r}"
                )
            label = self.targets[known]
            if label is not None and known != segment.label:
                label += segment.label.removeprefix(base)
            if label is not None:
                start = segment.start
                if waiting is not None and _touch(waiting[1], start):
                    start = waiting[0]
                phones.append(replace(segment, label=label, start=start))
                waiting = None
            elif phones and waiting is None and _touch(phones[-1].end, segment.start):
                phones[-1] = replace(phones[-1], end=segment.end)
            elif waiting is not None and _touch(waiting[1], segment.start):
                waiting = waiting[0], segment.end
            else:
                waiting = segment.start, segment.end
        return replace(alignment, phones=tuple(phones))


def read_phone_map(path: str | os.PathLike[str]) -> PhoneMap:
    """Read a table: `OLD NEW` a line, `OLD` alone for a phone that is dropped, `;` comments.

    Raises:
        SpeechError: an unreadable file, a line of another form, a phone that stands twice.
    """
    targets: dict[str, str | None] = {}
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.split()
        if not fields or fields[0].startswith(";"):
            continue
        if len(fields) > 2:
            raise SpeechError(
                f"{os.fspath(path)}:{number}: expected an old phone and perhaps a new one, "
                f"found {line.strip()!r}"
            )
        if fields[0] in targets:
            raise SpeechError(
                f"{os.fspath(path)}:{number}: expected every phone once, found {fields[0]!r} again"
            )
        targets[fields[0]] = fields[1] if len(fields) == 2 else None
    if not targets:
        raise SpeechError(f"{os.fspath(path)}: expected a table of phones, found none")
    return PhoneMap(targets, os.fspath(path))


def without_position(phone: str) -> str:
    """`AH` of `AH_B`, as Kaldi marks the beginning, inside and end of words and whole words."""
    return phone[:-2] if phone[:-2] and phone[-2:] in ("_B", "_I", "_E", "_S") else phone


def _touch(end: float, start: float) -> bool:
    return abs(end - start) < 1e-4
