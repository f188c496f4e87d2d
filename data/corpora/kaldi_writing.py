"""Kaldi data directories written: what any corpus is to another program, or to a later run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.data.errors import SpeechError
from recognizer.data.io.files import replace_text

CONFIDENCES = "utt2conf"
"""Lines `utterance confidence`, from 0 to 1, of transcripts that a recogniser made."""


def write_kaldi_dir(
    corpus: Corpus,
    directory: str | os.PathLike[str],
    *,
    confidences: Mapping[str, float] | None = None,
) -> None:
    """Write wav.scp, text, utt2spk, and segments where utterances are parts of recordings.

    Audio files are named by their absolute paths. The text is what the corpus has, not its normal
    form. Without segments an utterance's recording has its name; with them recordings keep their
    names, or are numbered where a name has white space or occurs twice. wav.scp is written last: a
    directory that has one is complete.

    Args:
        corpus: what is written, sorted by utterance as Kaldi expects.
        directory: made if it is not there.
        confidences: by utterance; written as utt2conf.

    Raises:
        SpeechError: no utterances, an id with white space, an utterance of one channel of its
            recording, which Kaldi's lists cannot say, or a directory that cannot be written.
    """
    directory = Path(directory)
    utterances = sorted(corpus, key=lambda one: one.id)
    _check(corpus.name, utterances)
    recordings, segments = _recordings(utterances)
    tables = {
        "text": {one.id: " ".join(one.text.split()) for one in utterances},
        "utt2spk": {one.id: one.speaker for one in utterances},
    }
    if segments:
        tables["segments"] = segments
    if confidences is not None:
        tables[CONFIDENCES] = {one.id: f"{confidences[one.id]:.4f}" for one in utterances}
    tables["wav.scp"] = recordings
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpeechError(f"{directory}: cannot be made: {error.strerror}") from error
    (directory / "wav.scp").unlink(missing_ok=True)
    for name in ("segments", CONFIDENCES):
        if name not in tables:
            (directory / name).unlink(missing_ok=True)
    for name, table in tables.items():
        with replace_text(directory / name) as stream:
            stream.writelines(f"{key} {value}".rstrip() + "\n" for key, value in table.items())


def _check(name: str, utterances: list[Utterance]) -> None:
    if not utterances:
        raise SpeechError(f"{name}: expected utterances to write, found none")
    for one in utterances:
        if len(one.id.split()) != 1 or len(one.speaker.split()) != 1:
            raise SpeechError(
                f"{name}: expected ids and speakers without white space, found {one.id!r} of "
                f"{one.speaker!r}"
            )
        if one.channel is not None:
            raise SpeechError(
                f"{name}: {one.id}: expected no choice of a channel, which a Kaldi data directory "
                f"cannot express, found channel {one.channel}"
            )


def _recordings(utterances: list[Utterance]) -> tuple[dict[str, str], dict[str, str]]:
    """wav.scp and segments; no segments where every utterance is a recording."""
    sources = {
        one.id: str(one.audio.absolute()) if one.command is None else f"{one.command} |"
        for one in utterances
    }
    if all(one.start == 0.0 and one.end is None for one in utterances):
        return sources, {}
    names: dict[str, str] = {}
    for one in utterances:
        if sources[one.id] not in names:
            usable = len(one.part_of.split()) == 1 and one.part_of not in names.values()
            names[sources[one.id]] = one.part_of if usable else f"recording-{len(names):06d}"
    segments = {
        one.id: f"{names[sources[one.id]]} {one.start} {-1 if one.end is None else one.end}"
        for one in utterances
    }
    return {name: source for source, name in names.items()}, segments
