"""Pronunciations of any word: from dictionaries, by rule, and from a pronunciation model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice, product

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation
from recognizer.data.text.rules import TextRules
from recognizer.lm.pronunciation.model import Guess, PronunciationModel


class Pronouncer:
    """Gives pronunciations to words, known or not.

    A word's pronunciations are those of the lexicon; else those that the text rules' dictionary
    has; else those that the rules derive from the lexicon (`dogs` from `dog`, letters for `kgb`);
    else those of the model.

    Args:
        lexicon: the words that are known already.
        rules: how the language is written. Its dictionary is asked only where its phones are the
            lexicon's.
        model: for all other words; None: they have no pronunciation.
    """

    def __init__(
        self, lexicon: Lexicon, rules: TextRules, model: PronunciationModel | None = None
    ) -> None:
        self._lexicon = lexicon
        self._rules = rules
        self._model = model

    @cached_property
    def _dictionary(self) -> Lexicon:
        found = self._rules.dictionary()
        fits = found is not None and set(found.phones) <= set(self._lexicon.phones)
        return found if found is not None and fits else Lexicon(())

    def lexicon(self, words: Iterable[str], count: int = 1) -> Lexicon:
        """Pronunciations of words.

        Args:
            words: in the normal form of the text rules.
            count: variants that the model gives a word, at most.

        Returns:
            The words in the lexicon's form: the likeliest variant has probability 1. A word that
            nothing can pronounce is missing.
        """
        words = list(dict.fromkeys(words))
        found = self._lexicon.restricted_to(words)
        if missing := [word for word in words if word not in found]:
            found = found.merged_with(self._dictionary.restricted_to(missing))
        if missing := [word for word in missing if word not in found]:
            found = found.merged_with(self._rules.derive(missing, self._lexicon))
        missing = [word for word in missing if word not in found]
        if missing and self._model is not None:
            found = found.merged_with(self._model.lexicon(missing, count))
        return found

    def pronounce(
        self, tokens: Sequence[str], count: int = 1, *, allow_missing: bool = False
    ) -> Lexicon:
        """Pronunciations of tokens as people write them: `IBM`, `MP3`, `U.S.A.`, `O'Brien's`.

        The text rules say which words a token stands for ("mp three"), and they are said in a row.
        A token that stands for single letters is spelled.

        Args:
            tokens: without white space.
            count: variants of a token that is not in the lexicon, at most.
            allow_missing: leave out tokens that nothing can pronounce.

        Returns:
            Pronunciations under the tokens as they were given.

        Raises:
            SpeechError: a token has no word in it, or one that nothing can pronounce; names it.
        """
        words = {token: self._rules.normalize(token).split() for token in tokens}
        known = self.lexicon((word for parts in words.values() for word in parts), count)
        return Lexicon(
            entry
            for token, parts in words.items()
            if not allow_missing or (parts and all(part in known for part in parts))
            for entry in self._joined(token, parts, known, count)
        )

    def guess(self, tokens: Sequence[str], count: int = 1) -> list[tuple[Guess, ...]]:
        """What the model alone gives, with probabilities: see `PronunciationModel.pronounce`.

        Raises:
            UsageError: there is no model.
            SpeechError: a token is not one word, or has a letter that the model does not know.
        """
        if self._model is None:
            raise UsageError("expected a pronunciation model, found none")
        words = []
        for token in tokens:
            parts = self._rules.normalize(token).split()
            if len(parts) != 1:
                raise SpeechError(f"word {token!r}: expected one word, found {len(parts)}")
            words += parts
        guesses = self._model.pronounce(words, count)
        for token, word, found in zip(tokens, words, guesses, strict=True):
            if not found:
                raise SpeechError(f"word {token!r}: {self._reason(word)}")
        return guesses

    def _reason(self, word: str) -> str:
        """Why a word has no pronunciation."""
        unknown = "" if self._model is None else self._model.unknown_letters(word)
        return "found no pronunciation" + (
            f": the model has no letter {unknown[0]!r}" if unknown else ""
        )

    def _joined(
        self, token: str, parts: Sequence[str], known: Lexicon, count: int
    ) -> Iterable[Pronunciation]:
        if not parts:
            raise SpeechError(f"word {token!r}: expected letters or digits, found none")
        letters = "".join(parts)
        if 1 < len(parts) == len(letters) and (phones := self._rules.spell(letters)):
            return [Pronunciation(token, phones)]
        for part in parts:
            if part not in known:
                raise SpeechError(f"word {token!r}: {self._reason(part)}")
        if len(parts) == 1:
            return [Pronunciation(token, e.phones, e.probability) for e in known[parts[0]]]
        rows = product(*(known[part] for part in parts))
        return [_row(token, row) for row in islice(rows, count)]


def _row(token: str, parts: Sequence[Pronunciation]) -> Pronunciation:
    probability = 1.0
    for part in parts:
        probability *= part.probability
    return Pronunciation(token, tuple(p for part in parts for p in part.phones), probability)
