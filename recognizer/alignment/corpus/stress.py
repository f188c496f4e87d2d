"""Stress digits of a dictionary on the vowels of alignments, whose models have none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.errors import UsageError
from recognizer.data.lexicon.lexicon import Pronunciation
from recognizer.data.lexicon.reading import read_lexicon
from recognizer.data.text.english.dictionary import stressed_entries
from recognizer.data.text.rules import text_rules

_ENGLISH = "english"


class StressDigits:
    """Gives the phones of each word the names that they have in dictionaries with stress digits.

    A word whose pronunciation is in none of them, such as a guessed one, keeps phones without
    digits. Where a word has pronunciations that differ in stress alone, it is the first one.

    Args:
        entries: pronunciations with stress digits, those that go first before others.
    """

    def __init__(self, entries: Iterable[Pronunciation]) -> None:
        self._entries: dict[str, list[tuple[str, ...]]] = {}
        for entry in entries:
            self._entries.setdefault(entry.word, []).append(entry.phones)

    @classmethod
    def of(cls, lexicons: Iterable[str | Path], rules: str) -> StressDigits:
        """Those of lexicon files, and of CMU's dictionary for words that these do not have.

        Args:
            lexicons: files, which go first.
            rules: name of the rule set of the aligner.

        Raises:
            UsageError: rules of another language, which take no digits away.
            SpeechError: a faulty lexicon.
        """
        if rules != _ENGLISH:
            raise UsageError(
                f"stress digits: expected the text rules {_ENGLISH!r}, which take them away, found "
                f"{rules!r}, which leave phones as they are"
            )
        named = _NamedPhones()
        files = [entry for path in lexicons for entry in read_lexicon(path, named).lexicon]
        return cls([*files, *stressed_entries()])

    def apply(self, alignment: Alignment) -> Alignment:
        """The alignment with stress digits."""
        names: dict[int, str] = {}
        for word in alignment.words:
            inside = [
                index
                for index, phone in enumerate(alignment.phones)
                if word.start - 1e-6 <= phone.start and phone.end <= word.end + 1e-6
            ]
            bare = tuple(alignment.phones[index].label for index in inside)
            names.update(zip(inside, self._named(word.label, bare), strict=True))
        return replace(alignment, phones=_renamed(alignment.phones, names))

    def _named(self, word: str, bare: tuple[str, ...]) -> tuple[str, ...]:
        """The phones of a word by the names of the first entry that has the same ones."""
        without = text_rules(_ENGLISH).entry_phone
        for phones in self._entries.get(word, ()):
            if tuple(map(without, phones)) == bare:
                return phones
        return bare


class _NamedPhones:
    """Reads the words of lexicons as English has them, and leaves the names of phones."""

    def entry_word(self, word: str) -> str:
        return text_rules(_ENGLISH).entry_word(word)

    def entry_phone(self, phone: str) -> str:
        return phone


def _renamed(phones: tuple[Segment, ...], names: Mapping[int, str]) -> tuple[Segment, ...]:
    return tuple(
        replace(phone, label=names.get(index, phone.label)) for index, phone in enumerate(phones)
    )
