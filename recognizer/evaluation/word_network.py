"""Transcripts with alternatives, in the notation of NIST's sclite.

``{ um / uh / @ }`` stands for any one of its alternatives, ``@`` for no word; alternatives are
sequences of words and may hold further braces. A transcript without alternatives is a plain tuple
of words, any other one a `WordNetwork`.

The rules are those of sclite's reader (SCTK, ``net_adt.c``, ``text.c`` and ``word.c``): a ``*`` at
a word's end is not part of it, nor is what follows a ``;``; empty alternatives are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from recognizer.data.errors import SpeechError


class WordKind(IntEnum):
    """What a word of a network is; the values are those of the native alignment."""

    WORD = 0
    EMPTY = 1
    OPTIONAL = 2


@dataclass(frozen=True)
class WordNetwork:
    """Words in a network without cycles; every path through it is one reading of the transcript.

    Attributes:
        words: of each arc, as written; ``@`` where there is none, ``(word)`` where it is optional.
        kinds: of each arc.
        predecessors: the arcs that end where an arc begins, all before it; -1 is the beginning of
            the network.
        finals: the arcs that end where the network ends; -1 in an empty network.
    """

    words: tuple[str, ...]
    kinds: tuple[WordKind, ...]
    predecessors: tuple[tuple[int, ...], ...]
    finals: tuple[int, ...]

    def compared(self, arc: int) -> str:
        """The word of an arc as it is compared with others: without the brackets of optional."""
        word = self.words[arc]
        return word[1:-1] if self.kinds[arc] == WordKind.OPTIONAL else word


Transcript = Sequence[str] | WordNetwork
"""Words in order, each taken as it is, or a network of words."""

Alternatives = Sequence[Sequence[str]]
"""Sequences of words, one of which was said."""


def parse_transcript(text: str, *, optional_words: bool = False) -> tuple[str, ...] | WordNetwork:
    """Read a transcript in sclite's notation.

    Args:
        text: words separated by white space, with alternatives in braces.
        optional_words: take ``(word)`` for a word that may be missing (sclite's option ``-D``).

    Raises:
        SpeechError: braces that do not match, or an alternation without an alternative.
    """
    builder = _Builder(optional_words)
    return builder.network(builder.add_text(text, (-1,)))


def network_of_words(
    words: Sequence[Alternatives], *, optional_words: bool = False
) -> tuple[str, ...] | WordNetwork:
    """Put words of a CTM file together.

    Args:
        words: one sequence of one word for an ordinary word, several sequences for alternatives;
            an empty sequence stands for no word.
        optional_words: as in `parse_transcript`.
    """
    builder = _Builder(optional_words)
    ends: tuple[int, ...] = (-1,)
    for alternatives in words:
        following: list[int] = []
        for alternative in alternatives:
            inner = ends
            for word in alternative or ("@",):
                inner = (builder.add_word(word, inner),)
            following += inner
        ends = tuple(following)
    return builder.network(ends)


class _Builder:
    def __init__(self, optional_words: bool) -> None:
        self._optional_words = optional_words
        self._words: list[str] = []
        self._kinds: list[WordKind] = []
        self._predecessors: list[tuple[int, ...]] = []

    def add_text(self, text: str, ends: tuple[int, ...]) -> tuple[int, ...]:
        """Append the words of a text to arcs that end in one node; returns the arcs at its end."""
        for token in _tokens(text):
            if token.startswith("{"):
                following: list[int] = []
                for alternative in _alternatives(token[1:-1]):
                    following += self.add_text(alternative, ends)
                if not following:
                    raise SpeechError(f"expected alternatives in braces, found {token!r}")
                ends = tuple(following)
            else:
                ends = (self.add_word(token, ends),)
        return ends

    def add_word(self, token: str, ends: tuple[int, ...]) -> int:
        word = _spelling(token)
        kind = WordKind.WORD
        if word == "@":
            kind = WordKind.EMPTY
        elif self._optional_words and len(word) > 2 and word[0] == "(" and word[-1] == ")":
            kind = WordKind.OPTIONAL
        self._words.append(word)
        self._kinds.append(kind)
        self._predecessors.append(ends)
        return len(self._words) - 1

    def network(self, ends: tuple[int, ...]) -> tuple[str, ...] | WordNetwork:
        plain = all(kind == WordKind.WORD for kind in self._kinds) and all(
            before == (arc - 1,) for arc, before in enumerate(self._predecessors)
        )
        if plain and ends == (len(self._words) - 1,):
            return tuple(self._words)
        return WordNetwork(tuple(self._words), tuple(self._kinds), tuple(self._predecessors), ends)


def _tokens(text: str) -> Iterator[str]:
    """Words, and alternations with their braces."""
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        begin, depth = position, 0
        if text[position] == "{":
            while position < len(text):
                depth += {"{": 1, "}": -1}.get(text[position], 0)
                position += 1
                if depth == 0:
                    break
            if depth:
                raise SpeechError(f"expected a closing brace of {text[begin:]!r}, found none")
        else:
            while position < len(text) and not text[position].isspace():
                position += 1
            if {"{", "}"} & set(text[begin:position]):
                raise SpeechError(
                    f"expected braces around alternatives only, found {text[begin:position]!r}"
                )
        yield text[begin:position]


def _alternatives(text: str) -> Iterator[str]:
    """The parts between slashes that are in no inner brace; empty ones are left out."""
    depth, begin = 0, 0
    for position, character in enumerate(f"{text}/"):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "/" and depth == 0:
            if text[begin:position].strip():
                yield text[begin:position]
            begin = position + 1


def _spelling(token: str) -> str:
    """The word without its tags (``word;tag;tag``) and without a ``*`` at its end."""
    word = re.split(r"(?<!\\);", token, maxsplit=1)[0].replace("\\;", ";") or token
    return word[:-1] if len(word) > 1 and word.endswith("*") else word
