"""The rule set `english`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation
from recognizer.data.text.english.derivation import derived_lexicon
from recognizer.data.text.english.dictionary import (
    english_lexicon,
    is_english_word,
    stressed_phones,
    without_stress,
)
from recognizer.data.text.english.letters import spelled
from recognizer.data.text.english.normalize import fold, normalize
from recognizer.data.text.rules import TextRules
from recognizer.data.text.transcripts import is_tag


class EnglishRules:
    """Lower-case words of a-z, numbers and abbreviations spelled out; phones are the ARPAbet."""

    name = "english"

    def normalize(self, text: str) -> str:
        """See `recognizer.data.text.english.normalize.normalize`."""
        return normalize(text)

    def is_word(self, token: str) -> bool:
        """Whether a token has only the letters a to z, with apostrophes inside."""
        return is_english_word(token)

    def entry_word(self, word: str) -> str:
        """The word in lower case, without accents and without apostrophes at its edges."""
        if is_tag(word):
            return word.lower()
        folded = fold(word).lower()
        bare = folded.strip("'")
        # A clitic such as "'s" has an entry, but a transcript has it only within a word.
        return bare if len(bare) > 1 and is_english_word(bare) else folded

    def entry_phone(self, phone: str) -> str:
        """An ARPAbet vowel without its stress digit; any other phone as it is."""
        return without_stress(phone)

    def dictionary(self) -> Lexicon | None:
        """CMU's dictionary of American English."""
        return english_lexicon()

    def with_stress(self, entries: Iterable[Pronunciation]) -> Iterable[Pronunciation]:
        """Entries of CMU's dictionary with the stress of their vowels, others as they are."""
        stressed = stressed_phones()
        return (replace(e, phones=stressed.get((e.word, e.phones), e.phones)) for e in entries)

    def derive(self, words: Iterable[str], lexicon: Lexicon) -> Lexicon:
        """See `recognizer.data.text.english.derivation`."""
        return derived_lexicon(words, lexicon)

    def spell(self, word: str) -> tuple[str, ...]:
        """The names of a word's letters in ARPAbet; none if one is not of a to z."""
        return spelled(word)


ENGLISH: TextRules = EnglishRules()
