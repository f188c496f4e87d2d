"""A directory of results: a file for each recording and format."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import check_directory, replace_text
from recognizer.formats.cues import SubtitleOptions
from recognizer.formats.recordings import Recording
from recognizer.formats.writing import formatted
from recognizer.recognition.result import Result

LOG = "recognized.jsonl"
"""The file that says of which recording each other file is, and how it was made."""

_SUBTITLES = ("srt", "vtt")


class OutputDirectory:
    """Files ``NAME.FORMAT`` in a directory, each written whole or not at all.

    A line of the file `LOG` says for each of them which recording it is of (path, size, time of its
    last change) and with what it was made. So a later run knows what is done already. It never
    takes the file of another recording, model or option for its own, and does not overwrite one
    unless it is told to.

    Args:
        directory: is made if it is not there.
        formats: of the files; see `recognizer.formats.names.FORMATS`.
        settings: plain values that the results depend on.
        subtitles: options of srt and vtt.
        overwrite: replace the files that are there.

    Raises:
        UsageError: the format ``text``, which is for the terminal.
        SpeechError: the directory is a file, or may not be written.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        formats: Sequence[str],
        settings: Mapping[str, Any],
        *,
        subtitles: SubtitleOptions | None = None,
        overwrite: bool = False,
    ) -> None:
        if "text" in formats:
            raise UsageError("--format text: expected txt for files: text is for the terminal")
        self.directory = Path(directory)
        self._formats = tuple(formats)
        self._settings = dict(settings)
        self._subtitles = subtitles or SubtitleOptions()
        self._overwrite = overwrite
        check_directory(self.directory)
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SpeechError(f"{self.directory}: cannot be made: {error.strerror}") from error
        self._log = self.directory / LOG
        self._made = self._read_log()

    def check_names(self, recordings: Sequence[Recording]) -> None:
        """Refuse recordings whose files would have the same names.

        Raises:
            UsageError: a recording is given twice, or is standard input.
        """
        known: dict[str, str] = {}
        for one in recordings:
            if one.path == "-":
                raise UsageError("--output-dir: expected files, found standard input (-)")
            if one.name in known:
                raise UsageError(
                    f"{one.path}: expected each recording once with --output-dir, "
                    f"found {known[one.name]} before it"
                )
            known[one.name] = one.path

    def done(self, recording: Recording) -> bool:
        """Whether all files of a recording are there, made by these settings.

        Raises:
            SpeechError: a file is there that was made of something else, or in another way.
        """
        if self._overwrite:
            return False
        missing = False
        for form, path in self._paths(recording).items():
            if not path.exists():
                missing = True
                continue
            wanted, made = self._line(recording, form), self._made.get(path.name)
            if made != wanted:
                raise SpeechError(f"{path}: {_difference(wanted, made)} (--overwrite replaces it)")
        return not missing

    def write(self, recording: Recording, result: Result, damage: str = "") -> None:
        """Write the files of a recording.

        Args:
            recording: is never `done` if it is damaged.
            result: what was recognised in it.
            damage: why there is nothing after that.

        Raises:
            SpeechError: a file cannot be written, for example because the disk is full.
        """
        for form, path in self._paths(recording).items():
            self._announce(path, {**self._line(recording, form), "damage": damage})
            with replace_text(path) as stream:
                stream.write(formatted(form, recording, result, self._subtitles))

    def _paths(self, recording: Recording) -> dict[str, Path]:
        return {form: self.directory / f"{recording.name}.{form}" for form in self._formats}

    def _line(self, recording: Recording, form: str) -> dict[str, Any]:
        path = Path(recording.path)
        try:
            status = path.stat()
            state = [status.st_size, status.st_mtime_ns]
        except (OSError, ValueError):  # reading it will say what is wrong
            state = []
        line = {
            "file": f"{recording.name}.{form}",
            "audio": str(path.absolute()),
            "state": state,
            "damage": "",
            **self._settings,
        }
        if form in _SUBTITLES:
            line["subtitles"] = asdict(self._subtitles)
        return line

    def _announce(self, path: Path, line: dict[str, Any]) -> None:
        """Write the line of a file that is about to be written.

        The line comes first, since a file without one could be anybody's; and before it goes the
        file that an older line is about: a run may be killed at any moment.
        """
        if self._made.get(path.name) == line:
            return
        try:
            path.unlink(missing_ok=True)
            with self._log.open("a", encoding="utf-8", newline="\n") as stream:
                stream.write(json.dumps(line) + "\n")
        except OSError as error:
            raise SpeechError(f"{error.filename}: cannot be written: {error.strerror}") from error
        self._made[path.name] = line

    def _read_log(self) -> dict[str, Any]:
        """The last line about each file; one that a killed run left unfinished is cut off."""
        try:
            content = self._log.read_bytes() if self._log.exists() else b""
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                os.truncate(self._log, whole)
        except OSError as error:
            raise SpeechError(f"{self._log}: cannot be read: {error.strerror}") from error
        made = {}
        for line in content[:whole].splitlines():
            try:
                value = json.loads(line)
                made[value["file"]] = value
            except (ValueError, TypeError, KeyError):
                continue
        return made


def _difference(wanted: Mapping[str, Any], made: Mapping[str, Any] | None) -> str:
    """In what a file is another than the one that is wanted."""
    if made is None:
        return "expected no such file, or one of this command's, found another"
    if made.get("audio") != wanted["audio"]:
        return f"expected what is said in {wanted['audio']}, found that of {made.get('audio')}"
    if made.get("state") != wanted["state"]:
        return f"expected what is said in {wanted['audio']} now, which was changed since"
    if made.get("damage"):
        return f"holds only what comes before the damage: {made['damage']}"
    differing = [name for name in wanted if made.get(name) != wanted[name]]
    return f"made with another {differing[0] if differing else 'option'}"
