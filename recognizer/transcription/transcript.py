"""What a recogniser makes of utterances, and the file that keeps it while the work goes on."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError, as_speech_error


@dataclass(frozen=True)
class Transcript:
    """What a teacher makes of one utterance.

    Attributes:
        utterance: its id.
        text: as the teacher writes it: perhaps with punctuation and digits.
        confidences: probabilities in [0, 1] that the words are right, in the teacher's own count
            of words; a single one of the whole text; or none, if the teacher gives none.
        seconds: length of the utterance.
        error: why it could not be transcribed, or None.
    """

    utterance: str
    text: str
    confidences: tuple[float, ...] = ()
    seconds: float = 0.0
    error: str | None = None

    @property
    def confidence(self) -> float | None:
        """Mean of the words' confidences; None where there are none."""
        return math.fsum(self.confidences) / len(self.confidences) if self.confidences else None


def failed(utterance: Utterance, error: Exception) -> Transcript:
    """What stands for an utterance that cannot be transcribed."""
    try:
        seconds = round(utterance.duration, 3)
    except Exception:  # the error that is being reported, most likely
        seconds = 0.0
    return Transcript(utterance.id, "", seconds=seconds, error=str(as_speech_error(error)))


class TranscriptFile:
    """A file of transcripts that grows as they are made: JSON, one a line after a heading.

    The heading says what the transcripts are of and who made them; a file with another one is
    refused, so that a run never goes on with transcripts of another kind. What a killed run left
    of its last line is cut off.

    Args:
        path: the file; it is begun if it is not there.
        heading: plain values.

    Raises:
        SpeechError: the file has another heading, or a line that is no transcript.
    """

    def __init__(self, path: str | os.PathLike[str], heading: Mapping[str, Any]) -> None:
        self._path = Path(path)
        self._heading = dict(heading)
        self.transcripts: dict[str, Transcript] = {}
        whole, length = self._read()
        try:
            if 0 < whole < length:
                os.truncate(self._path, whole)
            elif not whole:
                self._path.write_text(_line(self._heading), encoding="utf-8")
        except OSError as error:
            raise SpeechError(f"{self._path}: cannot be written: {error.strerror}") from error

    def add(self, made: Iterable[Transcript]) -> None:
        """Append transcripts; they are on disk when this returns.

        Raises:
            SpeechError: the file cannot be written.
        """
        known = {one.utterance: one for one in made}
        try:
            with self._path.open("a", encoding="utf-8", newline="\n") as stream:
                stream.writelines(_line(asdict(one)) for one in known.values())
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise SpeechError(f"{self._path}: cannot be written: {error.strerror}") from error
        self.transcripts.update(known)

    def _read(self) -> tuple[int, int]:
        """Read what is there; the number of bytes in whole lines, and of all."""
        try:
            content = self._path.read_bytes() if self._path.exists() else b""
        except OSError as error:
            raise SpeechError(f"{self._path}: cannot be read: {error.strerror}") from error
        whole = content.rfind(b"\n") + 1
        for number, line in enumerate(content[:whole].splitlines(), start=1):
            value = _parsed(line)
            if number == 1:
                if value != json.loads(_line(self._heading)):
                    raise SpeechError(
                        f"{self._path}:1: expected transcripts of {_line(self._heading).strip()}, "
                        f"found {line.decode(errors='replace')[:300]}"
                    )
                continue
            transcript = _transcript(value)
            if transcript is None or transcript.utterance in self.transcripts:
                fault = "a transcript" if transcript is None else "an utterance once"
                raise SpeechError(
                    f"{self._path}:{number}: expected {fault}, "
                    f"found {line.decode(errors='replace')[:80]!r}"
                )
            self.transcripts[transcript.utterance] = transcript
        return whole, len(content)


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True) + "\n"


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _transcript(value: Any) -> Transcript | None:
    if not isinstance(value, dict):
        return None
    try:
        confidences = tuple(float(one) for one in value["confidences"])
        seconds, error = float(value["seconds"]), value["error"]
        utterance, text = value["utterance"], value["text"]
    except (KeyError, TypeError, ValueError):
        return None
    kinds = isinstance(utterance, str) and isinstance(text, str) and isinstance(error, str | None)
    if not kinds or not all(0.0 <= one <= 1.0 for one in confidences) or not seconds >= 0.0:
        return None
    return Transcript(utterance, text, confidences, seconds, error)
