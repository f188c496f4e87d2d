"""ARPA back-off files, plain or compressed: read into and written from `NgramModel`."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from data.errors import SpeechError, UsageError
from data.files import DAMAGE, open_bytes
from lm._arpa import ArpaError, ArpaParser
from lm.ngram import BEGIN, END, NO_NODE, UNKNOWN, NgramLevel, NgramModel, trie_keys

MAX_ORDER = 9
MISSING_UNKNOWN_LOG10_PROB = -100.0
"""What an absent `<unk>` gets; KenLM's default."""

_BLOCK_BYTES = 1 << 24
_ROWS_PER_WRITE = 1 << 17


def read_arpa(path: str | os.PathLike[str]) -> NgramModel:
    r"""Read an ARPA file, decompressed by its ending (.gz, .xz, .zst).

    N-grams may come in any order within their section. A missing `<unk>` is added with
    log10 probability -100. Lines before ``\data\`` must be empty or begin with ``#``, as in KenLM.

    Raises:
        SpeechError: the file is missing, truncated or malformed: names file and line, what was
            expected and what was found. Also for duplicate n-grams and missing prefixes.
    """
    path = Path(path)
    with open_bytes(path) as stream:
        reader = _Reader(path, stream)
        try:
            return reader.read()
        except DAMAGE as error:
            raise SpeechError(f"{path}: damaged after line {reader.line}: {error}") from error


def write_arpa(model: NgramModel, path: str | os.PathLike[str], *, decimals: int = 6) -> None:
    """Write an ARPA file (gzipped if the name ends in `.gz`), whole or not at all.

    Args:
        model: the model.
        path: where to; an existing file is replaced when the new one is complete.
        decimals: digits after the point of log10 probabilities and back-offs, 1 to 9.
    """
    if not 1 <= decimals <= 9:
        raise UsageError(f"decimals of an ARPA file: expected 1 to 9, found {decimals}")
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with _open_write(temporary, compressed=path.suffix == ".gz") as binary:
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
        temporary.replace(path)
    except OSError as error:
        raise SpeechError(f"{path}: cannot write: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _open_write(path: Path, *, compressed: bool) -> Iterator[BinaryIO]:
    with path.open("wb") as raw:
        if compressed:
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


@dataclass(frozen=True)
class _Section:
    """One order's n-grams as they stand in the file: `[M]`, words `[M, order]`."""

    lines: NDArray[np.int64]
    log10_probs: NDArray[np.float64]
    log10_backoffs: NDArray[np.float64]
    words: NDArray[np.int32]


class _Reader:
    """Reads in blocks of whole lines; the parser keeps the words' ids."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self.path = path
        self.stream = stream
        self.text = b"\n"  # the line feed before `position` is always there
        self.position = 1
        self.line = 0
        self.parser = ArpaParser()
        self.words: list[bytes] = []

    def fail(self, line: int, expected: str, found: str) -> SpeechError:
        return SpeechError(f"{self.path}:{line}: expected {expected}, found {found}")

    def more(self) -> bool:
        """Append the next block of the file to what is not yet read; False at the file's end."""
        block = self.stream.read(_BLOCK_BYTES)
        self.text = self.text[self.position - 1 :] + block
        self.position = 1
        return bool(block)

    def next_line(self) -> str | None:
        """The next line that is not blank, without its ends; None at the end of the file."""
        while True:
            end = self.text.find(b"\n", self.position)
            if end < 0:
                if self.more():
                    continue
                end = len(self.text)
                if self.position == end:
                    return None
            line = self.text[self.position : end].strip()
            self.position = min(end + 1, len(self.text))
            self.line += 1
            if line:
                return line.decode("utf-8", errors="replace")

    def expect(self, wanted: str) -> None:
        line = self.next_line()
        if line != wanted:
            raise self.fail(self.line, wanted, _found(line))

    def read(self) -> NgramModel:
        counts = self.header()
        vocabulary: tuple[str, ...] = ()
        levels: list[NgramLevel] = []
        for order, count in enumerate(counts, start=1):
            self.expect(f"\\{order}-grams:")
            section = self.section(order, count, highest=order == len(counts))
            if order == 1:
                vocabulary, section = self.vocabulary(section)
            levels.append(self.level(section, levels))
        self.expect("\\end\\")
        return NgramModel(vocabulary, tuple(levels))

    def header(self) -> list[int]:
        line = self.next_line()
        while line is not None and line.startswith("#"):
            line = self.next_line()
        if line != "\\data\\":
            raise self.fail(self.line, "\\data\\", _found(line))
        counts: list[int] = []
        while True:
            line = self.next_line()
            if line is not None and line.startswith("\\") and counts:
                self.give_back(line)
                return counts
            match = re.fullmatch(r"ngram\s+(\d+)\s*=\s*(\d+)", line or "")
            if match is None or int(match[1]) != len(counts) + 1 or len(counts) == MAX_ORDER:
                raise self.fail(self.line, f"ngram {len(counts) + 1}=COUNT", _found(line))
            counts.append(int(match[2]))

    def give_back(self, line: str) -> None:
        """Have `next_line` return the line again."""
        self.text = b"\n" + line.encode() + b"\n" + self.text[self.position :]
        self.position = 1
        self.line -= 1

    def section(self, order: int, count: int, *, highest: bool) -> _Section:
        """The lines up to the next one that begins with a backslash."""
        parts = [self.rows(b"", order, highest=highest)]
        while (end := self.text.find(b"\n\\", self.position - 1) + 1) == 0:
            end = self.text.rfind(b"\n", self.position) + 1
            if end > 0:
                parts.append(self.rows(self.text[self.position : end], order, highest=highest))
                self.position = end
            if not self.more():
                wanted = f"the end of the {order}-grams and \\end\\"
                raise self.fail(self.line + 1, wanted, "end of file")
        parts.append(self.rows(self.text[self.position : end], order, highest=highest))
        self.position = end
        found = sum(len(part.lines) for part in parts)
        if found != count:
            wanted = f"{count} {order}-grams, as the header says,"
            raise self.fail(self.line + 1, f"{wanted} before this line", str(found))
        return _Section(
            np.concatenate([part.lines for part in parts]),
            np.concatenate([part.log10_probs for part in parts]),
            np.concatenate([part.log10_backoffs for part in parts]),
            np.concatenate([part.words for part in parts]),
        )

    def rows(self, text: bytes, order: int, *, highest: bool) -> _Section:
        """Parse whole lines."""
        try:
            lines, probs, backoffs, words = self.parser.parse(text, order, highest, self.line + 1)
        except ArpaError as fault:
            line, expected, found, note = fault.args
            raise self.fail(line, expected, _found(found) + note) from None
        self.line += text.count(b"\n")
        return _Section(lines, probs, backoffs, words.reshape(-1, order))

    def vocabulary(self, section: _Section) -> tuple[tuple[str, ...], _Section]:
        """The words of the unigrams; `<unk>` is appended if it is missing."""
        self.parser.add(UNKNOWN.encode())
        self.words = self.parser.words()
        vocabulary = []
        for index, raw in enumerate(self.words):
            try:
                vocabulary.append(raw.decode("utf-8"))
            except UnicodeDecodeError:
                line = int(section.lines[index])
                raise self.fail(line, "a word in UTF-8", _found(raw)) from None
        for word in (BEGIN, END):
            if word not in vocabulary:
                raise self.fail(self.line, f"a unigram {word}", "none")
        if len(vocabulary) > len(section.lines):
            section = _Section(
                np.append(section.lines, self.line),
                np.append(section.log10_probs, MISSING_UNKNOWN_LOG10_PROB),
                np.append(section.log10_backoffs, 0.0),
                np.append(section.words, np.array([[len(vocabulary) - 1]], np.int32), axis=0),
            )
        return tuple(vocabulary), section

    def level(self, section: _Section, lower: list[NgramLevel]) -> NgramLevel:
        """Find the histories of a section's n-grams and sort them."""
        rows = np.full(len(section.lines), NO_NODE, dtype=np.int64)
        order = section.words.shape[1]
        for column in range(order - 1):
            rows = self.history_rows(section, lower[column], rows, section.words[:, column])
        word = section.words[:, -1]
        keys = trie_keys(rows, word) if order > 1 else word
        if not (keys[1:] > keys[:-1]).all():
            by_key = np.argsort(keys, kind="stable")
            keys = keys[by_key]
            twice = np.flatnonzero(keys[1:] == keys[:-1])
            if len(twice):
                first, second = section.lines[by_key[twice[0] : twice[0] + 2]]
                found = f"{self.ngram(section, int(by_key[twice[0]]))} again"
                wanted = f"distinct {order}-grams"
                raise self.fail(int(second), wanted, f"{found} (first on line {first})")
            rows, word = rows[by_key], word[by_key]
            section = _Section(
                section.lines,
                section.log10_probs[by_key],
                section.log10_backoffs[by_key],
                section.words,
            )
        return NgramLevel(
            np.ascontiguousarray(word), rows, section.log10_probs, section.log10_backoffs
        )

    def history_rows(
        self,
        section: _Section,
        level: NgramLevel,
        parents: NDArray[np.int64],
        words: NDArray[np.int32],
    ) -> NDArray[np.int64]:
        if len(level) == 0 or level.parents[0] == NO_NODE:
            return words.astype(np.int64)
        keys = trie_keys(level.parents, level.words)
        wanted = trie_keys(parents, words)
        rows = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        missing = keys[rows] != wanted
        if missing.any():
            bad = int(np.argmax(missing))
            raise self.fail(
                int(section.lines[bad]),
                "an n-gram whose history (its words but the last) is in the file too",
                self.ngram(section, bad),
            )
        return rows

    def ngram(self, section: _Section, row: int) -> str:
        """An n-gram to show."""
        return _found(b" ".join(self.words[word] for word in section.words[row]))


def _found(what: str | bytes | None) -> str:
    if what is None:
        return "end of file"
    text = what.decode("utf-8", errors="replace") if isinstance(what, bytes) else what
    return repr(text if len(text) <= 60 else text[:57] + "...")
