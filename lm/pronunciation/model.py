"""The pronunciation model: n-grams of graphones, and the search for a word's pronunciations."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation, without_mark
from recognizer.lm import _pronunciation
from recognizer.lm.automaton.automaton import COMPACT, NgramAutomaton
from recognizer.lm.ngram.model import UNKNOWN
from recognizer.lm.pronunciation.alignment import MAX_LETTERS, MAX_PHONES, Graphone


@dataclass(frozen=True)
class PronunciationSearch:
    """Limits of the search.

    Attributes:
        beam: hypotheses whose natural log probability is lower by more than this than that of the
            best one behind the same letters are dropped.
        max_active: hypotheses behind the same letters.
        max_paths: segmentations of a word, the likeliest first, whose probabilities are summed for
            its pronunciations.
    """

    beam: float = 10.0
    max_active: int = 500
    max_paths: int = 200

    def __post_init__(self) -> None:
        """Check the values."""
        if not self.beam > 0:
            raise UsageError(f"beam: expected above 0, found {self.beam}")
        for name in ("max_active", "max_paths"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected at least 1, found {getattr(self, name)}")


@dataclass(frozen=True)
class Guess:
    """A pronunciation that a model gives a word.

    Attributes:
        phones: at least one.
        probability: of these phones given the letters, in (0, 1]; over all pronunciations of a
            word they sum to 1 (those that the search dropped aside).
    """

    phones: tuple[str, ...]
    probability: float


class PronunciationModel:
    """Pronounces words that no lexicon has, from their letters.

    The model is an n-gram model whose words are graphones
    (`recognizer.lm.pronunciation.alignment`), so it gives the joint probability of letters and
    phones (Bisani and Ney 2008, "Joint-sequence models for grapheme-to-phoneme conversion").
    Pronunciations have no marks (`AH^1`): the probabilities of all markings are added.

    Args:
        automaton: the n-gram model, whose words are graphones' tokens.

    Raises:
        SpeechError: a word of the n-gram model is no graphone.
    """

    def __init__(self, automaton: NgramAutomaton) -> None:
        self._automaton = automaton
        graphones = [
            None if token == UNKNOWN else Graphone.parse(token) for token in automaton.words
        ]
        self.letters = tuple(sorted({c for g in graphones if g for c in g.letters}))
        self.phones = tuple(
            sorted({without_mark(phone) for g in graphones if g for phone in g.phones})
        )
        phone_ids = {phone: i for i, phone in enumerate(self.phones)}
        self._table = np.full((len(graphones), MAX_LETTERS + MAX_PHONES), -1, dtype=np.int32)
        for row, graphone in zip(self._table, graphones, strict=True):
            if graphone is not None:
                row[: len(graphone.letters)] = [self._letter_ids[c] for c in graphone.letters]
                end = MAX_LETTERS + len(graphone.phones)
                row[MAX_LETTERS:end] = [phone_ids[without_mark(phone)] for phone in graphone.phones]

    @cached_property
    def _letter_ids(self) -> dict[str, int]:
        return {letter: i for i, letter in enumerate(self.letters)}

    def unknown_letters(self, word: str) -> str:
        """The letters of a word that the model has never seen, each once."""
        return "".join(dict.fromkeys(letter for letter in word if letter not in self._letter_ids))

    def pronounce(
        self, words: Sequence[str], count: int = 1, search: PronunciationSearch | None = None
    ) -> list[tuple[Guess, ...]]:
        """The likeliest pronunciations of words.

        Args:
            words: in the form of the lexicon that the model was trained on.
            count: how many for each word, at most.
            search: limits of the search.

        Returns:
            For each word its pronunciations. The first is the one with the least expected number
            of wrong phones (among the ten likeliest); the others follow by their probability.
            There is none for a word with a letter that the model has never seen, or without any.

        Raises:
            UsageError: count is not positive.
        """
        if count < 1:
            raise UsageError(f"pronunciations: expected at least 1 a word, found {count}")
        search = search or PronunciationSearch()
        ids, offsets = self._numbered(words)
        flat, phone_offsets, log_probs, first = _pronunciation.pronounce(
            self._automaton.arrays,
            self._automaton.layout == COMPACT,
            self._table,
            ids,
            offsets,
            count,
            search.beam,
            search.max_active,
            search.max_paths,
        )
        bounds = phone_offsets.tolist()
        guesses = [
            Guess(tuple(self.phones[i] for i in flat[start:stop].tolist()), min(1.0, probability))
            for (start, stop), probability in zip(
                pairwise(bounds), np.exp(log_probs).tolist(), strict=True
            )
        ]
        places = first.tolist()
        return [tuple(guesses[i:j]) for i, j in pairwise(places)]

    def lexicon(self, words: Iterable[str], count: int = 1, least: float = 0.1) -> Lexicon:
        """Pronunciations of words as a lexicon.

        Args:
            words: those that the model cannot pronounce are left out.
            count: variants of a word, at most.
            least: a variant is left out if its probability is less than so many times that of the
                word's first.

        Returns:
            A lexicon in which the first variant of a word has the probability 1, as the likeliest
            has in `Pronunciation`.
        """
        words = list(dict.fromkeys(words))
        return Lexicon(
            Pronunciation(word, guess.phones, share)
            for word, guesses in zip(words, self.pronounce(words, count), strict=True)
            for guess in guesses
            if (share := min(1.0, guess.probability / guesses[0].probability)) >= least
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, in the form of an n-gram model (.ngram)."""
        self._automaton.save(path)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> PronunciationModel:
        """Map a file that `save` wrote.

        Raises:
            SpeechError: the file is missing or damaged, or is a language model of words.
        """
        automaton = NgramAutomaton.open(path)
        try:
            return cls(automaton)
        except SpeechError as error:
            raise SpeechError(f"{Path(path)}: pronunciation model: {error}") from None

    def _numbered(self, words: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        known = self._letter_ids
        ids = np.array([known.get(c, -1) for word in words for c in word], dtype=np.int32)
        lengths = np.array([len(word) for word in words], dtype=np.int64)
        return ids, np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
