"""Lhotse's manifests of recordings and supervisions, read as JSON without Lhotse.

A supervision is an utterance: a part of a recording, or of one of its channels, with a transcript.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines

ENDINGS = (".jsonl", ".jsonl.gz")
"""Of the names of manifests."""

_TOLERANCE = 1e-3
"""Seconds by which Lhotse lets a supervision be longer than its recording."""


@dataclass(frozen=True)
class Supervision:
    """One supervision with the recording that it is of.

    Attributes:
        id: unique in its manifest.
        recording: the recording's id.
        audio: the recording's file.
        channel: the file's channel, counted from 1; None where the supervision is of all channels.
        start: seconds from the recording's beginning.
        end: seconds from the recording's beginning; None is the recording's end.
        speaker: who speaks; the id where the manifest does not say.
        text: the transcript.
    """

    id: str
    recording: str
    audio: Path
    channel: int | None
    start: float
    end: float | None
    speaker: str
    text: str


def find_manifests(path: Path) -> tuple[Path, Path] | None:
    """The manifests of recordings and of supervisions at a path.

    Args:
        path: a directory with one manifest of each, whose names contain ``recordings`` and
            ``supervisions``; or a manifest of supervisions, beside which lies one of recordings
            with the same name but for this word.

    Returns:
        Recordings and supervisions; None if there are no manifests.

    Raises:
        SpeechError: one of the two is missing, or a directory has several.
    """
    if path.is_dir():
        found = {
            kind: sorted(file for file in path.iterdir() if _is_manifest(file, kind))
            for kind in ("recordings", "supervisions")
        }
        if not found["supervisions"]:
            return None
        for kind, files in found.items():
            if len(files) != 1:
                names = ", ".join(file.name for file in files) or "none"
                raise SpeechError(
                    f"{path}: expected one manifest of {kind} (*{kind}*.jsonl, perhaps .gz), found "
                    f"{names}" + ("; name a manifest of supervisions instead" if files else "")
                )
        return found["recordings"][0], found["supervisions"][0]
    if not path.name.endswith(ENDINGS):
        return None
    if not _is_manifest(path, "supervisions"):
        raise SpeechError(
            f"{path}: expected a manifest of supervisions (*supervisions*.jsonl, perhaps .gz)"
        )
    name = path.name.replace("supervisions", "recordings")
    stem = name.removesuffix(".gz")
    for candidate in (path.with_name(name), path.with_name(stem), path.with_name(f"{stem}.gz")):
        if candidate.exists():
            return candidate, path
    raise SpeechError(f"{path}: expected its recordings in {name} beside it, found no such file")


def read_supervisions(
    recordings: Path, supervisions: Path, *, missing: bool = False
) -> list[Supervision]:
    """Read supervisions with their recordings, sorted by id.

    A relative path of a file is looked for in the manifest's directory, then in the working
    directory. Only files are read: Lhotse's commands and addresses are refused, and so are
    recordings with transforms, except for resampling to 16 kHz, which is what all audio is read as.

    Args:
        recordings: the manifest of recordings.
        supervisions: the manifest of supervisions.
        missing: let files of recordings be missing, whose audio cannot be read then.

    Raises:
        SpeechError: a missing or malformed manifest, a recording that is no file or does not
            exist, a supervision of another recording, outside of it, or without a transcript.
    """
    known: dict[str, _Recording] = {}
    for where, value in _values(recordings):
        recording = _recording(where, recordings.parent, value)
        if recording.id in known:
            raise SpeechError(f"{where}: expected ids given once, found {recording.id} again")
        known[recording.id] = recording
    found: dict[str, Supervision] = {}
    for where, value in _values(supervisions):
        supervision = _supervision(where, value, known, recordings.name)
        if supervision.id in found:
            raise SpeechError(f"{where}: expected ids given once, found {supervision.id} again")
        found[supervision.id] = supervision
    if not found:
        raise SpeechError(f"{supervisions}: expected at least one supervision, found none")
    audio = {supervision.audio for supervision in found.values()}
    absent = sorted(str(file) for file in audio if not file.exists())
    if absent and not missing:
        raise SpeechError(
            f"{recordings}: expected files that exist, found {len(absent)} of {len(audio)} "
            f"missing, the first {absent[0]}"
        )
    return [found[name] for name in sorted(found)]


@dataclass(frozen=True)
class _Recording:
    """A recording; a source is a file with the manifest's numbers of its channels."""

    id: str
    sources: tuple[tuple[Path, tuple[int, ...]], ...]
    duration: float


def _is_manifest(path: Path, kind: str) -> bool:
    return kind in path.name and path.name.endswith(ENDINGS)


def _values(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a manifest, each with its file and line."""
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise SpeechError(f"{where}: expected a JSON object, found {line.strip()[:60]!r}")
        yield where, value


def _recording(where: str, directory: Path, value: dict[str, Any]) -> _Recording:
    try:
        name, sources, duration = value["id"], value["sources"], float(value["duration"])
        parts = [(part["type"], part["source"], tuple(part["channels"])) for part in sources]
        transforms = value.get("transforms") or []
        changes = [(change["name"], change["kwargs"]) for change in transforms]
        if not isinstance(name, str) or not parts:
            raise TypeError("id or sources")
    except (KeyError, TypeError, ValueError):
        raise SpeechError(
            f"{where}: expected a recording with id, sources and duration, found "
            f"{json.dumps(value)[:60]!r}"
        ) from None
    for kind, source, channels in parts:
        if kind != "file" or not isinstance(source, str):
            raise SpeechError(
                f"{where}: {name}: expected sources that are files, found one of the type {kind!r}"
            )
        if not all(isinstance(channel, int) for channel in channels):
            raise SpeechError(f"{where}: {name}: expected numbers of channels, found {channels}")
    for change, arguments in changes:
        if change != "Resample" or arguments.get("target_sampling_rate") != 16000:
            raise SpeechError(
                f"{where}: {name}: expected a recording as it is in its file, found the "
                f"transform {change}"
            )
    files = tuple((_file(directory, source), channels) for _, source, channels in parts)
    return _Recording(name, files, duration)


def _file(directory: Path, source: str) -> Path:
    """A path of a manifest: in its directory, or else in the working directory."""
    path = Path(source)
    return path if path.exists() and not (directory / path).exists() else directory / path


def _supervision(
    where: str, value: dict[str, Any], known: dict[str, _Recording], recordings: str
) -> Supervision:
    try:
        name, of = value["id"], value["recording_id"]
        start, duration = float(value["start"]), float(value["duration"])
        channel = value.get("channel", 0)
        channels = tuple(channel) if isinstance(channel, list) else (channel,)
        if not isinstance(name, str) or not all(isinstance(one, int) for one in channels):
            raise TypeError("id or channel")
    except (KeyError, TypeError, ValueError):
        raise SpeechError(
            f"{where}: expected a supervision with id, recording_id, start and duration, found "
            f"{json.dumps(value)[:60]!r}"
        ) from None
    if name.split() != [name]:
        raise SpeechError(f"{where}: expected an id without white space, found {name!r}")
    recording = known.get(of)
    if recording is None:
        raise SpeechError(f"{where}: {name}: expected a recording of {recordings}, found {of!r}")
    if not isinstance(value.get("text"), str):
        raise SpeechError(f"{where}: {name}: expected a text, found none")
    end = start + duration
    if not (math.isfinite(end) and 0 <= start < end <= recording.duration + _TOLERANCE):
        raise SpeechError(
            f"{where}: {name}: expected a part of the {recording.duration} s of {of}, found "
            f"{start} to {end} s"
        )
    audio, number = _source(f"{where}: {name}", recording, channels)
    return Supervision(
        id=name,
        recording=recording.id,
        audio=audio,
        channel=number,
        start=start,
        end=None if end >= recording.duration - _TOLERANCE else end,
        speaker=value.get("speaker") or name,
        text=value["text"],
    )


def _source(
    where: str, recording: _Recording, channels: tuple[int, ...]
) -> tuple[Path, int | None]:
    """The file that has the channels, and which of its channels to take, None for all."""
    for audio, numbers in recording.sources:
        if set(channels) == set(numbers):
            return audio, None
        if len(channels) == 1 and channels[0] in numbers:
            return audio, numbers.index(channels[0]) + 1
    have = [list(numbers) for _, numbers in recording.sources]
    raise SpeechError(
        f"{where}: expected one channel of {recording.id} or all of a file, found "
        f"{list(channels)} of {have}"
    )
