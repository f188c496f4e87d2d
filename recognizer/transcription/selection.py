"""Which transcripts of a recogniser are right enough to train on.

Filtering by the mean confidence of an utterance's words is the usual way (Vesely, Hannemann and
Burget 2013, "Semi-supervised training of deep neural networks", section 3). A transcript on which
two different recognisers agree is more likely right than either of them says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.text.rules import text_rules
from recognizer.data.text.transcripts import spoken_words
from recognizer.evaluation.word_alignment import count_errors
from recognizer.transcription.transcript import Transcript


@dataclass(frozen=True)
class SelectionOptions:
    """What a transcript must be like.

    Attributes:
        min_confidence: least mean confidence of its words, in [0, 1]. A transcript whose teacher
            gives no confidences is kept only if this is 0.
        min_word_confidence: least confidence of any word, in [0, 1].
        min_words: fewest words.
        min_rate: fewest letters a second: fewer, and words are missing.
        max_rate: most letters a second: nobody speaks so fast.
        max_seconds: longest utterance.
        max_disagreement: most errors, in percent of its words, that another teacher's transcript
            has beside it; needs one.
    """

    min_confidence: float = 0.7
    min_word_confidence: float = 0.0
    min_words: int = 1
    min_rate: float = 3.0
    max_rate: float = 30.0
    max_seconds: float = 30.0
    max_disagreement: float | None = None

    def __post_init__(self) -> None:
        for name in ("min_confidence", "min_word_confidence"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UsageError(f"{name}: expected 0 to 1, found {getattr(self, name)}")
        if self.min_words < 1:
            raise UsageError(f"min_words: expected at least 1, found {self.min_words}")
        if not 0.0 <= self.min_rate < self.max_rate:
            raise UsageError(
                f"expected 0 <= min_rate < max_rate, found {self.min_rate} and {self.max_rate}"
            )
        if not self.max_seconds > 0.0:
            raise UsageError(f"max_seconds: expected above 0, found {self.max_seconds}")
        if self.max_disagreement is not None and not self.max_disagreement >= 0.0:
            raise UsageError(
                f"max_disagreement: expected at least 0 percent, found {self.max_disagreement}"
            )


@dataclass(frozen=True)
class SelectedTranscript:
    """A transcript that is kept.

    Attributes:
        words: in the normal form of the text rules.
        confidence: mean of the words' confidences; 1 where the teacher gives none.
        seconds: length of the utterance.
    """

    words: tuple[str, ...]
    confidence: float
    seconds: float


@dataclass
class Selection:
    """What was kept, and why the rest was not.

    Attributes:
        kept: by utterance.
        dropped: number of utterances by reason.
        dropped_seconds: length of all of these together.
    """

    kept: dict[str, SelectedTranscript] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    dropped_seconds: float = 0.0

    @property
    def hours(self) -> float:
        """Length of what is kept."""
        return sum(one.seconds for one in self.kept.values()) / 3600

    def lines(self) -> tuple[str, ...]:
        """For people: how much is kept, and how much is not for which reason."""
        total = len(self.kept) + self.dropped.total()
        whole = self.hours + self.dropped_seconds / 3600
        return (
            f"{len(self.kept)} of {total} transcripts kept, {self.hours:.2f} of {whole:.2f} hours",
            *(f"{count} dropped: {reason}" for reason, count in self.dropped.most_common()),
        )


def select(
    transcripts: Iterable[Transcript],
    rules: str,
    options: SelectionOptions = SelectionOptions(),
    second: Mapping[str, Transcript] | None = None,
) -> Selection:
    """Choose transcripts, in the normal form of the text rules: digits, for one, become words.

    Args:
        transcripts: a teacher's.
        rules: name of the rule set (`recognizer.data.text.rules`).
        options: what they must be like.
        second: another teacher's transcripts by utterance, for `SelectionOptions.max_disagreement`.

    Raises:
        UsageError: no such rule set; a limit of disagreement without a second teacher, or a second
            teacher without the limit.
    """
    if (options.max_disagreement is None) != (second is None):
        raise UsageError(
            "expected both a second teacher and max_disagreement, or neither, found one of them"
        )
    normal = text_rules(rules)
    selection = Selection()
    for one in transcripts:
        try:
            words = spoken_words(normal, one.text)
            lost = any(c.isalpha() and not normal.normalize(c) for c in set(one.text))
        except SpeechError:
            reason: str | None = "text that the rules refuse"
        else:
            other = None if second is None else _second_words(second.get(one.utterance), rules)
            # Rules of one script leave the letters of others out, and so words that were said.
            reason = "letters of another script" if lost else _fault(one, words, options, other)
        if reason is None:
            confidence = 1.0 if one.confidence is None else one.confidence
            selection.kept[one.utterance] = SelectedTranscript(words, confidence, one.seconds)
        else:
            selection.dropped[reason] += 1
            selection.dropped_seconds += one.seconds
    return selection


def _second_words(transcript: Transcript | None, rules: str) -> tuple[str, ...]:
    """A second teacher's words; none where it has no transcript or one that cannot be written."""
    if transcript is None or transcript.error is not None:
        return ()
    try:
        return spoken_words(text_rules(rules), transcript.text)
    except SpeechError:
        return ()


def _fault(
    one: Transcript,
    words: tuple[str, ...],
    options: SelectionOptions,
    other: tuple[str, ...] | None,
) -> str | None:
    """Why a transcript is not kept, or None."""
    letters = sum(map(len, words))
    confidence = 0.0 if one.confidence is None else one.confidence
    limit = options.max_disagreement
    if one.error is not None:
        return "not transcribed"
    if len(words) < options.min_words:
        return "too few words"
    if one.seconds > options.max_seconds:
        return "too long"
    if letters < options.min_rate * one.seconds:
        return "too few letters a second"
    if letters > options.max_rate * one.seconds:
        return "too many letters a second"
    if confidence < options.min_confidence:
        return "low confidence"
    if min(one.confidences, default=0.0) < options.min_word_confidence:
        return "a word of low confidence"
    if other is not None and limit is not None:
        counts = count_errors(words, other)
        if counts.errors * 100 > limit * counts.words:
            return "teachers disagree"
    return None
