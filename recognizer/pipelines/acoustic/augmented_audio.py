"""Augmented copies of recordings as audio files, to listen to."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import soundfile

from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.augmentation.augment import augment, copy_rng
from recognizer.data.augmentation.sounds import check_sounds, read_sounds, write_sounds
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError, UsageError
from recognizer.pipelines.acoustic.options import AcousticOptions


def write_augmented_audio(
    options: AcousticOptions,
    utterances: Sequence[Utterance],
    directory: Path,
    root: Path,
    *,
    progress: Callable[[], None] = lambda: None,
) -> None:
    """Write each recording and its augmented copies, and what was done to these.

    Args:
        options: their augmentation and speeds.
        utterances: the recordings; a ``/`` in an id becomes a ``_`` in the names of its files.
        directory: gets UTTERANCE.wav, its copies UTTERANCE+COPY.wav and ``augmentations.jsonl``; it
            must not exist, and does not if anything fails.
        root: directory that patterns of noise start from.
        progress: called after each utterance.

    Raises:
        UsageError: the directory exists.
        SpeechError: no augmentation, audio that cannot be read, or as `write_sounds`.
    """
    if options.augmentation is None:
        raise SpeechError("acoustic: expected a table of augmentation, found none")
    if directory.exists():
        raise UsageError(f"{directory}: expected a directory that does not exist yet")
    check_sounds(options.augmentation, root)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=directory.parent) as temporary:
            sounds, audio = Path(temporary, "sounds"), Path(temporary, "audio")
            sounds.mkdir()
            audio.mkdir()
            write_sounds(options.augmentation, sounds, root)
            augmenter = read_sounds(options.augmentation, sounds)
            with (audio / "augmentations.jsonl").open("w", encoding="utf-8") as log:
                for utterance in utterances:
                    name, samples = utterance.id.replace("/", "_"), utterance.samples()
                    _write(audio / f"{name}.wav", samples)
                    for version in options.versions[1:]:
                        rng = copy_rng(augmenter.options.seed, utterance.id, version.copy)
                        copy, drawn = augment(samples, augmenter, rng, version.speed)
                        _write(audio / f"{name}+{version.copy}.wav", copy)
                        record = {"utterance": utterance.id, "copy": version.copy, **asdict(drawn)}
                        log.write(json.dumps(record, default=str) + "\n")
                    progress()
            shutil.move(audio, directory)
    except OSError as error:
        raise SpeechError(f"{directory}: cannot be written: {error.strerror or error}") from error


def _write(path: Path, samples: np.ndarray) -> None:
    soundfile.write(path, np.clip(samples, -1.0, 1.0), SAMPLE_RATE, subtype="PCM_16")
