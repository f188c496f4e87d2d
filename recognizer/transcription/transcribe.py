"""A corpus transcribed by a teacher: in batches, in processes, going on after a break."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.data.corpora.kaldi_writing import write_kaldi_dir
from recognizer.data.errors import SpeechError
from recognizer.data.parallel.processes import process_map
from recognizer.transcription.selection import Selection
from recognizer.transcription.teachers import TeacherOptions, loaded_teacher
from recognizer.transcription.transcript import Transcript, TranscriptFile

_SORTED = 256
"""So many utterances are sorted by length, so that those of a batch are about equally long."""


def transcribe(
    corpus: Corpus,
    teacher: TeacherOptions,
    path: str | os.PathLike[str],
    *,
    root: Path = Path(),
    jobs: int = 1,
    progress: Callable[[], None] = lambda: None,
) -> dict[str, Transcript]:
    """Transcribe a corpus, whose own transcripts are not looked at.

    Args:
        corpus: what to transcribe.
        teacher: who does.
        path: file of the transcripts (`TranscriptFile`). Those that are in it already are not made
            again: a run that was interrupted goes on.
        root: directory that the teacher's path is relative to.
        jobs: processes; each loads the teacher.
        progress: told of each utterance.

    Returns:
        A transcript for each utterance, in the order of the corpus; see `Transcript.error`.

    Raises:
        SpeechError: no utterances, a teacher that cannot work, a file of other transcripts, or not
            one utterance could be transcribed (gives the first reason).
    """
    if not len(corpus):
        raise SpeechError(f"{corpus.name}: expected utterances, found none")
    teacher.check(root)
    loaded_teacher.cache_clear()  # its files may have changed since this process last used it
    file = TranscriptFile(path, {"set": corpus.name, "teacher": teacher.identity(root)})
    done = file.transcripts
    ids = {one.id for one in corpus}
    others = [name for name in done if name not in ids]
    if others:
        raise SpeechError(
            f"{path}: expected utterances of {corpus.name}, found {len(others)} others, "
            f"the first {others[0]}"
        )
    waiting = [one for one in corpus if one.id not in done]
    for _ in range(len(corpus) - len(waiting)):
        progress()
    if waiting:
        work = functools.partial(_transcribed, teacher, root)
        size = loaded_teacher(teacher, root).batch  # here too: damage is found before the work
        for made in process_map(work, _batches(waiting, size), jobs, corpus.name):
            file.add(made)
            for _ in made:
                progress()
    transcripts = {one.id: done[one.id] for one in corpus}
    errors = [one for one in transcripts.values() if one.error is not None]
    if len(errors) == len(transcripts):
        raise SpeechError(
            f"{corpus.name}: none of {len(errors)} utterances could be transcribed, the first "
            f"{errors[0].utterance}: {errors[0].error}"
        )
    return transcripts


def write_selection(corpus: Corpus, selection: Selection, directory: Path) -> None:
    """Write the chosen transcripts as a Kaldi data directory with utt2conf.

    Raises:
        SpeechError: nothing was chosen (says why), or a directory that cannot be written.
    """
    if not selection.kept:
        raise SpeechError(f"{corpus.name}: {'; '.join(selection.lines())}")
    chosen = tuple(
        replace(one, text=" ".join(selection.kept[one.id].words))
        for one in corpus
        if one.id in selection.kept
    )
    confidences = {name: one.confidence for name, one in selection.kept.items()}
    write_kaldi_dir(replace(corpus, utterances=chosen), directory, confidences=confidences)


def _batches(utterances: Sequence[Utterance], size: int) -> Iterator[list[Utterance]]:
    """Utterances of similar length together; the order is otherwise that of the corpus."""
    for start in range(0, len(utterances), _SORTED):
        part = list(utterances[start : start + _SORTED])
        if size > 1:
            part.sort(key=_length)
        for first in range(0, len(part), size):
            yield part[first : first + size]


def _length(utterance: Utterance) -> float:
    """Seconds of an utterance; 0 where it cannot be read, which transcribing it will tell."""
    try:
        return utterance.duration
    except Exception:
        return 0.0


def _transcribed(
    teacher: TeacherOptions, root: Path, utterances: Sequence[Utterance]
) -> list[Transcript]:
    return loaded_teacher(teacher, root).transcribe(utterances)
