"""Speech between pauses, with noise or music, of which it is known where the speech is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recognizer import align_corpus, read_aligner
from recognizer.data.alignments.alignment import Alignment
from recognizer.data.audio.reading import SAMPLE_RATE, Samples
from recognizer.data.augmentation.noise import add_noise, find_clips, mean_power, read_clip
from recognizer.data.corpora.corpus import Corpus

FRAME = SAMPLE_RATE // 100
"""Samples of a frame of the reference, 10 ms."""

_PAUSE_SECONDS = (0.5, 3.0)
_SHORT_PAUSE = 0.3
_COLLAR = 0.1
_LEVEL = 1e-4
"""Deviation of the noise under clean recordings: no microphone gives zeros in the pauses."""


@dataclass(frozen=True)
class Utterance:
    """Clean speech between two pauses.

    Attributes:
        samples: 16 kHz mono ``[N]``.
        speech: of each frame of 10 ms ``[N // 160]``, whether a word is said: pauses of less than
            0.3 s between words count as speech.
        scored: of each frame, whether it is farther than 0.1 s from a change between both, which an
            alignment does not know more exactly.
    """

    samples: Samples
    speech: npt.NDArray[np.bool_]
    scored: npt.NDArray[np.bool_]


def utterances(corpus: Corpus, model: str | None, count: int, seed: int) -> list[Utterance]:
    """Utterances of a corpus, spread over it, as forced alignment of the clean recordings has them.

    Args:
        corpus: with transcripts.
        model: what aligns them; None: the English model of this package.
        count: how many.
        seed: of the pauses' lengths.
    """
    aligner, chosen = read_aligner(model, corpus.spread(count), derive=True)
    alignments = {one.utterance: one for one in align_corpus(chosen, aligner).alignments}
    generator = np.random.default_rng(seed)
    return [
        _between_pauses(one.samples(), alignments[one.id], generator)
        for one in chosen
        if one.id in alignments
    ]


def _between_pauses(
    samples: Samples, alignment: Alignment, generator: np.random.Generator
) -> Utterance:
    before, after = (
        round(generator.uniform(*_PAUSE_SECONDS) * SAMPLE_RATE / FRAME) * FRAME for _ in range(2)
    )
    whole = generator.normal(0, _LEVEL, before + len(samples) + after).astype(np.float32)
    whole[before : before + len(samples)] += samples
    speech = np.zeros(len(whole) // FRAME, np.bool_)
    last_end = -1.0
    for word in alignment.words:
        start = last_end if word.start - last_end < _SHORT_PAUSE and last_end >= 0 else word.start
        first, end = (round(t * SAMPLE_RATE) // FRAME + before // FRAME for t in (start, word.end))
        speech[first:end] = True
        last_end = word.end
    scored = np.ones(len(speech), np.bool_)
    collar = round(_COLLAR * SAMPLE_RATE / FRAME)
    for change in np.flatnonzero(np.diff(speech)) + 1:
        scored[max(0, change - collar) : change + collar] = False
    return Utterance(whole, speech, scored)


def in_noise(clean: list[Utterance], snr_db: float, sounds: list[Samples]) -> Iterator[Samples]:
    """The utterances with one sound after the other, the pauses too.

    Args:
        clean: the utterances.
        snr_db: ratio of the mean powers of the speech alone and of the noise.
        sounds: what is added.
    """
    for index, one in enumerate(clean):
        frames = one.samples[: len(one.speech) * FRAME].reshape(-1, FRAME)
        speech_power = mean_power(frames[one.speech].ravel())
        whole_power = mean_power(one.samples)
        # `add_noise` takes the power of all of its first argument.
        ratio = snr_db - 10.0 * np.log10(speech_power / whole_power)
        yield add_noise(one.samples, sounds[index % len(sounds)], float(ratio))


def noise(patterns: list[str], root: Path) -> list[Samples]:
    """Recordings of noise, in an order that mixes their kinds."""
    clips = find_clips(patterns, root)
    order = np.random.default_rng(0).permutation(len(clips))
    return [read_clip(clips[index]) for index in order]


def music(seconds: float = 32.0) -> list[Samples]:
    """Made music: chords of plucked strings with a melody, a bass and a beat, in four keys."""
    generator = np.random.default_rng(0)
    pieces = []
    for key in (45, 48, 50, 53):  # MIDI notes
        total = round(seconds * SAMPLE_RATE)
        piece = np.zeros(total + SAMPLE_RATE, np.float32)
        for beat in range(int(seconds * 4)):
            begin = beat * SAMPLE_RATE // 4
            root = key + (0, 7, 9, 5)[beat // 8 % 4]
            notes = [root + 12 + int(generator.choice([0, 3, 4, 7, 12, 14]))]
            if beat % 2 == 0:
                notes += [root, root + 7, root + 12, root + 16]
            for note in notes:
                piece[begin : begin + SAMPLE_RATE] += _string(440.0 * 2.0 ** ((note - 69) / 12))
            beaten = generator.normal(0, 0.2, SAMPLE_RATE // 20) * np.linspace(1, 0, 800) ** 2
            piece[begin : begin + len(beaten)] += beaten.astype(np.float32)
        pieces.append(piece[:total] / np.abs(piece).max())
    return pieces


def _string(frequency: float) -> Samples:
    """A second of a plucked string: harmonics that die away, the higher ones sooner."""
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    harmonics = range(1, min(12, int(7000 / frequency)) + 1)
    tones = (
        np.sin(2 * np.pi * frequency * n * time) * np.exp(-(1.0 + n) * time) / n for n in harmonics
    )
    string: Samples = np.sum(list(tones), axis=0).astype(np.float32)
    return string
