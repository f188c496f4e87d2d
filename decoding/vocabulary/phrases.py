"""Phrases with a bonus, as the search on the fly takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
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
        symbols: word of each id of the graph. Where several ids have the same word, all count.

    Raises:
        SpeechError: a word that the graph lacks; names phrase and word.
    """
    ids: dict[str, list[int]] = {}
    for index, word in enumerate(symbols):
        if index:
            ids.setdefault(word, []).append(index)
    rows: list[tuple[int, ...]] = []
    bonuses: list[float] = []
    for phrase in phrases:
        for word in phrase.words:
            if word not in ids:
                raise SpeechError(
                    f"phrase {' '.join(phrase.words)!r}: expected words that can be recognised, "
                    f"found {word!r}"
                )
        for row in product(*(ids[word] for word in phrase.words)):
            rows.append(row)
            bonuses.append(phrase.bonus)
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    numbers = np.array([index for row in rows for index in row], np.uint32)
    return _search.Phrases(numbers, offsets, np.array(bonuses, np.float32))
