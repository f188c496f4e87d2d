"""How each phone and each word of aligned speech is pronounced.

The score of a phone is goodness of pronunciation: the mean over its frames of the phone's score
less that of the likeliest phone (`recognizer.decoding.alignment.phone_scores`), in natural logs. It
is 0 where the model hears the phone in every frame, and falls with the distance of what was said.
A word's score is the mean of its phones'.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.io.files import replace_text
from recognizer.decoding.alignment.phone_scores import PathScores

COLUMNS = (
    "utterance", "word_index", "word", "word_score", "phone", "start", "end", "score", "likeliest"
)  # fmt: skip
"""Of `pronunciation.csv`."""


@dataclass(frozen=True)
class PhoneScore:
    """How one phone is pronounced.

    Attributes:
        segment: the phone, in seconds from the utterance's beginning.
        score: at most 0, natural log.
        likeliest: the phone that is likeliest in most of its frames; SIL for silence and noise.
    """

    segment: Segment
    score: float
    likeliest: str


@dataclass(frozen=True)
class WordScore:
    """How one word is pronounced.

    Attributes:
        segment: the word, in seconds from the utterance's beginning.
        score: mean of its phones' scores.
        phones: in order of time.
    """

    segment: Segment
    score: float
    phones: tuple[PhoneScore, ...]


def pronunciation_scores(
    alignment: Alignment, scores: PathScores, frame_shift: float
) -> tuple[WordScore, ...]:
    """Scores of all words of an utterance, in order of time.

    Args:
        alignment: in the utterance's time, as it came from the path.
        scores: of the path.
        frame_shift: seconds from one frame of the path to the next.
    """
    phones = iter(alignment.phones)
    found = []
    phone = next(phones, None)
    for word in alignment.words:
        inside = []
        while phone is not None and phone.end <= word.end + frame_shift / 2:
            if phone.start >= word.start - frame_shift / 2:
                inside.append(_phone(phone, scores, frame_shift))
            phone = next(phones, None)
        mean = sum(one.score for one in inside) / len(inside)
        found.append(WordScore(word, mean, tuple(inside)))
    return tuple(found)


def write_pronunciations(
    path: Path, utterances: Iterable[tuple[str, tuple[WordScore, ...]]]
) -> None:
    """Write a table of all phones of utterances with their words, as CSV.

    Raises:
        SpeechError: the file cannot be written.
    """
    with replace_text(path) as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(COLUMNS)
        for utterance, words in utterances:
            for index, word in enumerate(words, start=1):
                for phone in word.phones:
                    table.writerow(
                        (
                            utterance, index, word.segment.label, f"{word.score:.3f}",
                            phone.segment.label, f"{phone.segment.start:.3f}",
                            f"{phone.segment.end:.3f}", f"{phone.score:.3f}", phone.likeliest,
                        )
                    )  # fmt: skip


def _phone(phone: Segment, scores: PathScores, frame_shift: float) -> PhoneScore:
    frames = slice(round(phone.start / frame_shift), round(phone.end / frame_shift))
    heard = Counter(scores.likeliest[frames].tolist())
    likeliest = scores.phones[heard.most_common(1)[0][0]]
    return PhoneScore(phone, float(scores.log_ratios[frames].mean()), likeliest)
