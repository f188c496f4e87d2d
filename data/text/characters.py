"""Sets of characters: the outputs of a network that spells, beside its blank.

A transcript is brought into the normal form of its text rules and becomes one output for each
Unicode character, spaces between words included. Ideographs need no spaces: those beside one are
left out, so that "你好 世界" and "你好世界" are the same four characters, and Latin words among
them keep the spaces between each other (Amodei et al. 2015, section 3.9).
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines, replace_text
from recognizer.data.text.rules import TextRules

SPACE = "<space>"
"""How a file writes the space between words."""

IDEOGRAPH = (
    "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f\U00030000-\U000323af"
)
"""Ideographs, as the inside of a bracket of a regular expression."""

_NO_SPACE = re.compile(f" (?=[{IDEOGRAPH}])|(?<=[{IDEOGRAPH}]) ")


def spelled(text: str) -> str:
    """Normalised text as it is spelled: without the spaces beside ideographs."""
    return _NO_SPACE.sub("", text)


@dataclass(frozen=True)
class CharacterSet:
    """The characters of a network, whose output i + 1 is the i-th of them; output 0 is the blank.

    Attributes:
        characters: each once; the space between words is " ".

    Raises:
        SpeechError: there are none, or one is no single character, white space, or there twice.
    """

    characters: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.characters:
            raise SpeechError("characters: expected at least one, found none")
        for number, character in enumerate(self.characters, start=1):
            if len(character) != 1 or (character != " " and character.isspace()):
                raise SpeechError(
                    f"characters: number {number}: expected one character or {SPACE}, "
                    f"found {character!r}"
                )
        if len(self._outputs) < len(self.characters):
            twice = next(one for one, count in Counter(self.characters).items() if count > 1)
            raise SpeechError(f"characters: expected each once, found {twice!r} again")

    @classmethod
    def of_text(
        cls, transcripts: Iterable[str], rules: TextRules, *, least: int = 1
    ) -> CharacterSet:
        """The characters of transcripts, in the order of their codes.

        Args:
            transcripts: as they are in a corpus.
            rules: how the language is written.
            least: rarer characters are left out.

        Raises:
            SpeechError: no character is left.
        """
        counts: Counter[str] = Counter()
        for transcript in transcripts:
            counts.update(spelled(rules.normalize(transcript)))
        return cls(tuple(sorted(one for one, count in counts.items() if count >= least)))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> CharacterSet:
        """Reads a file of one character a line; the space between words is ``<space>``.

        Raises:
            SpeechError: naming the file, if it is missing or has a wrong line.
        """
        lines = tuple(" " if line == SPACE else line for line in read_lines(path))
        try:
            return cls(lines)
        except SpeechError as error:
            raise SpeechError(f"{path}: {error}") from None

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the file that `read` reads."""
        with replace_text(path) as stream:
            stream.writelines(f"{SPACE if one == ' ' else one}\n" for one in self.characters)

    @property
    def num_outputs(self) -> int:
        """Outputs of a network that spells with these characters: one more, for the blank."""
        return 1 + len(self.characters)

    @cached_property
    def _outputs(self) -> dict[str, int]:
        return {character: index for index, character in enumerate(self.characters, start=1)}

    def missing(self, text: str) -> str:
        """The first character of normalised text that the set lacks; "" if it has all."""
        return next((one for one in spelled(text) if one not in self._outputs), "")

    def encode(self, text: str) -> npt.NDArray[np.int32]:
        """The outputs that spell normalised text ``[U]``.

        Raises:
            SpeechError: the set lacks a character of it.
        """
        if missing := self.missing(text):
            raise SpeechError(f"{text!r}: expected characters of the set, found {missing!r}")
        return np.array([self._outputs[one] for one in spelled(text)], dtype=np.int32)

    def decode(self, outputs: Iterable[int]) -> str:
        """The text that outputs spell, none of them the blank."""
        return "".join(self.characters[output - 1] for output in outputs)
