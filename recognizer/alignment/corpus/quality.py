"""How well each utterance of a corpus fits its transcript: a table, the most suspicious first."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from recognizer.am.hmm.phones import SILENCE, SPOKEN_NOISE
from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import replace_text
from recognizer.decoding.alignment.align import ForcedPath
from recognizer.decoding.alignment.tolerance import GARBAGE

COLUMNS = (
    "utterance", "recording", "speaker", "start", "seconds", "words", "suspicion", "suspicious",
    "log_likelihood", "phone_log_ratio", "garbage", "skipped_words", "unknown_words",
    "duration_outliers", "worst_outlier", "failed",
)  # fmt: skip
"""Of `quality.csv`, in this order."""


@dataclass(frozen=True)
class QualityOptions:
    """What counts as suspicious.

    Attributes:
        suspicion: utterances with more are suspicious. With the English model, 40 utterances of
            mini-librispeech's development set have 0.1 to 0.8, as many of Common Voice 0.2 to 2.1,
            and with another utterance's transcript 2.8 to 6.8.
        garbage: suspicion of a frame of garbage, about that of a wrong transcript.
        deviations: a phone's length is an outlier at so many standard deviations from the phone's
            median, both of logarithms.
        least: a phone has a median of its own where the corpus has so many of it.
    """

    suspicion: float = 2.0
    garbage: float = 5.0
    deviations: float = 3.5
    least: int = 20

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in ("suspicion", "garbage", "deviations"):
            if not getattr(self, name) > 0.0:
                raise UsageError(f"{name}: expected a number > 0, found {getattr(self, name)}")
        if self.least < 1:
            raise UsageError(f"least: expected at least 1, found {self.least}")


@dataclass(frozen=True)
class UtteranceQuality:
    """How well one utterance fits its transcript.

    Attributes:
        suspicion: mean over the frames of speech of the log ratio below, negated; frames of garbage
            count as `QualityOptions.garbage`. Frames of words without a pronunciation count as
            nothing.
        suspicious: whether that is more than `QualityOptions.suspicion`.
        log_likelihood: mean natural-log likelihood per frame, unscaled.
        phone_log_ratio: mean over the frames of speech of the transcript's phone's score less that
            of the likeliest phone (`recognizer.decoding.alignment.phone_scores`), at most 0.
        garbage: share of the frames of speech that are garbage, 0 without tolerance.
        skipped: words of the transcript that were not said, 0 without tolerance.
        unknown: words without a pronunciation.
        outliers: phones of unusual length, the most unusual first.
    """

    suspicion: float
    suspicious: bool
    log_likelihood: float
    phone_log_ratio: float
    garbage: float
    skipped: int
    unknown: int
    outliers: tuple[Segment, ...]

    def to_json(self) -> dict[str, Any]:
        """As the JSON files of alignments have it."""
        return {
            "suspicion": round(self.suspicion, 3),
            "suspicious": self.suspicious,
            "log_likelihood": round(self.log_likelihood, 3),
            "garbage": round(self.garbage, 3),
        }


def utterance_qualities(
    utterances: Iterable[Utterance],
    paths: Mapping[str, ForcedPath],
    alignments: Sequence[Alignment],
    unknown: Mapping[str, int],
    frame_shift: float,
    options: QualityOptions | None = None,
) -> dict[str, UtteranceQuality]:
    """The qualities of aligned utterances, by their ids.

    Args:
        utterances: of the corpus.
        paths: with scores, by utterance.
        alignments: in the utterances' time, with silence as SIL.
        unknown: number of words without a pronunciation, by utterance.
        frame_shift: seconds from one frame of the paths to the next.
        options: what counts as suspicious.
    """
    chosen = options or QualityOptions()
    outliers = _duration_outliers(alignments, chosen)
    tokens = {utterance.id: utterance.tokens for utterance in utterances}
    return {
        one.utterance: _quality(
            one, paths[one.utterance], tokens[one.utterance], unknown.get(one.utterance, 0),
            outliers.get(one.utterance, ()), frame_shift, chosen,
        )
        for one in alignments
    }  # fmt: skip


def write_quality(
    path: Path,
    utterances: Iterable[Utterance],
    qualities: Mapping[str, UtteranceQuality],
    failed: Mapping[str, str],
) -> None:
    """Write a table of all utterances as CSV: those that failed, then by falling suspicion.

    Args:
        path: the file.
        utterances: of the corpus.
        qualities: of those that were aligned.
        failed: why, of those that were not, and of recordings that were skipped.

    Raises:
        SpeechError: the file cannot be written.
    """
    known = {utterance.id: utterance for utterance in utterances}
    order = sorted(qualities, key=lambda key: (-qualities[key].suspicion, key))
    with replace_text(path) as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(COLUMNS)
        for key, reason in sorted(failed.items()):
            table.writerow((*_place(key, known.get(key)), *[""] * 9, reason))
        for key in order:
            table.writerow((*_place(key, known[key]), *_measures(qualities[key]), ""))


def _place(key: str, utterance: Utterance | None) -> tuple[str | int, ...]:
    """The columns of where an utterance is; a recording that was skipped has but a name."""
    if utterance is None:
        return "", key, "", "", "", ""
    try:
        seconds = f"{utterance.duration:.3f}"
    except SpeechError:  # its audio cannot be read
        seconds = ""
    return (
        utterance.id, utterance.recording, utterance.speaker, f"{utterance.start:.3f}", seconds,
        len(utterance.tokens),
    )  # fmt: skip


def _measures(found: UtteranceQuality) -> tuple[str | int, ...]:
    first = next(iter(found.outliers), None)
    worst = "" if first is None else f"{first.label} {first.duration:.2f} s at {first.start:.2f} s"
    return (
        f"{found.suspicion:.3f}", "yes" if found.suspicious else "no",
        f"{found.log_likelihood:.3f}", f"{found.phone_log_ratio:.3f}", f"{found.garbage:.3f}",
        found.skipped, found.unknown, len(found.outliers), worst,
    )  # fmt: skip


def _quality(
    alignment: Alignment,
    path: ForcedPath,
    tokens: Sequence[str],
    unknown: int,
    outliers: tuple[Segment, ...],
    frame_shift: float,
    options: QualityOptions,
) -> UtteranceQuality:
    scores = path.scores
    assert scores is not None, "expected paths with scores"
    judged = scores.speech.copy()
    garbage = np.zeros(len(judged), dtype=np.bool_)
    for phone in alignment.phones:
        if phone.label == SPOKEN_NOISE:
            judged[_frames(phone, frame_shift)] = False
    for word in alignment.words:
        if word.label == GARBAGE:
            garbage[_frames(word, frame_shift)] = True
    garbage &= scores.speech
    judged &= ~garbage
    ratio = float(scores.log_ratios[judged].mean()) if judged.any() else 0.0
    speech = int(judged.sum()) + int(garbage.sum())
    share = int(garbage.sum()) / max(speech, 1)
    suspicion = options.garbage * share - ratio * (1.0 - share)
    if not speech:  # nothing was said, or nothing that can be judged
        suspicion = options.garbage if unknown < len(tokens) else 0.0
    return UtteranceQuality(
        suspicion=suspicion,
        suspicious=suspicion > options.suspicion,
        log_likelihood=scores.log_likelihood,
        phone_log_ratio=ratio,
        garbage=share,
        skipped=len(path.skipped(tokens)),
        unknown=unknown,
        outliers=outliers,
    )


def _frames(segment: Segment, frame_shift: float) -> slice:
    return slice(round(segment.start / frame_shift), round(segment.end / frame_shift))


def _duration_outliers(
    alignments: Iterable[Alignment], options: QualityOptions
) -> dict[str, tuple[Segment, ...]]:
    """Phones of unusual length by utterance, the most unusual first.

    Median and median absolute deviation are used, since outliers do not move them.
    """
    spoken = [
        (alignment.utterance, phone, float(np.log(phone.duration)))
        for alignment in alignments
        for phone in alignment.phones
        if phone.label not in (SILENCE, SPOKEN_NOISE) and phone.duration > 0.0
    ]
    lengths: dict[str, list[float]] = {}
    for _, phone, length in spoken:
        lengths.setdefault(phone.label, []).append(length)
    centres = {
        label: _centre(found) for label, found in lengths.items() if len(found) >= options.least
    }
    together = _centre(list(chain.from_iterable(lengths.values()))) if lengths else (0.0, 1.0)
    found: dict[str, list[tuple[float, Segment]]] = {}
    for utterance, phone, length in spoken:
        middle, spread = centres.get(phone.label, together)
        deviation = abs(length - middle) / spread
        if deviation > options.deviations:
            found.setdefault(utterance, []).append((deviation, phone))
    return {
        utterance: tuple(phone for _, phone in sorted(some, key=lambda one: -one[0]))
        for utterance, some in found.items()
    }


def _centre(lengths: Sequence[float]) -> tuple[float, float]:
    """Median, and the standard deviation that the median absolute deviation stands for."""
    middle = median(lengths)
    return middle, max(1.4826 * median(abs(one - middle) for one in lengths), 0.1)
