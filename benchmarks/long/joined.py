"""A recording of hours, joined of sentences with pauses between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.corpora.corpus import Utterance

_PAUSE_SECONDS = (0.3, 2.0)
_LEVEL = 1e-4
"""Standard deviation of the noise in the pauses."""


@dataclass(frozen=True)
class Sentence:
    """An utterance of the joined recording.

    Attributes:
        utterance: with its transcript.
        start: seconds from the recording's beginning.
        end: seconds from the recording's beginning.
    """

    utterance: Utterance
    start: float
    end: float


def write_joined(
    path: Path, utterances: Sequence[Utterance], seconds: float, seed: int
) -> list[Sentence]:
    """Write a recording in FLAC, piece by piece.

    Args:
        path: of the file.
        utterances: all are taken in a random order, then again in another one.
        seconds: the recording ends with the sentence that reaches this length.
        seed: of order and pauses.
    """
    generator = np.random.default_rng(seed)
    sentences: list[Sentence] = []
    position = 0
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC") as file:
        for utterance in _shuffled(utterances, generator):
            pause = round(generator.uniform(*_PAUSE_SECONDS) * SAMPLE_RATE)
            samples = utterance.samples()
            file.write(generator.normal(0, _LEVEL, pause).astype(np.float32))
            file.write(samples)
            start, position = position + pause, position + pause + len(samples)
            sentences.append(Sentence(utterance, start / SAMPLE_RATE, position / SAMPLE_RATE))
            if position >= seconds * SAMPLE_RATE:
                return sentences
    raise AssertionError("the utterances have no end")


def _shuffled(
    utterances: Sequence[Utterance], generator: np.random.Generator
) -> Iterator[Utterance]:
    while True:
        for index in generator.permutation(len(utterances)):
            yield utterances[index]
