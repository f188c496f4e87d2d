"""ARPA back-off files, plain or compressed: read into `NgramModel`, written from any n-grams."""

from __future__ import annotations

import gzip
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import UsageError
from recognizer.data.io.files import replace_file
from recognizer.lm._arpa import WordList, format_ngrams
from recognizer.lm.arpa.reader import open_arpa
from recognizer.lm.arpa.source import ArpaSource, ModelSource, NgramBlock, NgramSource
from recognizer.lm.ngram.model import NO_NODE, NgramLevel, NgramModel, trie_keys
from recognizer.lm.resources import Resources

_ROWS_PER_TASK = 1 << 15
_GZIP_LEVEL = 6
_SHORTEST = -1


def read_arpa(path: str | os.PathLike[str]) -> NgramModel:
    r"""Read an ARPA file, decompressed by its ending (.gz, .xz, .zst).

    See `ArpaReader` for what is read. A missing `<unk>` is added with log10 probability -100.

    Returns:
        The model, with float64 log10 values.

    Raises:
        SpeechError: the file is missing, truncated or malformed: names file and line, what was
            expected and what was found. Also for duplicate n-grams and missing prefixes.
    """
    with open_arpa(path) as reader:
        return model_of(ArpaSource(reader))


def model_of(source: NgramSource, dtype: npt.DTypeLike = np.float64) -> NgramModel:
    """All n-grams of a source as a model in memory.

    Args:
        source: the n-grams, in any order within their orders.
        dtype: of log10 values.

    Raises:
        SpeechError: as the source; also for duplicate n-grams and missing prefixes.
    """
    levels: list[NgramLevel] = []
    for order in range(1, len(source.counts) + 1):
        empty = NgramBlock(np.empty((0, order), np.int32), np.empty(0), np.empty(0))
        parts = [empty, *source.blocks(order)]
        ids = np.concatenate([part.ids for part in parts])
        probs = np.concatenate([part.log10_probs.astype(dtype) for part in parts])
        backoffs = np.concatenate([part.log10_backoffs.astype(dtype) for part in parts])
        del parts
        levels.append(_level(source, ids, probs, backoffs, levels))
    source.end()
    return NgramModel(tuple(source.vocabulary), tuple(levels))


def write_arpa(
    model: NgramModel | NgramSource,
    path: str | os.PathLike[str],
    *,
    decimals: int | None = 6,
    resources: Resources | None = None,
) -> None:
    """Write an ARPA file, whole or not at all; gzipped if its name ends in `.gz`.

    The n-grams keep their order. A gzipped file has a member for each block of lines, which threads
    compress side by side; the same n-grams give the same bytes.

    Args:
        model: a model in memory, or where n-grams come from.
        path: where to; an existing file is replaced when the new one is complete.
        decimals: digits after the point of log10 probabilities and back-offs, 1 to 9; None: as few
            as it takes for the same natural logarithms, as float32, to be read again.
        resources: threads that format and compress, and who is told of n-grams.

    Raises:
        UsageError: impossible decimals.
        SpeechError: the file cannot be written.
    """
    if decimals is not None and not 1 <= decimals <= 9:
        raise UsageError(f"decimals of an ARPA file: expected 1 to 9, found {decimals}")
    source = ModelSource(model) if isinstance(model, NgramModel) else model
    resources = resources or Resources()
    packed = os.fspath(path).endswith(".gz")
    counts = source.counts
    words = WordList("".join(f"{word}\n" for word in source.vocabulary).encode())
    digits = _SHORTEST if decimals is None else decimals

    def pack(text: bytes) -> bytes:
        # No time in the header: the same text gives the same bytes.
        return gzip.compress(text, _GZIP_LEVEL, mtime=0) if packed else text

    def lines(order: int, rows: NgramBlock) -> bytes:
        backoffs = rows.log10_backoffs if order < len(counts) else None
        ids = rows.ids.reshape(-1)
        return pack(format_ngrams(words, order, ids, rows.log10_probs, backoffs, digits))

    def parts(pool: ThreadPoolExecutor) -> Iterator[bytes]:
        header = "".join(f"ngram {order}={count}\n" for order, count in enumerate(counts, start=1))
        yield pack(f"\\data\\\n{header}".encode())
        for order in range(1, len(counts) + 1):
            yield pack(f"\n\\{order}-grams:\n".encode())
            pending: deque[Future[bytes]] = deque()
            for block in source.blocks(order):
                ids, probs, backoffs = block
                for first in range(0, len(probs), _ROWS_PER_TASK):
                    some = slice(first, first + _ROWS_PER_TASK)
                    rows = NgramBlock(ids[some], probs[some], backoffs[some])
                    pending.append(pool.submit(lines, order, rows))
                    if len(pending) > 2 * resources.threads:
                        yield pending.popleft().result()
                    resources.progress("writing", len(rows.log10_probs), sum(counts))
            while pending:
                yield pending.popleft().result()
        source.end()
        yield pack(b"\n\\end\\\n")

    with (
        replace_file(path) as temporary,
        temporary.open("wb", buffering=0) as stream,
        ThreadPoolExecutor(resources.threads) as pool,
    ):
        for part in parts(pool):
            view = memoryview(part)
            while view:
                view = view[stream.write(view) :]


def _level(
    source: NgramSource,
    ids: npt.NDArray[np.int32],
    probs: npt.NDArray[np.floating],
    backoffs: npt.NDArray[np.floating],
    lower: list[NgramLevel],
) -> NgramLevel:
    """Find the histories of the n-grams of an order and sort them."""
    order = ids.shape[1]
    parents = np.full(len(ids), NO_NODE, dtype=np.int64)
    for column in range(order - 1):
        parents = _history_rows(source, ids, lower[column], parents, column)
    words = ids[:, -1]
    keys = trie_keys(parents, words) if order > 1 else words
    if not (keys[1:] > keys[:-1]).all():
        by_key = np.argsort(keys, kind="stable")
        keys = keys[by_key]
        twice = np.flatnonzero(keys[1:] == keys[:-1])
        if len(twice):
            raise source.fault("duplicate", ids[by_key[twice[0]]].tolist())
        parents, words = parents[by_key], words[by_key]
        probs, backoffs = probs[by_key], backoffs[by_key]
    return NgramLevel(np.ascontiguousarray(words), parents, probs, backoffs)


def _history_rows(
    source: NgramSource,
    ids: npt.NDArray[np.int32],
    level: NgramLevel,
    parents: npt.NDArray[np.int64],
    column: int,
) -> npt.NDArray[np.int64]:
    """The rows in `level` of the n-grams of a column's words after parents."""
    words = ids[:, column]
    if column == 0:
        return words.astype(np.int64)
    wanted = trie_keys(parents, words)
    missing = np.ones(len(wanted), dtype=np.bool_)
    found = np.zeros(len(wanted), dtype=np.int64)
    if len(level):
        keys = trie_keys(level.parents, level.words)
        found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        missing = keys[found] != wanted
    if missing.any():
        raise source.fault("no prefix", ids[int(np.argmax(missing))].tolist())
    return found
