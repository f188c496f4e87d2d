"""Phrases with a bonus, as the search on the fly takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from recognizer.data.errors import SpeechError
from recognizer.decoding import _search


@dataclass(frozen=True)
class WeightedPhrase:
    """Words in a row with a bonus.

    Attributes:
        words: of the graph, at least one.
        bonus: natural log, for every occurrence; negative for what is less likely.
    """

    words: tuple[str, ...]
    bonus: float

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        if not self.words:
            raise SpeechError("phrase: expected at least one word, found none")
        if not -inf < self.bonus < inf:
            raise SpeechError(
                f"phrase {' '.join(self.words)!r}: expected a finite bonus, found {self.bonus}"
            )


def native_phrases(phrases: Sequence[WeightedPhrase], symbols: Sequence[str]) -> _search.Phrases:
    """The phrases' automaton (Aho and Corasick, "Efficient string matching", 1975).

    Args:
        phrases: at least one.
        symbols: word of each id of the graph.

    Raises:
        SpeechError: a word that the graph lacks; names phrase and word.
    """
    ids = {word: index for index, word in enumerate(symbols) if index}
    numbers: list[int] = []
    for phrase in phrases:
        for word in phrase.words:
            if word not in ids:
                raise SpeechError(
                    f"phrase {' '.join(phrase.words)!r}: expected words that can be recognised, "
                    f"found {word!r}"
                )
            numbers.append(ids[word])
    offsets = np.zeros(len(phrases) + 1, np.int64)
    np.cumsum([len(phrase.words) for phrase in phrases], out=offsets[1:])
    return _search.Phrases(
        np.array(numbers, np.uint32),
        offsets,
        np.array([phrase.bonus for phrase in phrases], np.float32),
    )
