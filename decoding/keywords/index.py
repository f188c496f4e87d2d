"""An index of the words of many utterances' lattices, and its files.

For each word, the index holds all arcs of all lattices that have it (`Postings`), sorted by the
state that they leave. A phrase is a chain of arcs, each from the state to which the one before
leads: its probability is the posterior of the first arc times those of the others given the states
that they leave. So phrases need no lattice, and are found by joining sorted arrays. This takes the
place of Kaldi's factor transducers (Can and Saraclar, "Lattice indexing for spoken term
detection", IEEE TASLP 2011), with the same sums.

A directory holds ``index.json`` (what the index was made of), ``utterances.tsv``, ``words.txt`` as
Kaldi's, and ``postings``, the arrays, which are mapped into memory. ``index.json`` is written last.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import check_directory, read_lines, replace_text
from recognizer.data.io.json_io import read_json, write_json
from recognizer.data.io.mapped_arrays import open_arrays, write_arrays
from recognizer.decoding.keywords.postings import IntArray, LongArray, Postings, concatenated

SETTINGS, UTTERANCES, WORDS, POSTINGS = "index.json", "utterances.tsv", "words.txt", "postings"
_KIND = "keyword-index"
_VERSION = 1
_COLUMNS = tuple(one.name for one in fields(Postings) if one.name != "words")


@dataclass(frozen=True)
class IndexedUtterance:
    """An utterance whose lattice is in an index.

    Attributes:
        id: its name.
        recording: the recording that it is a part of.
        start: seconds from the recording's beginning.
        duration: seconds.
    """

    id: str
    recording: str
    start: float
    duration: float


@dataclass(frozen=True)
class IndexSettings:
    """What an index was made with.

    Attributes:
        frame_shift: seconds from one frame to the next.
        min_posterior: arcs that are less likely are not there.
        text_rules: name of the rule set that keywords are normalised with, empty for none.
        model: name of the model, for people; empty if it is not known.
    """

    frame_shift: float
    min_posterior: float = 1e-5
    text_rules: str = ""
    model: str = ""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        if not (isfinite(self.frame_shift) and self.frame_shift > 0.0):
            raise UsageError(f"frame_shift: expected a number > 0, found {self.frame_shift}")
        if not 0.0 <= self.min_posterior < 1.0:
            raise UsageError(
                f"min_posterior: expected a probability in [0, 1), found {self.min_posterior}"
            )


@dataclass(frozen=True, eq=False)
class KeywordIndex:
    """An index over U utterances, of V words and K postings.

    Attributes:
        settings: what it was made with.
        utterances: in the order in which they were added.
        symbols: word of each id: all words that could have been found; symbol 0 is no word.
        state_offsets: int64 ``[U + 1]``, the states of utterance u are
            ``state_offsets[u]:state_offsets[u + 1]``.
        word_offsets: int64 ``[V + 1]``, the postings of word w are
            ``word_offsets[w]:word_offsets[w + 1]``, sorted by source.
        postings: of all words; ``postings.words`` is in ascending order.
        ids: id of each word.
    """

    settings: IndexSettings
    utterances: tuple[IndexedUtterance, ...]
    symbols: tuple[str, ...]
    state_offsets: LongArray
    word_offsets: LongArray
    postings: Postings
    ids: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Number the words."""
        ids = {symbol: index for index, symbol in enumerate(self.symbols) if index}
        object.__setattr__(self, "ids", ids)

    @property
    def duration(self) -> float:
        """Seconds of all utterances."""
        return sum(one.duration for one in self.utterances)

    def utterance_of(self, states: LongArray) -> IntArray:
        """Number of the utterance of each state."""
        return (np.searchsorted(self.state_offsets, states, side="right") - 1).astype(np.int32)

    def postings_of(self, word: int) -> Postings:
        """The postings of one word, sorted by source."""
        part = slice(int(self.word_offsets[word]), int(self.word_offsets[word + 1]))
        return Postings(*(getattr(self.postings, one.name)[part] for one in fields(Postings)))

    def write(self, directory: str | os.PathLike[str]) -> None:
        """Write the index, in place of one that is there.

        Raises:
            SpeechError: the directory cannot be written.
        """
        directory = Path(directory)
        check_directory(directory)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            (directory / SETTINGS).unlink(missing_ok=True)  # what follows replaces an index
        except OSError as error:
            raise SpeechError(f"{directory}: cannot be written: {error.strerror}") from error
        with replace_text(directory / UTTERANCES) as stream:
            for one in self.utterances:
                stream.write(f"{one.id}\t{one.recording}\t{one.start!r}\t{one.duration!r}\n")
        with replace_text(directory / WORDS) as stream:
            stream.writelines(f"{word} {index}\n" for index, word in enumerate(self.symbols))
        arrays: dict[str, npt.NDArray[Any]] = {
            name: getattr(self.postings, name) for name in _COLUMNS
        }
        arrays |= {"state_offsets": self.state_offsets, "word_offsets": self.word_offsets}
        write_arrays(directory / POSTINGS, arrays, kind=_KIND, version=_VERSION)
        write_json(directory / SETTINGS, _KIND, asdict(self.settings))

    @classmethod
    def open(cls, directory: str | os.PathLike[str]) -> KeywordIndex:
        """Open an index of `write`.

        Raises:
            UsageError: there is no such directory.
            SpeechError: it holds no index, or a damaged one.
        """
        directory = Path(directory)
        if not directory.is_dir():
            raise UsageError(f"{directory}: expected a directory with an index, found none")
        if not (directory / SETTINGS).is_file():
            raise SpeechError(
                f"{directory}: expected an index (recognizer keywords index makes one), found no "
                f"{SETTINGS}"
            )
        table = read_json(directory / SETTINGS, _KIND)
        known = {one.name for one in fields(IndexSettings)}
        try:
            settings = IndexSettings(**{key: table[key] for key in known})
        except (KeyError, TypeError) as error:
            raise SpeechError(
                f"{directory / SETTINGS}: expected {sorted(known)}: {error}"
            ) from None
        utterances = tuple(_read_utterances(directory / UTTERANCES))
        symbols = read_symbols(directory / WORDS)
        mapped = open_arrays(directory / POSTINGS, kind=_KIND, version=_VERSION)
        expected = {*_COLUMNS, "state_offsets", "word_offsets"}
        if set(mapped.arrays) != expected:
            raise SpeechError(f"{directory / POSTINGS}: expected the arrays {sorted(expected)}")
        lengths = {len(mapped[name]) for name in _COLUMNS}
        state_offsets, word_offsets = mapped["state_offsets"], mapped["word_offsets"]
        if (
            len(lengths) != 1
            or len(word_offsets) != len(symbols) + 1
            or len(state_offsets) != len(utterances) + 1
            or int(word_offsets[-1]) not in lengths
        ):
            raise SpeechError(
                f"{directory}: expected {POSTINGS}, {WORDS} and {UTTERANCES} of one index, found "
                "files that do not go together"
            )
        words = np.repeat(np.arange(len(symbols), dtype=np.int32), np.diff(word_offsets))
        postings = Postings(words, **{name: mapped[name] for name in _COLUMNS})
        return cls(settings, utterances, symbols, state_offsets, word_offsets, postings)


class IndexBuilder:
    """Collects the postings of utterances.

    Args:
        settings: of the index.
        symbols: words that may be searched for without a warning, as word of each id; words of
            lattices that are not among them are added.
    """

    def __init__(self, settings: IndexSettings, symbols: Sequence[str] = ("<eps>",)) -> None:
        self._settings = settings
        self._ids = {symbol: index for index, symbol in enumerate(symbols)}
        self._symbols = list(symbols)
        self._utterances: list[IndexedUtterance] = []
        self._names: set[str] = set()
        self._parts: list[Postings] = []
        self._state_offsets = [0]

    def add(
        self,
        utterance: IndexedUtterance,
        postings: Postings,
        symbols: Sequence[str],
        num_states: int,
    ) -> None:
        """Add an utterance.

        Args:
            utterance: its names and times.
            postings: of its lattice, or of several that follow each other.
            symbols: word of each id of the postings.
            num_states: above the number of each of the postings' states.

        Raises:
            SpeechError: an utterance of this name was added before, or its names have tabs.
        """
        if utterance.id in self._names:
            raise SpeechError(f"utterance {utterance.id!r}: expected each once, found it twice")
        for name in (utterance.id, utterance.recording):
            if not name or "\t" in name or len(name.splitlines()) != 1:
                raise SpeechError(f"expected a name of one line without tabs, found {name!r}")
        self._names.add(utterance.id)
        self._utterances.append(utterance)
        first = self._state_offsets[-1]
        words = self._own_ids(postings.words, symbols)
        self._parts.append(replace(postings.moved(first, 0), words=words))
        self._state_offsets.append(first + num_states)

    @property
    def num_utterances(self) -> int:
        """How many utterances were added."""
        return len(self._utterances)

    def _own_ids(self, words: IntArray, symbols: Sequence[str]) -> IntArray:
        used = np.unique(words)
        own = []
        for word in used.tolist():
            symbol = symbols[word]
            if symbol not in self._ids:
                self._ids[symbol] = len(self._symbols)
                self._symbols.append(symbol)
            own.append(self._ids[symbol])
        return np.array(own, dtype=np.int32)[np.searchsorted(used, words)]

    def build(self) -> KeywordIndex:
        """The index of all that was added.

        Raises:
            SpeechError: nothing was added.
        """
        if not self._utterances:
            raise SpeechError("keyword index: expected utterances, found none")
        found = concatenated(self._parts)
        order = np.lexsort((found.targets, found.sources, found.words))
        postings = Postings(*(getattr(found, one.name)[order] for one in fields(Postings)))
        bounds = np.arange(len(self._symbols) + 1)
        return KeywordIndex(
            settings=self._settings,
            utterances=tuple(self._utterances),
            symbols=tuple(self._symbols),
            state_offsets=np.array(self._state_offsets, dtype=np.int64),
            word_offsets=np.searchsorted(postings.words, bounds).astype(np.int64),
            postings=postings,
        )


def read_symbols(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Words by id of Kaldi's ``words.txt``: a word and its id a line, ids from 0 in order.

    Raises:
        SpeechError: an unreadable file or a malformed line.
    """
    symbols: list[str] = []
    for number, line in enumerate(read_lines(path), start=1):
        found = line.split()
        if len(found) != 2 or found[1] != str(len(symbols)):
            raise SpeechError(
                f"{path}:{number}: expected a word and the id {len(symbols)}, found {line!r}"
            )
        symbols.append(found[0])
    if not symbols:
        raise SpeechError(f"{path}: expected words with their ids, found none")
    return tuple(symbols)


def _read_utterances(path: Path) -> list[IndexedUtterance]:
    found = []
    for number, line in enumerate(read_lines(path), start=1):
        columns = line.split("\t")
        try:
            utterance, recording, start, duration = columns
            found.append(IndexedUtterance(utterance, recording, float(start), float(duration)))
        except ValueError:
            raise SpeechError(
                f"{path}:{number}: expected utterance, recording, start and duration, separated by "
                f"tabs, found {line!r}"
            ) from None
    return found
