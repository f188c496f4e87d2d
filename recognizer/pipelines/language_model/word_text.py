"""Text as a neural language model is trained on it: numbers of words in chunks of streams."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.lm.neural.word_options import END_ID, UNKNOWN_ID
from recognizer.lm.ngram.model import END, UNKNOWN
from recognizer.lm.text.text_files import split_words

IntArray = npt.NDArray[np.int64]

IGNORED = -1
"""Stands in targets where a sentence is over."""

_POOL = 64
"""Batches whose sentences are sorted by length together, so that little is filled up."""


class WordChunk(NamedTuple):
    """Some steps of B streams.

    Attributes:
        inputs: int64 ``[T, B]``.
        targets: int64 ``[T, B]``, the words after the inputs; `IGNORED` where there are none.
        fresh: whether all streams begin here; else they go on from the chunk before.
    """

    inputs: IntArray
    targets: IntArray
    fresh: bool


@dataclass(frozen=True, eq=False)
class WordText:
    """A training text.

    Attributes:
        words: the vocabulary by number: `</s>`, `<unk>`, then by frequency.
        ids: int32, the words of all sentences in a row.
        offsets: int64, where each sentence begins in them, and the end.
    """

    words: tuple[str, ...]
    ids: npt.NDArray[np.int32]
    offsets: IntArray

    @property
    def events(self) -> int:
        """Words and sentence ends."""
        return len(self.ids) + len(self.offsets) - 1

    @property
    def digest(self) -> str:
        """What tells this text and vocabulary from others."""
        found = hashlib.sha256("\n".join(self.words).encode())
        found.update(self.ids.tobytes())
        found.update(self.offsets.tobytes())
        return found.hexdigest()

    def chunks(self, streams: int, steps: int, random: np.random.Generator) -> Iterator[WordChunk]:
        """One pass through the text, in which every sentence begins anew.

        Sentences of nearly the same length are read side by side, in random order.
        """
        lengths = np.diff(self.offsets)
        order = random.permutation(len(lengths))
        batches = []
        for begin in range(0, len(order), _POOL * streams):
            pool = order[begin : begin + _POOL * streams]
            pool = pool[np.argsort(lengths[pool], kind="stable")]
            batches += [pool[first : first + streams] for first in range(0, len(pool), streams)]
        for number in random.permutation(len(batches)):
            batch = batches[number]
            longest = int(lengths[batch].max()) + 1
            table = np.full((longest + 1, len(batch)), IGNORED, np.int64)
            table[0] = END_ID
            for column, sentence in enumerate(batch):
                words = self.ids[self.offsets[sentence] : self.offsets[sentence + 1]]
                table[1 : len(words) + 1, column] = words
                table[len(words) + 1, column] = END_ID
            yield from _cut(table, steps)

    def carried_chunks(self, streams: int, steps: int) -> Iterator[WordChunk]:
        """One pass through the text as it stands, cut into as many pieces as there are streams."""
        sentences = np.split(self.ids.astype(np.int64), self.offsets[1:-1])
        row = np.concatenate([part for one in sentences for part in ([END_ID], one)] + [[END_ID]])
        streams = min(streams, len(row) - 1)
        length = (len(row) - 1) // streams
        table = np.stack([row[n * length : (n + 1) * length + 1] for n in range(streams)], axis=1)
        yield from _cut(table, steps)


def _cut(table: IntArray, steps: int) -> Iterator[WordChunk]:
    """Chunks of a table whose rows follow each other."""
    for begin in range(0, len(table) - 1, steps):
        targets = table[begin + 1 : begin + steps + 1]
        inputs = table[begin : begin + len(targets)]
        # What a finished sentence reads does not matter.
        yield WordChunk(np.where(inputs == IGNORED, END_ID, inputs), targets, begin == 0)


def number_text(vocabulary: Sequence[str], sentences: Callable[[], Iterable[str]]) -> WordText:
    """Number the words of a vocabulary by their frequency in a text, and the text by them.

    Args:
        vocabulary: the words, which may lack in the text; ties keep this order.
        sentences: opens the text, which is read twice.

    Raises:
        SpeechError: the vocabulary or the text has no words.
    """
    known = dict.fromkeys(vocabulary)
    if not known:
        raise SpeechError("vocabulary: expected words, found none")
    counts: Counter[str] = Counter()
    for line in sentences():
        counts.update(split_words(line))
    if not counts.keys() & known.keys():
        raise SpeechError("training text: expected words of the vocabulary, found none")
    ranked = sorted(known, key=lambda word: -counts[word])
    words = (END, UNKNOWN, *ranked)
    numbers = {word: number for number, word in enumerate(words)}
    ids: list[npt.NDArray[np.int32]] = []
    offsets = [0]
    for line in sentences():
        found = [numbers.get(word, UNKNOWN_ID) for word in split_words(line)]
        if found:
            ids.append(np.array(found, np.int32))
            offsets.append(offsets[-1] + len(found))
    return WordText(words, np.concatenate(ids), np.array(offsets, np.int64))
