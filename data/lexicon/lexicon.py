"""Pronunciations: words to phones.

Words and phones are strings that must be equal to those of transcripts and of models. Lexicons of
other programs are brought to that form when they are read (`recognizer.data.lexicon.reading`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines, replace_text

_MARK = "^"  # between a phone and its mark


@dataclass(frozen=True)
class Pronunciation:
    """One way to say a word.

    Attributes:
        word: in its normal form (`recognizer.data.text.rules`).
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


def marked(phone: str, mark: str) -> str:
    """A phone with a mark, `AH^1`, which is no part of a pronunciation.

    Marks tell phones of one name apart in the training of a pronunciation model.
    """
    return f"{phone}{_MARK}{mark}"


def without_mark(phone: str) -> str:
    """A phone without its mark, if it has one."""
    return phone.partition(_MARK)[0]


class Lexicon:
    """Words and their pronunciations.

    A pronunciation given twice (as happens when stress is taken away) is kept once, at its first
    position and with the greater probability.
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

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Lexicon:
        """Read what :meth:`write` wrote, words and phones exactly as they are.

        Raises:
            SpeechError: an unreadable file, or a line that is not a word, a probability and phones
                (names file and line).
        """
        path = Path(path)
        entries = []
        for number, line in enumerate(read_lines(path), start=1):
            fields = line.split()
            try:
                if len(fields) < 3:
                    raise ValueError
                probability = float(fields[1])
            except ValueError:
                raise SpeechError(
                    f"{path}:{number}: expected a word, a probability and phones, "
                    f"found {line.strip()!r}"
                ) from None
            try:
                entries.append(Pronunciation(fields[0], tuple(fields[2:]), probability))
            except SpeechError as error:
                raise SpeechError(f"{path}:{number}: {error}") from None
        if not entries:
            raise SpeechError(f"{path}: expected a lexicon, found no entries")
        return cls(entries)
