"""Lexicons of other programs: CMU's, Kaldi's and the Montreal Forced Aligner's (MFA).

An entry is a word, then in some forms numbers, then phones. Names of phones may be numbers too
("2" and "9" are vowels in X-SAMPA, and digits are tones), so that no single line says which form a
file has; the whole file does. No phone has a name with a decimal point or comma.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines
from recognizer.data.io.numbers import decimal
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation

_NUMBER = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|\d+,\d+")
_FRACTION = re.compile(r"(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE]-\d+|\d+,\d+")
_VARIANT = re.compile(r"(.+)\(\d+\)")


class EntryRules(Protocol):
    """How the words and phones of a lexicon's entries are to be written."""

    def entry_word(self, word: str) -> str:
        """The word as transcripts have it."""
        ...

    def entry_phone(self, phone: str) -> str:
        """The phone by the name that models use."""
        ...


class LexiconForm(Enum):
    """What stands between the word and the phones of each entry; the value says it in words."""

    PLAIN = "a word and its phones"
    PROBABILITIES = "a word, a probability and phones"
    SILENCE_PROBABILITIES = "a word, a probability, three numbers of silence and phones"

    @property
    def numbers(self) -> int:
        """How many numbers there are."""
        return {"PLAIN": 0, "PROBABILITIES": 1, "SILENCE_PROBABILITIES": 4}[self.name]


@dataclass(frozen=True)
class LexiconFile:
    """A lexicon and how its file was understood.

    Attributes:
        path: the file.
        form: the form of its entries.
        lexicon: its entries.
    """

    path: Path
    form: LexiconForm
    lexicon: Lexicon

    def __str__(self) -> str:
        """One line for people: what was read, and as what."""
        unused = "; the numbers of silence are not used"
        return (
            f"{self.path}: {len(self.lexicon)} words, {len(self.lexicon.phones)} phones, each "
            f"entry read as {self.form.value}"
            f"{unused if self.form is LexiconForm.SILENCE_PROBABILITIES else ''}"
        )


@dataclass(frozen=True)
class _Entry:
    line: int
    word: str
    fields: tuple[str, ...]
    """All that follows the word."""


def read_lexicon(path: str | os.PathLike[str], rules: EntryRules) -> LexiconFile:
    """Read a lexicon in any of the forms of `LexiconForm`.

    These are CMU's dictionary, Kaldi's lexicon.txt, lexiconp.txt and lexiconp_silprob.txt, and
    MFA's dictionaries, with or without probabilities. `WORD(2)` is a variant of WORD; lines
    beginning with `;;;` and text from a ` #` on are comments.

    Args:
        path: the file, perhaps compressed.
        rules: how words and phones are written, such as `recognizer.data.text.rules.text_rules`.

    Raises:
        SpeechError: an unreadable file, or a line that is not an entry of the file's form (names
            file and line).
    """
    path = Path(path)
    entries = []
    for number, line in enumerate(read_lines(path), start=1):
        fields = _fields(line)
        if fields:
            entries.append(_Entry(number, fields[0], tuple(fields[1:])))
    if not entries:
        raise SpeechError(f"{path}: expected a lexicon, found no entries")
    form = _form(entries)
    pronunciations = []
    for entry in entries:
        try:
            pronunciations.append(_pronunciation(entry, form, rules))
        except SpeechError as error:
            raise SpeechError(f"{path}:{entry.line}: {error}") from None
    return LexiconFile(path, form, Lexicon(pronunciations))


def _fields(line: str) -> list[str]:
    if line.startswith(";;;"):
        return []
    fields = line.split()
    # Kaldi keeps names beginning with # for its own symbols, so no word and no phone has one.
    for index, field in enumerate(fields):
        if field.startswith("#") and (index or len(field) == 1):
            return fields[:index]
    return fields


def _form(entries: Sequence[_Entry]) -> LexiconForm:
    """The form of most entries.

    Whole numbers may be phones. A 1 is a probability where other entries have fractions, and where
    every entry begins with it, as Kaldi's scripts write a lexicon without any estimates.
    """
    kinds = Counter(map(_kind, entries))
    if not any(_FRACTION.fullmatch(field) for entry in entries for field in entry.fields):
        only_ones = kinds[LexiconForm.PROBABILITIES] == len(entries)
        return LexiconForm.PROBABILITIES if only_ones else LexiconForm.PLAIN
    return max(reversed(LexiconForm), key=kinds.__getitem__)


def _kind(entry: _Entry) -> LexiconForm:
    """The form that an entry alone would be taken for."""
    leading = 0
    while leading < len(entry.fields) - 1 and _NUMBER.fullmatch(entry.fields[leading]):
        leading += 1
    # Four numbers of which only the first is a fraction are a probability and phones.
    if leading >= 4 and any(map(_FRACTION.fullmatch, entry.fields[1:4])):
        return LexiconForm.SILENCE_PROBABILITIES
    if leading >= 1 and (entry.fields[0] == "1" or _FRACTION.fullmatch(entry.fields[0])):
        return LexiconForm.PROBABILITIES
    return LexiconForm.PLAIN


def _pronunciation(entry: _Entry, form: LexiconForm, rules: EntryRules) -> Pronunciation:
    """The pronunciation of an entry; raises a `SpeechError` without file and line."""
    numbers, phones = entry.fields[: form.numbers], entry.fields[form.numbers :]
    wrong = next((phone for phone in phones if _FRACTION.fullmatch(phone)), None)
    if not phones or wrong is not None or not all(map(_NUMBER.fullmatch, numbers)):
        found = " ".join((entry.word, *entry.fields))
        raise SpeechError(f"expected {form.value} as in most entries, found {found!r}")
    match = _VARIANT.fullmatch(entry.word)
    return Pronunciation(
        rules.entry_word(match[1] if match else entry.word),
        tuple(map(rules.entry_phone, phones)),
        decimal(numbers[0]) if numbers else 1.0,
    )
