"""A made-up language of coloured noise: each phone has its spectrum, so boundaries are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from recognizer.data.alignments.alignment import Segment
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation

RATE = 16000
FORMANTS = {
    "AA": (700, 1200),
    "IY": (300, 2400),
    "UW": (320, 800),
    "S": (5000, 6500),
    "SH": (2800, 3800),
    "M": (250, 1600),
}
LEXICON = Lexicon(
    Pronunciation(word, tuple(phones.split()))
    for word, phones in [
        ("sam", "S AA M"),
        ("shoe", "SH UW"),
        ("me", "M IY"),
        ("moose", "M UW S"),
        ("ash", "AA SH"),
        ("see", "S IY"),
        ("she", "SH IY"),
        ("she", "SH AA"),
    ]
)


def spoken(rng: np.random.Generator, phone: str, samples: int) -> np.ndarray:
    """Noise in the colour of a phone, or nearly nothing for silence."""
    noise = rng.normal(size=samples)
    if phone == "SIL":
        return 0.001 * noise
    frequency = np.fft.rfftfreq(samples, 1 / RATE)
    envelope = sum(np.exp(-0.5 * ((frequency - f) / 200.0) ** 2) for f in FORMANTS[phone])
    coloured = np.fft.irfft(np.fft.rfft(noise) * envelope, samples)
    return 0.1 * coloured / np.sqrt(np.mean(coloured**2))


def utterance(
    rng: np.random.Generator, key: str, directory: Path, num_words: int = 4
) -> tuple[Utterance, list[Segment]]:
    """A random sentence with random durations and pauses, and its true phones."""
    words = rng.choice(LEXICON.words, num_words).tolist()
    phones = ["SIL"]
    for word in words:
        ways = LEXICON[word]
        phones += ways[rng.integers(len(ways))].phones
        if rng.random() < 0.4:
            phones.append("SIL")
    if phones[-1] != "SIL":
        phones.append("SIL")
    parts, segments, start = [], [], 0
    for phone in phones:
        samples = int(rng.uniform(0.07, 0.2) * RATE)
        parts.append(spoken(rng, phone, samples))
        segments.append(Segment(phone, start / RATE, (start + samples) / RATE))
        start += samples
    path = directory / f"{key}.wav"
    soundfile.write(path, np.concatenate(parts), RATE)
    return Utterance(key, path, "babbler", " ".join(words)), segments


def write_data(utterances: list[Utterance], directory: Path) -> Path:
    """A Kaldi data directory of utterances."""
    directory.mkdir()
    for name, values in (
        ("wav.scp", [u.audio for u in utterances]),
        ("text", [u.text.upper() for u in utterances]),
        ("utt2spk", [u.speaker for u in utterances]),
    ):
        lines = [f"{u.id} {value}\n" for u, value in zip(utterances, values, strict=True)]
        (directory / name).write_text("".join(lines))
    return directory
