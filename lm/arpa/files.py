"""ARPA back-off files, plain or compressed: read into and written from `NgramModel`."""

from __future__ import annotations

import contextlib
import gzip
import os
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from recognizer.data.errors import UsageError
from recognizer.data.io.files import replace_file
from recognizer.lm.arpa.reader import ArpaReader, ArpaRows, open_arpa
from recognizer.lm.ngram.model import NO_NODE, NgramLevel, NgramModel, trie_keys

_ROWS_PER_WRITE = 1 << 17


def read_arpa(path: str | os.PathLike[str]) -> NgramModel:
    r"""Read an ARPA file, decompressed by its ending (.gz, .xz, .zst).

    See `ArpaReader` for what is read. A missing `<unk>` is added with log10 probability -100.

    Raises:
        SpeechError: the file is missing, truncated or malformed: names file and line, what was
            expected and what was found. Also for duplicate n-grams and missing prefixes.
    """
    with open_arpa(path) as reader:
        counts = reader.header()
        vocabulary, unigrams = reader.unigrams()
        levels = [_level(reader, unigrams, [])]
        for order in range(2, len(counts) + 1):
            rows = ArpaRows.concatenated(list(reader.rows(order)))
            levels.append(_level(reader, rows, levels))
        reader.end()
    return NgramModel(vocabulary, tuple(levels))


def write_arpa(model: NgramModel, path: str | os.PathLike[str], *, decimals: int = 6) -> None:
    """Write an ARPA file (gzipped if the name ends in `.gz`), whole or not at all.

    Args:
        model: the model.
        path: where to; an existing file is replaced when the new one is complete.
        decimals: digits after the point of log10 probabilities and back-offs, 1 to 9.
    """
    if not 1 <= decimals <= 9:
        raise UsageError(f"decimals of an ARPA file: expected 1 to 9, found {decimals}")
    with create_arpa(path) as binary:
        text = TextIOWrapper(binary, encoding="utf-8", newline="\n", write_through=True)
        text.write("\\data\\\n")
        for order, count in enumerate(model.counts, start=1):
            text.write(f"ngram {order}={count}\n")
        for order in range(1, model.order + 1):
            text.write(f"\n\\{order}-grams:\n")
            for chunk in _sections(model, order, decimals):
                text.write(chunk)
        text.write("\n\\end\\\n")
        text.flush()
        text.detach()


@contextlib.contextmanager
def create_arpa(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write, gzipped if the name ends in `.gz`, whole or not at all.

    Raises:
        SpeechError: the file cannot be written.
    """
    with replace_file(path) as temporary, temporary.open("wb") as raw:
        if Path(path).suffix == ".gz":
            # Neither name nor time in the header: the same model gives the same bytes.
            with gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
                yield cast(BinaryIO, packed)
        else:
            yield raw


def _sections(model: NgramModel, order: int, decimals: int) -> Iterator[str]:
    level = model.levels[order - 1]
    number = f"%.{decimals}f"
    vocabulary = np.array(model.vocabulary, dtype=object)
    fields = [number, " ".join(["%s"] * order)]
    if order < model.order:
        fields.append(number)
    line = "\t".join(fields) + "\n"
    for start in range(0, len(level), _ROWS_PER_WRITE):
        stop = min(start + _ROWS_PER_WRITE, len(level))
        ngrams = model.ngrams(order, start, stop)
        columns = [level.log10_probs[start:stop].tolist()]
        columns += [vocabulary[ngrams[:, column]].tolist() for column in range(order)]
        if order < model.order:
            # Adding 0 turns -0.0 into 0.0: "-0.000000" means "not a history" to some readers.
            columns.append((level.log10_backoffs[start:stop] + 0.0).tolist())
        yield "".join([line % row for row in zip(*columns, strict=True)])


def _level(reader: ArpaReader, rows: ArpaRows, lower: list[NgramLevel]) -> NgramLevel:
    """Find the histories of the n-grams of an order and sort them."""
    order = rows.words.shape[1]
    parents = np.full(len(rows.lines), NO_NODE, dtype=np.int64)
    for column in range(order - 1):
        parents = _history_rows(reader, rows, lower[column], parents, rows.words[:, column])
    words = rows.words[:, -1]
    probs, backoffs = rows.log10_probs, rows.log10_backoffs
    keys = trie_keys(parents, words) if order > 1 else words
    if not (keys[1:] > keys[:-1]).all():
        by_key = np.argsort(keys, kind="stable")
        keys = keys[by_key]
        twice = np.flatnonzero(keys[1:] == keys[:-1])
        if len(twice):
            first, second = rows.lines[by_key[twice[0] : twice[0] + 2]].tolist()
            raise reader.fail_of_duplicate(first, second, rows.words[by_key[twice[0]]].tolist())
        parents, words = parents[by_key], words[by_key]
        probs, backoffs = probs[by_key], backoffs[by_key]
    return NgramLevel(np.ascontiguousarray(words), parents, probs, backoffs)


def _history_rows(
    reader: ArpaReader,
    rows: ArpaRows,
    level: NgramLevel,
    parents: NDArray[np.int64],
    words: NDArray[np.int32],
) -> NDArray[np.int64]:
    """The rows in `level` of the n-grams of words after parents."""
    if len(level) and level.parents[0] == NO_NODE:
        return words.astype(np.int64)
    wanted = trie_keys(parents, words)
    missing = np.ones(len(wanted), dtype=np.bool_)
    found = np.zeros(len(wanted), dtype=np.int64)
    if len(level):
        keys = trie_keys(level.parents, level.words)
        found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        missing = keys[found] != wanted
    if missing.any():
        bad = int(np.argmax(missing))
        raise reader.fail_of_prefix(int(rows.lines[bad]), rows.words[bad].tolist())
    return found
