"""Term-weighted values of keyword search, as NIST's F4DE computes them.

Fiscus, Ajot, Garofolo and Doddington, "Results of the 2006 spoken term detection evaluation", SIGIR
workshop 2007, and the evaluation plans of OpenKWS. A keyword's value at a threshold is
1 - P_miss - beta * P_FA, with P_miss the share of its occurrences that are not detected, and P_FA
its false alarms by the seconds of speech without it. The value of a system is the mean over all
keywords that occur in the reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.errors import SpeechError
from recognizer.data.text.rules import text_rules
from recognizer.keywords.detections import BETA, Detection

TOLERANCE = 0.5
"""Seconds by which the middle of a detection may lie outside of the occurrence."""


@dataclass(frozen=True)
class Occurrence:
    """A keyword that was spoken.

    Attributes:
        recording: the recording.
        start: seconds from its beginning.
        end: seconds from its beginning.
    """

    recording: str
    start: float
    end: float


@dataclass(frozen=True)
class Trial:
    """A detection that was compared with the reference.

    Attributes:
        score: of the detection.
        decision: of the detection.
        right: whether the keyword was spoken there.
    """

    score: float
    decision: bool
    right: bool


@dataclass(frozen=True)
class KeywordTrials:
    """The trials of one keyword.

    Attributes:
        keyword: the keyword.
        occurrences: how often it was spoken.
        trials: its detections, the highest score first.
    """

    keyword: str
    occurrences: int
    trials: tuple[Trial, ...]

    @property
    def correct(self) -> int:
        """Occurrences that were detected."""
        return sum(one.right and one.decision for one in self.trials)

    @property
    def false_alarms(self) -> int:
        """Detections where the keyword was not spoken."""
        return sum(one.decision and not one.right for one in self.trials)

    def value(self, correct: int, false_alarms: int, seconds: float, beta: float) -> float:
        """The term-weighted value of so many correct detections and false alarms."""
        return correct / self.occurrences - beta * false_alarms / (seconds - self.occurrences)


@dataclass(frozen=True)
class TermWeightedValues:
    """How well keywords were found.

    Attributes:
        keywords: those that occur in the reference, with their trials.
        absent: keywords that do not occur, which the values leave out.
        seconds: of all speech.
        beta: weight of false alarms.
        actual: at the decisions that were made (ATWV).
        maximum: at the best single threshold of the scores (MTWV).
        threshold: that threshold; infinite if it is best to detect nothing.
        optimum: at the best threshold of each keyword (OTWV).
        supreme: without false alarms, at threshold 0 (STWV): the share of occurrences that are
            among the detections at all.
    """

    keywords: tuple[KeywordTrials, ...]
    absent: tuple[str, ...]
    seconds: float
    beta: float
    actual: float
    maximum: float
    threshold: float
    optimum: float
    supreme: float


def reference_words(
    alignments: Mapping[str, Alignment], rules: str
) -> dict[str, tuple[Segment, ...]]:
    """The words of each recording, written as an index has them.

    A word that the rules make several of, such as a number, is divided into equal parts; what they
    leave nothing of is left out.

    Args:
        alignments: of the recordings.
        rules: name of the rule set; empty takes words as they are.

    Raises:
        SpeechError: a word that the rules refuse.
    """
    found = {}
    for name, alignment in alignments.items():
        words: list[Segment] = []
        for one in alignment.words:
            try:
                parts = (text_rules(rules).normalize(one.label) if rules else one.label).split()
            except SpeechError as error:
                raise SpeechError(f"recording {name}: {error}") from None
            length = (one.end - one.start) / max(len(parts), 1)
            words += [
                Segment(part, one.start + number * length, one.start + (number + 1) * length)
                for number, part in enumerate(parts)
            ]
        found[name] = tuple(words)
    return found


def find_occurrences(
    words: Sequence[str], reference: Mapping[str, Sequence[Segment]], max_gap: float = 0.5
) -> list[Occurrence]:
    """Where words are spoken one after the other.

    Args:
        words: of a keyword.
        reference: the words of each recording with their times in seconds, in order.
        max_gap: seconds that may lie between two words.
    """
    found = []
    for recording, segments in reference.items():
        for first in range(len(segments) - len(words) + 1):
            part = segments[first : first + len(words)]
            if [one.label for one in part] == list(words) and all(
                after.start - before.end <= max_gap + 1e-9 for before, after in pairwise(part)
            ):
                found.append(Occurrence(recording, part[0].start, part[-1].end))
    return found


def compared(
    keyword: str,
    detections: Sequence[Detection],
    occurrences: Sequence[Occurrence],
    tolerance: float = TOLERANCE,
) -> KeywordTrials:
    """Detections of a keyword, each right or wrong.

    As many detections as possible are matched with an occurrence each, in the middle of which or
    within the tolerance of which their own middle lies; where there is a choice, those of higher
    scores. F4DE's assignment has the same result, except that it prefers, at nearly equal scores,
    the one that overlaps more.
    """
    order = sorted(detections, key=lambda one: (-one.score, one.recording, one.start, one.end))
    of_recording: dict[str, list[int]] = {}
    for number, occurrence in enumerate(occurrences):
        of_recording.setdefault(occurrence.recording, []).append(number)

    def is_near(detection: Detection, number: int) -> bool:
        middle, other = (detection.start + detection.end) / 2.0, occurrences[number]
        return other.start - tolerance - 1e-9 <= middle <= other.end + tolerance + 1e-9

    near = [
        [number for number in of_recording.get(one.recording, ()) if is_near(one, number)]
        for one in order
    ]
    owner: dict[int, int] = {}  # of each occurrence that is matched, the detection

    def match(detection: int, visited: set[int]) -> bool:
        """An augmenting path, by which no detection that is matched becomes free."""
        for occurrence in near[detection]:
            if occurrence in visited:
                continue
            visited.add(occurrence)
            if occurrence not in owner or match(owner[occurrence], visited):
                owner[occurrence] = detection
                return True
        return False

    right = [match(number, set()) for number in range(len(order))]
    trials = (Trial(one.score, one.decision, hit) for one, hit in zip(order, right, strict=True))
    return KeywordTrials(keyword, len(occurrences), tuple(trials))


def term_weighted_values(
    found: Sequence[KeywordTrials], seconds: float, beta: float = BETA
) -> TermWeightedValues:
    """The values of all keywords together.

    Args:
        found: of each keyword.
        seconds: of all speech, one trial a second.
        beta: weight of false alarms.

    Raises:
        SpeechError: no keyword occurs in the reference, or one more than once in every second.
    """
    spoken = [one for one in found if one.occurrences]
    if not spoken:
        raise SpeechError("keywords: expected one that occurs in the reference, found none")
    for one in spoken:
        if one.occurrences >= seconds:
            raise SpeechError(
                f"keyword {one.keyword!r}: expected fewer occurrences than {seconds:.1f} seconds "
                f"of speech, found {one.occurrences}"
            )
    maximum, threshold = _maximum(spoken, seconds, beta)
    number = len(spoken)
    return TermWeightedValues(
        keywords=tuple(spoken),
        absent=tuple(one.keyword for one in found if not one.occurrences),
        seconds=seconds,
        beta=beta,
        actual=sum(one.value(one.correct, one.false_alarms, seconds, beta) for one in spoken)
        / number,
        maximum=maximum,
        threshold=threshold,
        optimum=sum(_maximum([one], seconds, beta)[0] for one in spoken) / number,
        supreme=sum(sum(t.right for t in one.trials) / one.occurrences for one in spoken) / number,
    )


def _maximum(spoken: Sequence[KeywordTrials], seconds: float, beta: float) -> tuple[float, float]:
    """The highest mean value that a threshold reaches, and the highest such threshold."""
    steps: list[tuple[float, float]] = []  # scores, and what a detection of that score adds
    for one in spoken:
        gain = one.value(1, 0, seconds, beta)
        loss = one.value(0, 1, seconds, beta)
        steps += [(trial.score, gain if trial.right else loss) for trial in one.trials]
    steps.sort(key=lambda step: -step[0])
    best, threshold, value = 0.0, float("inf"), 0.0
    for number, (score, change) in enumerate(steps):
        value += change
        # Detections of equal scores count together.
        last = number + 1 == len(steps) or steps[number + 1][0] < score
        if last and value > best + 1e-12:
            best, threshold = value, score
    return best / len(spoken), threshold
