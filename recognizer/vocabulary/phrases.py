"""Words and phrases that are expected, given at run time with a bonus."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import read_lines
from recognizer.decoding.vocabulary.phrases import WeightedPhrase
from recognizer.vocabulary.words import SpokenWords

# Natural log, of a word: chosen on development sets (docs/guides/vocabulary.md).
BONUS_OF_A_WORD = 3.0


@dataclass(frozen=True)
class Phrase:
    """Words in a row that are more likely than the language model knows.

    Attributes:
        words: words of the model, or words that it is given beside them.
        bonus: natural log, for each time that the whole phrase is said; negative: it is less
            likely. None: `BONUS_OF_A_WORD` for each of its words.
        source: where it was read, for messages.

    Raises:
        UsageError: no words, or a bonus that is not finite.
    """

    words: tuple[str, ...]
    bonus: float | None = None
    source: str = field(default="boost", compare=False)

    def __post_init__(self) -> None:
        if not self.words or any(word.split() != [word] for word in self.words):
            raise UsageError(f"{self.source}: expected at least one word, found {self.words}")
        if self.bonus is not None and not -inf < self.bonus < inf:
            raise UsageError(f"{self.source}: expected a finite bonus, found {self.bonus}")

    @property
    def log_weight(self) -> float:
        """The bonus, or that of its words."""
        return BONUS_OF_A_WORD * len(self.words) if self.bonus is None else self.bonus


def read_phrases(path: str | os.PathLike[str]) -> tuple[Phrase, ...]:
    """Phrases of a file: one a line; after a tab, a bonus. Empty lines are skipped.

    Args:
        path: of a text file in UTF-8.

    Returns:
        Phrases in the file's order; a bonus is in natural logs.

    Raises:
        SpeechError: the file cannot be read or a line is not like that; names file and line.
    """
    phrases = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        source = f"{path}:{number}"
        text, *more = line.split("\t")
        if len(more) > 1:
            raise SpeechError(f"{source}: expected at most 2 columns, found {1 + len(more)}")
        try:
            bonus = float(more[0]) if more and more[0].strip() else None
        except ValueError:
            raise SpeechError(f"{source}: expected a finite bonus, found {more[0]!r}") from None
        try:
            phrases.append(Phrase(tuple(text.split()), bonus, source))
        except UsageError as error:
            raise SpeechError(str(error)) from None
    return tuple(phrases)


def as_phrases(phrases: Iterable[str | Phrase]) -> tuple[Phrase, ...]:
    """Phrases as `Phrase`; a string is one of which nothing else is known.

    Raises:
        UsageError: an empty string.
    """
    return tuple(Phrase(tuple(one.split())) if isinstance(one, str) else one for one in phrases)


def weighted_phrases(phrases: Sequence[Phrase], spoken: SpokenWords) -> list[WeightedPhrase]:
    """Phrases in the words that a graph has or will have."""
    return [
        WeightedPhrase(
            tuple(found for word in phrase.words for found in spoken.find(word, phrase.source)),
            phrase.log_weight,
        )
        for phrase in phrases
    ]
