"""Text as a tagger is trained on it: numbers of words and tags, cut into stretches.

Recordings begin and end anywhere. Therefore some stretches are whole sentences, some begin or end
with one, and some do neither; a tagger learns how far a text's border tells of a sentence's.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.data.text.english.books import book_paragraphs
from recognizer.data.text.english.tagged import tagged_sentences
from recognizer.data.text.tags import CASES, MARKS, TaggedWord
from recognizer.lm.tagging.vocabulary import TaggerVocabulary

IntArray = npt.NDArray[np.int64]

_WHOLE, _BEGINNING, _END, _ANYWHERE = range(4)
"""Kinds of stretches: at which of their borders there is one of sentences."""

_SHARES = (0.5, 0.15, 0.15, 0.2)
"""Of the kinds; where there is no stretch of a kind and length, it is taken anywhere."""


class TagBatch(NamedTuple):
    """Stretches of one length, ``[B, T]`` each.

    Attributes:
        word_ids: numbers of the words.
        ending_ids: of their endings.
        marks: indices of `recognizer.data.text.tags.MARKS`.
        cases: indices of `recognizer.data.text.tags.CASES`.
    """

    word_ids: IntArray
    ending_ids: IntArray
    marks: IntArray
    cases: IntArray


@dataclass(frozen=True, eq=False)
class TaggedText:
    """A training text of N words.

    Attributes:
        vocabulary: of the numbers.
        word_ids: uint16 ``[N]``.
        ending_ids: uint16 ``[N]``.
        marks: uint8 ``[N]``.
        cases: uint8 ``[N]``.
        begins: bool ``[N]``, whether a sentence begins with the word.
    """

    vocabulary: TaggerVocabulary
    word_ids: npt.NDArray[np.uint16]
    ending_ids: npt.NDArray[np.uint16]
    marks: npt.NDArray[np.uint8]
    cases: npt.NDArray[np.uint8]
    begins: npt.NDArray[np.bool_]

    @cached_property
    def digest(self) -> str:
        """What tells this text and vocabulary from others."""
        found = hashlib.sha256("\n".join(self.vocabulary.words).encode())
        for values in (self.word_ids, self.ending_ids, self.marks, self.cases, self.begins):
            found.update(values.tobytes())
        return found.hexdigest()

    def batch(self, words: int, min_length: int, max_length: int, seed: Sequence[int]) -> TagBatch:
        """Stretches of one random length, about so many words together; fixed by the seed."""
        random = np.random.default_rng(seed)
        longest = min(max_length, len(self.word_ids))
        length = int(random.integers(min(min_length, longest), longest + 1))
        kind = random.choice(len(_SHARES), p=_SHARES)
        last = len(self.word_ids) - length
        count = max(1, words // length)
        starts = self._starts(int(kind), length, last)
        chosen = random.integers(0, len(starts) or last + 1, count)
        if len(starts):
            chosen = starts[chosen]
        rows = chosen[:, None] + np.arange(length)
        arrays = (self.word_ids, self.ending_ids, self.marks, self.cases)
        return TagBatch(*(values[rows].astype(np.int64) for values in arrays))

    @cached_property
    def _borders(self) -> IntArray:
        """Where sentences begin, and the end of the text."""
        return np.append(np.flatnonzero(self.begins), len(self.begins))

    def _starts(self, kind: int, length: int, last: int) -> IntArray:
        """Where the stretches of a kind and length begin; none of those that fit anywhere."""
        if kind == _ANYWHERE:
            return np.empty(0, np.int64)
        if kind == _END:
            return self._borders[self._borders >= length] - length
        starts = self._borders[self._borders <= last]
        if kind == _BEGINNING:
            return starts
        ends = starts + length
        after = np.minimum(ends, len(self.begins) - 1)
        found: IntArray = starts[self.begins[after] | (ends == len(self.begins))]
        return found


def read_tagged(path: str) -> Iterator[list[TaggedWord]]:
    """The sentences of a text file, tagged.

    The text is as `recognizer.data.text.english.books.book_paragraphs` reads it: paragraphs
    between blank lines.

    Raises:
        SpeechError: the file cannot be read.
    """
    for paragraph in book_paragraphs(path):
        yield from tagged_sentences(paragraph)


def number_tagged(
    sentences: Iterable[Sequence[TaggedWord]], words: int, endings: int
) -> TaggedText:
    """Number a text by its most frequent words and endings.

    Args:
        sentences: of the text, in order.
        words: most words of the vocabulary.
        endings: most endings.

    Raises:
        SpeechError: the text has no sentences.
    """
    first_ids: dict[str, int] = {}
    counts: Counter[int] = Counter()
    marks, cases = bytearray(), bytearray()
    numbers, begins = array("L"), bytearray()
    mark_ids = {mark: number for number, mark in enumerate(MARKS)}
    case_ids = {case: number for number, case in enumerate(CASES)}
    for sentence in sentences:
        ids = [first_ids.setdefault(one.word, len(first_ids)) for one in sentence]
        counts.update(ids)
        numbers.extend(ids)
        marks.extend(mark_ids[one.mark] for one in sentence)
        cases.extend(case_ids[one.case] for one in sentence)
        begins.extend(b"\1" + bytes(len(ids) - 1))
    if not first_ids:
        raise SpeechError("the training text has no sentences that end with a mark")
    spelled = list(first_ids)
    vocabulary = TaggerVocabulary.of_counts(
        ((spelled[number], count) for number, count in counts.items()), words, endings
    )
    word_ids, ending_ids = vocabulary.numbers(spelled)
    order = np.array(numbers)
    return TaggedText(
        vocabulary,
        word_ids.astype(np.uint16)[order],
        ending_ids.astype(np.uint16)[order],
        np.frombuffer(bytes(marks), np.uint8),
        np.frombuffer(bytes(cases), np.uint8),
        np.frombuffer(bytes(begins), np.bool_),
    )
