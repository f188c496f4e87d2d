"""The lists of a Kaldi data directory, line by line: wav.scp, text, segments, utt2spk."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines


def recording_source(
    directory: Path, number: int, recording: str, value: str, allow_pipes: bool
) -> tuple[Path, str | None]:
    """The file of a line of wav.scp, or wav.scp itself and the command that the line has."""
    scp = directory / "wav.scp"
    if value.endswith("|"):
        if not allow_pipes:
            raise SpeechError(
                f"{scp}:{number}: expected an audio file, found a command for {recording}; "
                "commands run only where pipes are explicitly allowed"
            )
        return scp, value[:-1].strip()
    audio = Path(value)
    if not audio.is_absolute() and (directory / audio).exists():
        return directory / audio, None
    if not audio.is_absolute() and not audio.exists():
        return directory / audio, None
    return audio, None


def read_table(path: Path, *, empty: bool = False) -> dict[str, tuple[int, str]]:
    """Lines `key value` of a Kaldi table: key to (line number, value)."""
    table: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.split(maxsplit=1)
        if not fields or (len(fields) == 1 and not empty):
            raise SpeechError(f"{path}:{number}: expected an id and a value, found {line!r}")
        if fields[0] in table:
            raise SpeechError(
                f"{path}:{number}: expected ids given once, found {fields[0]} again "
                f"(first in line {table[fields[0]][0]})"
            )
        table[fields[0]] = (number, fields[1].strip() if len(fields) > 1 else "")
    if not table:
        raise SpeechError(f"{path}: expected at least one line, found none")
    return table


def read_segments(path: Path, recordings: Set[str]) -> dict[str, tuple[str, float, float | None]]:
    """Lines `utterance recording start end` (an end of -1 is the recording's end)."""
    parts: dict[str, tuple[str, float, float | None]] = {}
    for utterance, (number, value) in read_table(path).items():
        fields = value.split()
        try:
            recording, start, end = fields[0], float(fields[1]), float(fields[2])
        except (IndexError, ValueError):
            raise SpeechError(
                f"{path}:{number}: expected utterance, recording, start and end in seconds, "
                f"found {utterance} {value}"
            ) from None
        if recording not in recordings:
            raise SpeechError(
                f"{path}:{number}: expected a recording of wav.scp, found {recording}"
            )
        if not 0.0 <= start < float("inf") or not (end == -1.0 or start < end < float("inf")):
            raise SpeechError(
                f"{path}:{number}: expected 0 <= start < end in seconds, found {start} {end}"
            )
        parts[utterance] = (recording, start, None if end == -1.0 else end)
    return parts


def differences(
    one: Path, ids_of_one: Set[str], other: Path, ids_of_other: Set[str]
) -> dict[str, str]:
    """A line for each utterance that only one of two lists of a data directory names."""
    return {
        utterance: f"{there}: expected the same utterances as {here.name}, found none of this id"
        for here, there, ids in (
            (one, other, ids_of_one - ids_of_other),
            (other, one, ids_of_other - ids_of_one),
        )
        for utterance in sorted(ids)
    }


def check_same(one: Path, ids_of_one: Set[str], other: Path, ids_of_other: Set[str]) -> None:
    """Refuse two lists of a data directory that do not name the same utterances."""
    faults = []
    for here, ids, there in (
        (one, ids_of_one - ids_of_other, other),
        (other, ids_of_other - ids_of_one, one),
    ):
        if ids:
            first = ", ".join(sorted(ids)[:3]) + (", ..." if len(ids) > 3 else "")
            faults.append(f"{len(ids)} only in {here.name} and not in {there.name} ({first})")
    if faults:
        raise SpeechError(
            f"{other}: expected the same utterances as {one.name}, found {len(ids_of_one)} in "
            f"{one.name} and {len(ids_of_other)} in {other.name}: {'; '.join(faults)}"
        )
