"""Who transcribes: a model of this package, Whisper, or whoever left transcripts in a directory."""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from recognizer.data.corpora.corpus import Utterance
from recognizer.data.corpora.kaldi_writing import CONFIDENCES
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import read_lines
from recognizer.loaded import loaded_recognizer
from recognizer.model.files import ACOUSTIC, model_path, read_config
from recognizer.transcription.transcript import Transcript, failed

if TYPE_CHECKING:
    from recognizer.recognizer import Recognizer

TeacherKind = Literal["model", "whisper", "transcripts"]


@dataclass(frozen=True)
class TeacherOptions:
    """Who transcribes, and what a model that is trained on the transcripts records of them.

    Attributes:
        kind: "model": a model of this package; "whisper": a Whisper model in CTranslate2's form,
            run by faster-whisper; "transcripts": a directory with Kaldi's text, and perhaps
            utt2conf, that some program wrote.
        path: directory of the model or of the transcripts; "english" is the model of this package.
        name: recorded; a model of this package has its own.
        licence: recorded; a model of this package has its own.
        language: what Whisper is told that the language is; of no use to the others.
    """

    kind: TeacherKind
    path: str
    name: str | None = None
    licence: str | None = None
    language: str = "en"

    def __post_init__(self) -> None:
        for field in ("name", "licence"):
            if self.kind == "model" and getattr(self, field) is not None:
                raise UsageError(f"{field}: expected nothing: a model has its own")

    def directory(self, root: Path) -> Path:
        """The directory, relative to another one unless it is absolute."""
        built_in = model_path(self.path) if self.kind == "model" else Path(self.path)
        return root / built_in

    def described(self, root: Path) -> tuple[str, str]:
        """Name and licence.

        Raises:
            SpeechError: a damaged model, or one of others without both.
        """
        if self.kind == "model":
            config = read_config(self.directory(root))
            return config.name, config.licence
        if not self.name or not self.licence:
            raise SpeechError(
                f"teacher {self.path}: expected its name and licence, which a model that is "
                f"trained on its transcripts must tell, found {self.name!r} and {self.licence!r}"
            )
        return self.name, self.licence

    def identity(self, root: Path) -> dict[str, str]:
        """What tells apart teachers whose transcripts must not be mixed.

        Raises:
            SpeechError: a damaged model.
        """
        identity = {"kind": self.kind, "path": self.path}
        if self.kind == "whisper":
            identity["language"] = self.language
        if self.kind == "model":  # the same directory may hold another one since
            recorded = read_config(self.directory(root)).files
            identity["model"] = recorded[ACOUSTIC].sha256 if ACOUSTIC in recorded else ""
        return identity

    def check(self, root: Path) -> None:
        """Refuse a teacher that cannot work, before anything is done.

        Raises:
            SpeechError: a file or the package that it needs is missing.
        """
        directory = self.directory(root)
        if not directory.is_dir():
            raise SpeechError(f"{directory}: expected the directory of a teacher, found none")
        if self.kind == "model":
            read_config(directory)
        elif self.kind == "transcripts":
            if not (directory / "text").is_file():
                raise SpeechError(f"{directory / 'text'}: no such file")
        elif importlib.util.find_spec("faster_whisper") is None:
            raise SpeechError("Whisper needs faster-whisper: pip install 'recognizer[teacher]'")


class Teacher(Protocol):
    """Transcribes utterances."""

    @property
    def batch(self) -> int:
        """Utterances of about one length that are best transcribed together."""
        ...

    def transcribe(self, utterances: Sequence[Utterance]) -> list[Transcript]:
        """Transcripts in the order of the utterances; a failure is in `Transcript.error`."""
        ...


@functools.lru_cache(maxsize=1)
def loaded_teacher(options: TeacherOptions, root: Path) -> Teacher:
    """This process's teacher: loaded once, not once a batch.

    Raises:
        SpeechError: damaged files.
    """
    directory = options.directory(root)
    if options.kind == "model":
        return ModelTeacher(directory)
    if options.kind == "transcripts":
        return WrittenTranscripts(directory)
    from recognizer.transcription.whisper import WhisperTeacher  # an optional package

    return WhisperTeacher(directory, options.language)


class ModelTeacher:
    """A model of this package; its words' confidences are those of its lattices."""

    batch = 1

    def __init__(self, directory: Path) -> None:
        self._recognizer: Recognizer = loaded_recognizer(directory)

    def transcribe(self, utterances: Sequence[Utterance]) -> list[Transcript]:
        """See `Teacher`."""
        return [self._transcribed(one) for one in utterances]

    def _transcribed(self, utterance: Utterance) -> Transcript:
        try:
            result = self._recognizer.recognize_samples(utterance.samples())
        except Exception as error:
            return failed(utterance, error)
        confidences = tuple(round(min(word.confidence, 1.0), 4) for word in result.words)
        return Transcript(utterance.id, result.text, confidences, result.duration)


class WrittenTranscripts:
    """Transcripts that are there already: text, and utt2conf if there is one."""

    batch = 256

    def __init__(self, directory: Path) -> None:
        self._path = directory / "text"
        self._text = dict(_table(self._path))
        confidences = directory / CONFIDENCES
        self._confidences: Mapping[str, float] = (
            _read_confidences(confidences) if confidences.exists() else {}
        )
        if self._confidences and self._confidences.keys() != self._text.keys():
            raise SpeechError(
                f"{confidences}: expected the utterances of text, found "
                f"{len(self._confidences.keys() ^ self._text.keys())} that are in one of them only"
            )

    def transcribe(self, utterances: Sequence[Utterance]) -> list[Transcript]:
        """See `Teacher`."""
        return [self._transcript(one) for one in utterances]

    def _transcript(self, utterance: Utterance) -> Transcript:
        text = self._text.get(utterance.id)
        if text is None:
            return failed(utterance, SpeechError(f"{self._path}: has no such utterance"))
        confidence = self._confidences.get(utterance.id)
        try:
            seconds = utterance.duration
        except Exception as error:
            return failed(utterance, error)
        confidences = () if confidence is None else (confidence,)
        return Transcript(utterance.id, text, confidences, round(seconds, 3))


def _table(path: Path) -> list[tuple[str, str]]:
    """Lines `utterance value` of one of Kaldi's tables; a value may be empty."""
    rows: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        key, _, value = line.strip().partition(" ")
        if not key or key in rows:
            found = "an empty line" if not key else f"{key} again"
            raise SpeechError(f"{path}:{number}: expected ids, each once, found {found}")
        rows[key] = value.strip()
    return list(rows.items())


def _read_confidences(path: Path) -> dict[str, float]:
    confidences = {}
    for number, (key, value) in enumerate(_table(path), start=1):
        try:
            confidence = float(value)
        except ValueError:
            confidence = math.nan
        if not 0.0 <= confidence <= 1.0:
            raise SpeechError(f"{path}:{number}: expected a confidence in [0, 1], found {value!r}")
        confidences[key] = confidence
    return confidences
