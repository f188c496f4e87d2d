"""Keywords found in an index, with scores and decisions."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Literal

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import read_lines
from recognizer.data.text.rules import text_rules
from recognizer.decoding.keywords.index import KeywordIndex
from recognizer.decoding.keywords.search import Hit, find
from recognizer.recognition.times import frame_seconds

Thresholds = Literal["keyword", "single"]

BETA = 999.9
"""How many missed occurrences of all of a keyword's weigh as much as false alarms in all trials:
NIST's value, for which a false alarm costs a tenth of a correct detection and a keyword is spoken
once in 10,000 seconds."""

COLUMNS = (
    "keyword",
    "utterance",
    "recording",
    "start",
    "end",
    "posterior",
    "score",
    "decision",
)


@dataclass(frozen=True)
class DetectionOptions:
    """How detections are scored and decided.

    Attributes:
        thresholds: "single": posteriors are compared as they are; "keyword": each keyword has its
            own threshold, at which a detection gains as much term-weighted value as it loses
            (Miller et al., "Rapid and accurate spoken term detection", Interspeech 2007). In a
            collection of a few minutes, in which a false alarm weighs much, that is close to 1.
        threshold: of the score, from which on a detection counts.
        beta: weight of false alarms, see `BETA`.
        max_gap: seconds that may lie between two words of a phrase.
    """

    thresholds: Thresholds = "single"
    threshold: float = 0.5
    beta: float = BETA
    max_gap: float = 0.5

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        if self.thresholds not in ("keyword", "single"):
            raise UsageError(
                f"thresholds: expected 'keyword' or 'single', found {self.thresholds!r}"
            )
        if not 0.0 <= self.threshold <= 1.0:
            raise UsageError(f"threshold: expected a score in [0, 1], found {self.threshold}")
        if not 0.0 < self.beta < float("inf"):
            raise UsageError(f"beta: expected a finite number > 0, found {self.beta}")
        if not 0.0 <= self.max_gap < float("inf"):
            raise UsageError(f"max_gap: expected seconds >= 0, found {self.max_gap}")


@dataclass(frozen=True)
class Detection:
    """A keyword that may be spoken somewhere.

    Attributes:
        keyword: as it was asked for.
        utterance: id of the utterance.
        recording: the recording that it is a part of.
        start: seconds from the recording's beginning.
        end: seconds from the recording's beginning.
        posterior: probability, as far as the models know.
        score: what the threshold is compared with: the posterior, or with keywords' own
            thresholds what it becomes if every threshold is moved to 0.5.
        decision: whether the score reaches the threshold.
    """

    keyword: str
    utterance: str
    recording: str
    start: float
    end: float
    posterior: float
    score: float
    decision: bool

    def row(self) -> str:
        """A line of TSV, in the order of `COLUMNS`."""
        fields = (
            self.keyword,
            self.utterance,
            self.recording,
            f"{self.start:.2f}",
            f"{self.end:.2f}",
            f"{self.posterior:.6f}",
            f"{self.score:.6f}",
            "yes" if self.decision else "no",
        )
        return "\t".join(fields) + "\n"

    def json(self) -> str:
        """A line of JSON."""
        times = {"start": round(self.start, 3), "end": round(self.end, 3)}
        return json.dumps(asdict(self) | times, ensure_ascii=False) + "\n"


def keyword_words(index: KeywordIndex, keyword: str) -> tuple[str, ...]:
    """The words of a keyword, as the index has them.

    Raises:
        UsageError: there is no word in it.
    """
    rules = index.settings.text_rules
    try:
        words = tuple((text_rules(rules).normalize(keyword) if rules else keyword).split())
    except SpeechError as error:
        raise UsageError(f"keyword {keyword!r}: {error}") from None
    if not words:
        raise UsageError(f"keyword {keyword!r}: expected at least one word, found none")
    return words


def unknown_words(index: KeywordIndex, keyword: str) -> tuple[str, ...]:
    """Words of a keyword that the model of the index could not have found."""
    return tuple(word for word in keyword_words(index, keyword) if word not in index.ids)


def detections(
    index: KeywordIndex, keyword: str, options: DetectionOptions = DetectionOptions()
) -> tuple[Detection, ...]:
    """All places where a keyword may be spoken, the highest score first.

    Args:
        index: the index.
        keyword: a word or a phrase, normalised by the index's text rules.
        options: how scores and decisions are made.

    Raises:
        UsageError: there is no word in the keyword.
    """
    hits = find(index, keyword_words(index, keyword), options.max_gap)
    threshold = 0.5
    if options.thresholds == "keyword":
        expected = sum(hit.posterior for hit in hits)
        threshold = keyword_threshold(expected, index.duration, options.beta)
    found = [_detection(index, keyword, hit, threshold, options) for hit in hits]
    return tuple(sorted(found, key=lambda one: (-one.score, one.utterance, one.start)))


def keyword_threshold(expected: float, seconds: float, beta: float = BETA) -> float:
    """The posterior from which on a detection of a keyword raises the expected term-weighted value.

    A detection of probability p gains p / N on the side of misses and loses beta (1 - p) / (T - N)
    on that of false alarms, which are equal at beta N / (T + (beta - 1) N).

    Args:
        expected: occurrences N of the keyword, as many as its posteriors sum to.
        seconds: of all speech T, one trial a second.
        beta: weight of false alarms.
    """
    if expected >= seconds:  # more than one in every second
        return 1.0
    return beta * expected / (seconds + (beta - 1.0) * expected)


def moved_to_one_half(posterior: float, threshold: float) -> float:
    """A posterior as a score whose threshold is 0.5: odds are divided by those of the threshold."""
    if posterior <= 0.0 or threshold >= 1.0:
        return 1.0 if posterior >= 1.0 else 0.0
    gain, loss = posterior * (1.0 - threshold), (1.0 - posterior) * threshold
    return gain / (gain + loss)


def read_keywords(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Keywords of a file, one a line; empty lines and further mentions of one are passed over.

    Raises:
        SpeechError: an unreadable file, or one without keywords.
    """
    keywords = tuple(dict.fromkeys(" ".join(line.split()) for line in read_lines(path)))
    found = tuple(keyword for keyword in keywords if keyword)
    if not found:
        raise SpeechError(f"{path}: expected keywords, one a line, found none")
    return found


def _detection(
    index: KeywordIndex, keyword: str, hit: Hit, threshold: float, options: DetectionOptions
) -> Detection:
    utterance, shift = index.utterances[hit.utterance], index.settings.frame_shift
    start, end = (
        frame_seconds(frame, shift, start=utterance.start, end=utterance.start + utterance.duration)
        for frame in (hit.begin, hit.end)
    )
    score = hit.posterior
    if options.thresholds == "keyword":
        score = moved_to_one_half(hit.posterior, threshold)
    return Detection(
        keyword=keyword,
        utterance=utterance.id,
        recording=utterance.recording,
        start=start,
        end=end,
        posterior=hit.posterior,
        score=score,
        decision=score >= options.threshold,
    )
