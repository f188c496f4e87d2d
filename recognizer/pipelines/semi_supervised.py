"""Training sets without transcripts: a recipe's teacher makes them, the likely ones are kept.

The stage ``transcribe`` makes all transcripts. The stage ``select`` leaves a Kaldi data directory
for each set, with the transcripts that are kept, in the normal form of the recipe's text rules. All
later stages take it as any other training set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recognizer.data.corpora.corpus import Corpus, read_corpus
from recognizer.data.errors import SpeechError
from recognizer.data.io.console import console, progress_bar
from recognizer.data.io.json_io import read_json, write_json
from recognizer.data.io.options import from_table, to_table
from recognizer.model.config import TeacherRecord
from recognizer.pipelines.recipe import TrainingSet, UntranscribedSet
from recognizer.stages import Stage
from recognizer.transcription.selection import select
from recognizer.transcription.transcribe import transcribe, write_selection
from recognizer.transcription.transcript import Transcript

_TRANSCRIBE, _SELECT = "transcribe", "select"
_RECORD = "teacher.json"


@dataclass(frozen=True)
class SelectedSet(TrainingSet):
    """The transcripts that were kept of an untranscribed set.

    Attributes:
        path: the directory that the stage makes.
    """

    path: Path = Path()

    @property
    def made_by(self) -> str | None:
        """The stage that makes the directory."""
        return _SELECT

    def directory(self, corpora: Path) -> Path:
        """Where it lies."""
        return self.path

    def teacher(self) -> TeacherRecord | None:
        """Who transcribed it.

        Raises:
            SpeechError: the stage's record is missing or damaged.
        """
        path = self.path / _RECORD
        table = read_json(path, "teacher").get("record")
        if not isinstance(table, dict):
            raise SpeechError(f"{path}: record: expected an object, found {table!r}")
        return from_table(TeacherRecord, table, str(path))


def selected_sets(sets: Sequence[UntranscribedSet], work: Path) -> tuple[SelectedSet, ...]:
    """What the stages leave of untranscribed sets; it is there when they have run."""
    return tuple(SelectedSet(one.data, one.licence, path=work / _SELECT / one.name) for one in sets)


def semi_supervised_stages(
    sets: Sequence[UntranscribedSet], rules: str, corpora: Path, work: Path, *, jobs: int = 1
) -> list[Stage]:
    """The stages that transcribe the sets, and that keep what is likely to be right.

    Args:
        sets: what to transcribe; without any, there are no stages.
        rules: name of the rule set of the transcripts (`recognizer.data.text.rules`).
        corpora: directory that sets and teachers are relative to.
        work: parent of the stages' directories.
        jobs: processes; each loads a teacher.
    """

    def check() -> None:
        for one in sets:
            _audio(one, corpora)
            for teacher in one.teachers:
                teacher.check(corpora)
                teacher.described(corpora)

    def transcribe_all(directory: Path) -> None:
        for one in sets:
            _transcripts(one, corpora, directory, jobs)

    def select_all(directory: Path) -> None:
        for one in sets:
            _select(one, rules, corpora, work / _TRANSCRIBE, directory / one.name)

    if not sets:
        return []
    tables = [to_table(one) for one in sets]
    limits = [table.pop("selection") for table in tables]
    made: dict[str, Any] = {"sets": tables}
    kept: dict[str, Any] = {"limits": limits, "text_rules": rules}
    return [
        Stage(_TRANSCRIBE, made, (), transcribe_all, "transcribing sets that have no text", check),
        Stage(_SELECT, kept, (_TRANSCRIBE,), select_all, "choosing transcripts to train on", check),
    ]


def _audio(one: UntranscribedSet, corpora: Path) -> Corpus:
    return read_corpus(corpora / one.data, transcripts=False)


def _transcripts(
    one: UntranscribedSet, corpora: Path, directory: Path, jobs: int = 1
) -> list[dict[str, Transcript]]:
    """Each teacher's transcripts; made if they are not there, or not all of them."""
    corpus = _audio(one, corpora)
    found = []
    for number, teacher in enumerate(one.teachers, start=1):
        path = directory / f"{one.name}.{number}.jsonl"
        with progress_bar(f"{one.data} ({teacher.path})", len(corpus)) as advance:
            found.append(
                transcribe(corpus, teacher, path, root=corpora, jobs=jobs, progress=advance)
            )
    return found


def _select(
    one: UntranscribedSet, rules: str, corpora: Path, transcripts: Path, target: Path
) -> None:
    """Choose among the first teacher's transcripts, tell what is kept, write it."""
    corpus = _audio(one, corpora)
    first, *others = _transcripts(one, corpora, transcripts)
    selection = select(first.values(), rules, one.selection, others[0] if others else None)
    for line in selection.lines():
        console.print(f"{one.data}: {line}", markup=False, highlight=False)
    write_selection(corpus, selection, target)
    name, licence = one.teacher.described(corpora)
    other = None if one.second is None else one.second.described(corpora)[0]
    record = TeacherRecord(name, licence, len(corpus), len(selection.kept), other)
    write_json(target / _RECORD, "teacher", {"record": to_table(record)})
