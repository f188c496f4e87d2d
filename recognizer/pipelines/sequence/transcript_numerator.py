"""Numerator graphs of lattice-free MMI without alignments: whatever says the transcript, whenever.

This is the flat start of Hadian, Sameti, Povey and Khudanpur, "End-to-end speech recognition using
lattice-free MMI", Interspeech 2018: all pronunciations, with optional silence, and a phone language
model from phone sequences that are drawn for the transcripts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recognizer.am.hmm.phones import SPOKEN_NOISE, PhoneTable
from recognizer.am.training.criteria.targets import SupervisionGraph
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.lm.estimation.acceptor import NgramAcceptor
from recognizer.pipelines.sequence.denominator import LOG_STEP, ChainPdfs

_SILENT = (-1, 0)
"""In place of pronunciation and phone: the silence after a word, or before the first."""


@dataclass(frozen=True)
class SilenceOptions:
    """How often silence is drawn; the defaults are those of Kaldi's ``text_to_phones.py``.

    Attributes:
        edge: probability at the beginning and at the end of an utterance.
        between: probability between two words.
    """

    edge: float = 0.8
    between: float = 0.1

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise UsageError(f"silence: {name}: expected a probability, found {value}")


class Transcripts:
    """Pronunciations of transcripts; words outside the lexicon are spoken noise.

    Args:
        lexicon: pronunciations in base phones.
        phones: the phone table.
    """

    def __init__(self, lexicon: Lexicon, phones: PhoneTable) -> None:
        self._lexicon = lexicon
        self._phones = phones
        self.silence = phones.optional_silence

    def pronunciations(self, word: str) -> list[tuple[int, ...]]:
        """Phone ids of each way to say a word; equal ways once, since paths are summed over."""
        if word not in self._lexicon:
            return [self._phones.word_phones((SPOKEN_NOISE,))]
        ways = (self._phones.word_phones(entry.phones) for entry in self._lexicon[word])
        return list(dict.fromkeys(ways))

    def draw(
        self,
        words: Sequence[str],
        rng: np.random.Generator,
        options: SilenceOptions | None = None,
    ) -> list[int]:
        """One phone sequence that says the words, for a phone language model.

        Args:
            words: the transcript.
            rng: chooses silences and pronunciations, all of which are alike.
            options: how probable silences are.
        """
        options = options or SilenceOptions()
        drawn: list[int] = []
        for index in range(len(words) + 1):
            edge = index in (0, len(words))
            if rng.random() < (options.edge if edge else options.between):
                drawn.append(self.silence)
            if index < len(words):
                ways = self.pronunciations(words[index])
                drawn += ways[int(rng.integers(len(ways)))]
        return drawn or [self.silence]


class _Node(NamedTuple):
    """A path that is in a phone.

    Attributes:
        word: number of words that are said or being said.
        way: pronunciation of that word and index of the phone in it, or `_SILENT`.
        known: state of the phone language model.
        further: pdf of the phone's further frames, -1 before the first phone.
    """

    word: int
    way: tuple[int, int]
    known: int
    further: int


class TranscriptNumerators:
    """Makes numerator graphs whose paths are paths of the denominator graph, with equal weights.

    Args:
        transcripts: pronunciations.
        model: the denominator's phone language model.
        pdfs: the denominator's pdfs.
    """

    def __init__(self, transcripts: Transcripts, model: NgramAcceptor, pdfs: ChainPdfs) -> None:
        self._transcripts = transcripts
        self._successors = model.successors()
        self._last_symbols = model.last_symbols
        self._start = model.start
        self._pdfs = pdfs

    def graph(self, words: Sequence[str], frames: int) -> SupervisionGraph:
        """The graph of one utterance.

        Args:
            words: its transcript.
            frames: output frames of the utterance.

        Raises:
            SpeechError: more phones than frames, or a transcript that the phone language model can
                say in no way.
        """
        ways = [self._transcripts.pronunciations(word) for word in words]
        start = _Node(0, (-1, -1), self._start, -1)
        number = {start: 0}
        queue = deque([start])
        rows: list[tuple[int, int, int, float]] = []
        finals: list[bool] = []
        while queue:
            node = queue.popleft()
            source = number[node]
            finals.append(self._is_final(node, ways))
            if node.further >= 0:
                rows.append((source, source, node.further, LOG_STEP))
            left = int(self._last_symbols[node.known])
            for word, way, phone in self._next(node, ways):
                following = self._successors.get((node.known, phone))
                if following is None:
                    continue
                first, further = self._pdfs.of(left, phone)
                after = _Node(word, way, following[0], further)
                if after not in number:
                    number[after] = len(number)
                    queue.append(after)
                rows.append((source, number[after], first, following[1] + LOG_STEP))
        return _timed(rows, np.array(finals), frames)

    def _is_final(self, node: _Node, ways: list[list[tuple[int, ...]]]) -> bool:
        return node.word == len(ways) and node.further >= 0 and _ends_word(node, ways)

    def _next(
        self, node: _Node, ways: list[list[tuple[int, ...]]]
    ) -> Iterator[tuple[int, tuple[int, int], int]]:
        """Phones that may follow: number of words, way and phone id."""
        if not _ends_word(node, ways):
            chosen, index = node.way
            yield node.word, (chosen, index + 1), ways[node.word - 1][chosen][index + 1]
            return
        if node.way != _SILENT:
            yield node.word, _SILENT, self._transcripts.silence
        if node.word < len(ways):
            for chosen, phones in enumerate(ways[node.word]):
                yield node.word + 1, (chosen, 0), phones[0]


def _ends_word(node: _Node, ways: list[list[tuple[int, ...]]]) -> bool:
    chosen, index = node.way
    return chosen < 0 or index + 1 == len(ways[node.word - 1][chosen])


def _timed(
    rows: list[tuple[int, int, int, float]], finals: npt.NDArray[np.bool_], frames: int
) -> SupervisionGraph:
    """Without the states from which no end is reached, each arc in the frames that it can have."""
    if not rows or not finals.any():
        raise SpeechError(
            "numerator: expected a transcript that the phone language model can say, found none "
            "of its pronunciations in it"
        )
    columns = np.array([row[:3] for row in rows], dtype=np.int32).T
    sources, destinations, labels = columns
    log_probs = np.array([row[3] for row in rows], dtype=np.float32)
    states = len(finals)
    from_start = _distances(sources, destinations, np.arange(states) == 0)
    to_end = _distances(destinations, sources, finals)
    if to_end[0] > frames:
        raise SpeechError(
            f"numerator: supervision longer than its chunk: {to_end[0]} phones at least in "
            f"{frames} output frames"
        )
    first = from_start[sources]
    last = frames - 1 - to_end[destinations]
    kept = first <= last
    useful = to_end < _FAR
    useful[0] = True
    number = np.cumsum(useful) - 1
    return SupervisionGraph(
        number[sources[kept]].astype(np.int32),
        number[destinations[kept]].astype(np.int32),
        labels[kept],
        log_probs[kept],
        first[kept].astype(np.int32),
        last[kept].astype(np.int32),
        np.where(finals[useful], 0.0, -np.inf).astype(np.float32),
        frames,
    )


_FAR = 1 << 30


def _distances(
    sources: npt.NDArray[np.int32],
    destinations: npt.NDArray[np.int32],
    begins: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """Fewest arcs from any beginning to each state; `_FAR` where there is no way."""
    distance = np.where(begins, 0, _FAR)
    while True:
        shorter = distance.copy()
        np.minimum.at(shorter, destinations, distance[sources] + 1)
        if np.array_equal(shorter, distance):
            return distance
        distance = np.minimum(shorter, _FAR)
