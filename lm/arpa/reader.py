r"""The grammar of ARPA back-off files, read a block at a time, plain or compressed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import DAMAGE, open_bytes
from recognizer.lm._arpa import ArpaError, ArpaParser
from recognizer.lm.ngram.model import BEGIN, END, UNKNOWN

MAX_ORDER = 9
MISSING_UNKNOWN_LOG10_PROB = -100.0
"""What an absent `<unk>` gets; KenLM's default."""

_BLOCK_BYTES = 1 << 22
_MAX_HEADER_LINES = 1000
"""Text before the n-grams' counts: the CMU toolkit writes about a hundred lines of it."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OTHER_FORMATS = ("iARPA", "qARPA", "blmt", "Qblmt")
"""First words of IRSTLM's own formats, whose numbers are not those of a back-off model."""

_OTHER_UNKNOWN = b"<UNK>"
"""What some tools (such as the CMU toolkit) call `<unk>`."""


class ArpaRows(NamedTuple):
    """N-grams of one order as they stand in the file: `[M]`, words `[M, order]`."""

    lines: NDArray[np.int64]
    log10_probs: NDArray[np.float64]
    log10_backoffs: NDArray[np.float64]
    words: NDArray[np.int32]

    @staticmethod
    def concatenated(parts: Sequence[ArpaRows]) -> ArpaRows:
        """All rows of at least one part."""
        return ArpaRows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


@contextmanager
def open_arpa(
    path: str | os.PathLike[str], on_read: Callable[[int], None] | None = None
) -> Iterator[ArpaReader]:
    """A reader of an ARPA file, decompressed by its ending (.gz, .xz, .zst).

    Args:
        path: the file.
        on_read: called with the number of bytes that have been read, decompressed, each time.

    Raises:
        SpeechError: the file is missing or damaged; names the line.
    """
    path = Path(path)
    with open_bytes(path) as stream:
        reader = ArpaReader(path, stream, on_read)
        try:
            yield reader
        except DAMAGE as error:
            raise SpeechError(f"{path}: damaged after line {reader.line}: {error}") from error


class ArpaReader:
    r"""Reads in order: `header`, `unigrams`, `rows` of each higher order, `end`.

    N-grams may come in any order within their section, fields may be separated by any white space,
    back-off weights that are 0 may be missing, and lines may end as on Windows. What stands before
    ``\data\`` (a byte order mark, blank lines, up to 1,000 lines of text) is skipped, as SRILM
    does, and so is what follows ``\end\``. A probability or back-off weight of zero, -inf in the
    file, is read as 1e-99 (-99), which is what SRILM, KenLM and others write for it. `<UNK>` is
    `<unk>`.

    Everything raises SpeechError naming file and line, what was expected and what was found.

    Attributes:
        path: the file.
        line: number of the last line that was read.
        counts: what the header says, once it has been read.
    """

    def __init__(
        self, path: Path, stream: BinaryIO, on_read: Callable[[int], None] | None = None
    ) -> None:
        self.path = path
        self.line = 0
        self.counts: list[int] = []
        self._stream = stream
        self._on_read = on_read
        self._text = b"\n"  # the line feed before `_position` is always there
        self._position = 1
        self._parser = ArpaParser()
        self._words: list[bytes] = []

    def header(self) -> list[int]:
        """The number of n-grams by order."""
        line = first = self._next_line()
        first_line = self.line
        while line != "\\data\\":
            if line is not None and line.startswith(_OTHER_FORMATS):
                raise self.fail(self.line, "an ARPA file", f"IRSTLM's format {shown(line)}")
            if line is None or self.line - first_line >= _MAX_HEADER_LINES:
                raise self.fail(first_line, "\\data\\", shown(first))
            line = self._next_line()
        while True:
            line = self._next_line()
            if line is not None and line.startswith("\\") and self.counts:
                self._give_back(line)
                return self.counts
            match = re.fullmatch(r"ngram\s+(\d+)\s*=\s*(\d+)", line or "")
            order = len(self.counts) + 1
            if match is None or int(match[1]) != order or order > MAX_ORDER:
                raise self.fail(self.line, f"ngram {order}=COUNT", shown(line))
            self.counts.append(int(match[2]))

    def unigrams(self) -> tuple[tuple[str, ...], ArpaRows]:
        """The vocabulary, in the order of the file, and the unigrams.

        `<unk>` is appended, with log10 probability -100, if it is missing.
        """
        rows = ArpaRows.concatenated(list(self.rows(1)))
        self._parser.add(UNKNOWN.encode())
        self._words = self._parser.words()
        vocabulary = []
        for index, raw in enumerate(self._words):
            try:
                vocabulary.append(raw.decode("utf-8"))
            except UnicodeDecodeError:
                line = int(rows.lines[index])
                raise self.fail(line, "a word in UTF-8", shown(raw)) from None
        for word in (BEGIN, END):
            if word not in vocabulary:
                raise self.fail(self.line, f"a unigram {word}", "none")
        if len(vocabulary) > len(rows.lines):
            rows = ArpaRows(
                np.append(rows.lines, self.line),
                np.append(rows.log10_probs, MISSING_UNKNOWN_LOG10_PROB),
                np.append(rows.log10_backoffs, 0.0),
                np.append(rows.words, np.array([[len(vocabulary) - 1]], np.int32), axis=0),
            )
        return tuple(vocabulary), rows

    def rows(self, order: int) -> Iterator[ArpaRows]:
        """The n-grams of an order, in blocks; words as ids in the vocabulary."""
        highest = order == len(self.counts)
        found = 0
        for text, first_line in self.texts(order):
            try:
                lines, probs, backoffs, words = self._parser.parse(text, order, highest, first_line)
            except ArpaError as fault:
                line, expected, what, note = fault.args
                raise self.fail(line, expected, shown(what) + note) from None
            found += len(lines)
            yield ArpaRows(lines, probs, backoffs, words.reshape(-1, order))
        if found != self.counts[order - 1]:
            wanted = f"{self.counts[order - 1]} {order}-grams, as the header says,"
            raise self.fail(self.line + 1, f"{wanted} before this line", str(found))

    def texts(self, order: int) -> Iterator[tuple[bytes, int]]:
        """The lines of an order, in blocks of whole ones, each with its first line's number."""
        self._expect(f"\\{order}-grams:")
        while (end := self._text.find(b"\n\\", self._position - 1) + 1) == 0:
            end = self._text.rfind(b"\n", self._position) + 1
            if end > 0:
                yield self._lines_to(end)
            if not self._more():
                wanted = f"the end of the {order}-grams and \\end\\"
                raise self.fail(self.line + 1, wanted, "end of file")
        yield self._lines_to(end)

    def end(self) -> None:
        """Make sure that the file's last line is next."""
        self._expect("\\end\\")

    def fail(self, line: int, expected: str, found: str) -> SpeechError:
        """What to raise."""
        return SpeechError(f"{self.path}:{line}: expected {expected}, found {found}")

    def fail_of_prefix(self, line: int, words: Sequence[int]) -> SpeechError:
        """What to raise where an n-gram's history is missing."""
        wanted = "an n-gram whose history (its words but the last) is in the file too"
        return self.fail(line, wanted, self._ngram(words))

    def fail_of_duplicate(self, first: int, second: int, words: Sequence[int]) -> SpeechError:
        """What to raise where an n-gram stands on two lines."""
        found = f"{self._ngram(words)} again (first on line {first})"
        return self.fail(second, f"distinct {len(words)}-grams", found)

    def lines_of(self, words: Sequence[int]) -> list[int]:
        """The lines that an n-gram stands on; reads the file again."""
        order = len(words)
        wanted = [self._words[word] for word in words]
        lines: list[int] = []
        with open_arpa(self.path) as again:
            again.header()
            for below in range(1, order):
                for _ in again.texts(below):
                    pass
            for text, first_line in again.texts(order):
                if wanted[-1] not in text and _OTHER_UNKNOWN not in text:
                    continue
                for number, line in enumerate(text.split(b"\n"), start=first_line):
                    found = [
                        UNKNOWN.encode() if word == _OTHER_UNKNOWN else word
                        for word in line.split()[1 : order + 1]
                    ]
                    if found == wanted:
                        lines.append(number)
        return lines

    def _ngram(self, words: Sequence[int]) -> str:
        return shown(b" ".join(self._words[word] for word in words))

    def _lines_to(self, end: int) -> tuple[bytes, int]:
        text, first = self._text[self._position : end], self.line + 1
        self._position = end
        self.line += text.count(b"\n")
        return text, first

    def _more(self) -> bool:
        """Append the next block of the file to what is not yet read; False at the file's end."""
        block = self._stream.read(_BLOCK_BYTES)
        self._text = self._text[self._position - 1 :] + block
        self._position = 1
        if self._on_read is not None:
            self._on_read(len(block))
        return bool(block)

    def _next_line(self) -> str | None:
        """The next line that is not blank, without its ends; None at the end of the file."""
        while True:
            end = self._text.find(b"\n", self._position)
            if end < 0:
                if self._more():
                    continue
                end = len(self._text)
                if self._position == end:
                    return None
            line = self._text[self._position : end].strip()
            if self.line == 0:
                line = line.removeprefix(_BYTE_ORDER_MARK).strip()
            self._position = min(end + 1, len(self._text))
            self.line += 1
            if line:
                return line.decode("utf-8", errors="replace")

    def _give_back(self, line: str) -> None:
        """Have `_next_line` return the line again."""
        self._text = b"\n" + line.encode() + b"\n" + self._text[self._position :]
        self._position = 1
        self.line -= 1

    def _expect(self, wanted: str) -> None:
        line = self._next_line()
        if line != wanted:
            raise self.fail(self.line, wanted, shown(line))


def shown(what: str | bytes | None) -> str:
    """What was found, to show in a message; None: nothing more."""
    if what is None:
        return "end of file"
    text = what.decode("utf-8", errors="replace") if isinstance(what, bytes) else what
    return repr(text if len(text) <= 60 else text[:57] + "...")
