"""Where n-grams come from: an ARPA file, a directory of records, a model in memory."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines
from recognizer.lm.arpa.reader import ArpaReader, ArpaRows, open_arpa, shown
from recognizer.lm.ngram.model import BEGIN, END, UNKNOWN, NgramModel

RECORDS_SUMMARY = "records.json"
RECORDS_VOCABULARY = "vocabulary.txt"
_ROWS_PER_BLOCK = 1 << 14


class NgramBlock(NamedTuple):
    """N-grams of one order: ids int32 `[M, order]`; log10 values float64 `[M]`."""

    ids: npt.NDArray[np.int32]
    log10_probs: npt.NDArray[np.float64]
    log10_backoffs: npt.NDArray[np.float64]


class NgramSource(Protocol):
    """N-grams by order, each order read once, from the lowest on.

    Attributes:
        name: of the file or directory.
        vocabulary: words by id, `<s>`, `</s>` and `<unk>` among them.
        counts: number of n-grams by order.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def vocabulary(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def counts(self) -> Sequence[int]: ...  # noqa: D102

    def blocks(self, order: int) -> Iterator[NgramBlock]:
        """The n-grams of an order, in any order."""
        ...

    def end(self) -> None:
        """Make sure that nothing is amiss after the highest order."""
        ...

    def fault(self, kind: str, ids: Sequence[int]) -> SpeechError:
        """What to raise for an n-gram that comes twice or has no prefix: one line.

        Args:
            kind: "duplicate" or "no prefix".
            ids: the n-gram's words.
        """
        ...


@contextmanager
def open_source(
    path: str | os.PathLike[str], on_read: Callable[[int], None] | None = None
) -> Iterator[NgramSource]:
    """The n-grams of an ARPA file, plain or compressed, or of a directory of records.

    Args:
        path: the file or directory.
        on_read: called, if given, with the number of bytes (of text, decompressed) that have been
            read.

    Raises:
        SpeechError: the file is missing or not what it should be; names file and line.
    """
    path = Path(path)
    if path.is_dir():
        yield _Records(path, on_read)
    else:
        with open_arpa(path, on_read) as reader:
            yield ArpaSource(reader)


class ArpaSource:
    """The n-grams of an ARPA file; an `NgramSource`."""

    def __init__(self, reader: ArpaReader) -> None:
        """Read the header and the unigrams."""
        self._reader = reader
        self.name = str(reader.path)
        self.counts = reader.header()
        self.vocabulary, self._unigrams = reader.unigrams()
        self.counts[0] = len(self.vocabulary)  # `<unk>` may have been missing

    def blocks(self, order: int) -> Iterator[NgramBlock]:
        """See `NgramSource`."""
        rows: Iterator[ArpaRows] | list[ArpaRows]
        rows = [self._unigrams] if order == 1 else self._reader.rows(order)
        for _, probs, backoffs, words in rows:
            yield NgramBlock(words, probs, backoffs)

    def end(self) -> None:
        """See `NgramSource`."""
        self._reader.end()

    def fault(self, kind: str, ids: Sequence[int]) -> SpeechError:
        """See `NgramSource`."""
        lines = self._reader.lines_of(ids)
        if kind == "duplicate":
            return self._reader.fail_of_duplicate(lines[0], lines[1], ids)
        return self._reader.fail_of_prefix(lines[0], ids)


class _Records:
    """A directory with `vocabulary.txt`, `records.json` and, for each order N, `N.records`.

    Words by id stand one a line. A record is packed, little-endian: uint32 words[N] (the first
    word first), float32 log10 probability, float32 log10 back-off (0: none).
    """

    def __init__(self, path: Path, on_read: Callable[[int], None] | None) -> None:
        self._path = path
        self.name = str(path)
        self._on_read = on_read
        summary = path / RECORDS_SUMMARY
        try:
            content = json.loads(summary.read_text(encoding="utf-8"))
            self.counts = [int(count) for count in content["counts"]]
            if not self.counts or int(content["order"]) != len(self.counts):
                raise ValueError
        except FileNotFoundError:
            raise SpeechError(f"{summary}: no such file: no directory of n-gram records") from None
        except (ValueError, KeyError, TypeError):
            raise SpeechError(f'{summary}: expected {{"order": N, "counts": [...]}}') from None
        self.vocabulary = tuple(read_lines(path / RECORDS_VOCABULARY))
        expected = (UNKNOWN, BEGIN, END)
        if self.vocabulary[:3] != expected or len(self.vocabulary) != self.counts[0]:
            wanted = f"{self.counts[0]} words, {' '.join(expected)} first"
            found = f"{len(self.vocabulary)}: {' '.join(self.vocabulary[:3])}"
            raise SpeechError(f"{path / RECORDS_VOCABULARY}: expected {wanted}, found {found}")

    def blocks(self, order: int) -> Iterator[NgramBlock]:
        path = self._path / f"{order}.records"
        width = order + 2
        try:
            size = path.stat().st_size
        except OSError as error:
            raise SpeechError(f"{path}: cannot be read: {error.strerror}") from None
        expected = self.counts[order - 1] * width * 4
        if size != expected:
            raise SpeechError(f"{path}: expected {expected} bytes, found {size}")
        with path.open("rb") as stream:
            done = 0
            while done < self.counts[order - 1]:
                fields = np.fromfile(stream, "<u4", _ROWS_PER_BLOCK * width).reshape(-1, width)
                values = fields.view("<f4")
                block = NgramBlock(
                    np.ascontiguousarray(fields[:, :order]).view(np.int32),
                    values[:, order].astype(np.float64),
                    values[:, order + 1].astype(np.float64),
                )
                self._check(path, block, done)
                if order == len(self.counts):
                    block.log10_backoffs[:] = 0.0
                yield block
                done += len(fields)
                if self._on_read is not None:
                    self._on_read(fields.nbytes)

    def _check(self, path: Path, block: NgramBlock, first: int) -> None:
        """Make sure of values that text could not hold either."""
        ids, probs, backoffs = block
        # Ids over 2^31 are negative as int32 and large as uint32; NaN is neither below nor above
        # anything.
        unsigned = ids.view(np.uint32)
        if (
            unsigned.max() < len(self.vocabulary)
            and -np.inf < probs.min() <= probs.max() <= 0
            and -np.inf < backoffs.min() <= backoffs.max() < np.inf
        ):
            return
        wrong = (unsigned >= len(self.vocabulary)).any(axis=1)
        wrong |= ~(np.isfinite(probs) & (probs <= 0) & np.isfinite(backoffs))
        row = int(np.argmax(wrong))
        found = f"{unsigned[row].tolist()} {probs[row]} {backoffs[row]}"
        expected = f"ids below {len(self.vocabulary)} and log10 values"
        raise SpeechError(f"{path}: record {first + row}: expected {expected}, found {found}")

    def end(self) -> None:
        pass

    def fault(self, kind: str, ids: Sequence[int]) -> SpeechError:
        ngram = shown(" ".join(self.vocabulary[index] for index in ids))
        path = self._path / f"{len(ids)}.records"
        if kind == "duplicate":
            return SpeechError(f"{path}: expected distinct n-grams, found {ngram} twice")
        expected = f"an n-gram whose history is in {len(ids) - 1}.records"
        return SpeechError(f"{path}: expected {expected}, found {ngram}")


class ModelSource:
    """The n-grams of a model in memory, which are distinct and have their prefixes."""

    def __init__(self, model: NgramModel) -> None:
        self._model = model
        self.name = "n-gram model"
        self.vocabulary = model.vocabulary
        self.counts = model.counts

    def blocks(self, order: int) -> Iterator[NgramBlock]:
        """See `NgramSource`."""
        level = self._model.levels[order - 1]
        for start in range(0, len(level), _ROWS_PER_BLOCK):
            stop = min(start + _ROWS_PER_BLOCK, len(level))
            yield NgramBlock(
                self._model.ngrams(order, start, stop),
                level.log10_probs[start:stop].astype(np.float64),
                level.log10_backoffs[start:stop].astype(np.float64),
            )

    def end(self) -> None:
        """See `NgramSource`."""

    def fault(self, kind: str, ids: Sequence[int]) -> SpeechError:
        """See `NgramSource`."""
        ngram = shown(" ".join(self.vocabulary[index] for index in ids))
        return SpeechError(f"{self.name}: found a {kind}: {ngram}")
