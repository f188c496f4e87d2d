"""ARPA back-off files, plain or gzipped: read into and written from `NgramModel`."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from data.errors import SpeechError, UsageError
from lm.ngram import BEGIN, END, NO_NODE, UNKNOWN, NgramLevel, NgramModel, trie_keys

MAX_ORDER = 9
MISSING_UNKNOWN_LOG10_PROB = -100.0
"""What an absent `<unk>` gets; KenLM's default."""

_CHUNK_BYTES = 1 << 24
_ROWS_PER_WRITE = 1 << 17


def read_arpa(path: str | os.PathLike[str]) -> NgramModel:
    r"""Read an ARPA file (gzipped if its name ends in `.gz`).

    N-grams may come in any order within their section. A missing `<unk>` is added with
    log10 probability -100. Lines before ``\data\`` must be empty or begin with ``#``, as in KenLM.

    Raises:
        SpeechError: the file is missing, truncated or malformed: names file and line, what was
            expected and what was found. Also for duplicate n-grams and missing prefixes.
    """
    return _Reader(Path(path)).read()


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


@dataclass
class _Section:
    """One order's n-grams as they stand in the file: fields by line."""

    lines: NDArray[np.int64]
    probs: NDArray[np.float64]
    backoffs: NDArray[np.float64]
    words: NDArray[np.object_]


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = _read_bytes(path)
        self.position = 0
        self.line = 0

    def fail(self, line: int, expected: str, found: str) -> SpeechError:
        return SpeechError(f"{self.path}:{line}: expected {expected}, found {found}")

    def next_line(self) -> str | None:
        """The next line that is not blank, without its ends; None at the end of the file."""
        while self.position < len(self.text):
            end = self.text.find(b"\n", self.position)
            end = len(self.text) if end < 0 else end
            line = self.text[self.position : end].strip()
            self.position = end + 1
            self.line += 1
            if line:
                return line.decode("utf-8", errors="replace")
        return None

    def expect(self, wanted: str) -> None:
        line = self.next_line()
        if line != wanted:
            raise self.fail(self.line, wanted, _found(line))

    def read(self) -> NgramModel:
        counts = self.header()
        vocabulary: tuple[str, ...] = ()
        word_ids: dict[bytes, int] = {}
        levels: list[NgramLevel] = []
        for order, count in enumerate(counts, start=1):
            self.expect(f"\\{order}-grams:")
            section = self.section(order, count, highest=order == len(counts))
            if order == 1:
                vocabulary, section = self.vocabulary(section)
                word_ids = {word.encode(): index for index, word in enumerate(vocabulary)}
            levels.append(self.level(section, levels, word_ids))
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
            position, number = self.position, self.line
            line = self.next_line()
            if line is not None and line.startswith("\\") and counts:
                self.position, self.line = position, number
                return counts
            match = re.fullmatch(r"ngram\s+(\d+)\s*=\s*(\d+)", line or "")
            if match is None or int(match[1]) != len(counts) + 1 or len(counts) == MAX_ORDER:
                raise self.fail(self.line, f"ngram {len(counts) + 1}=COUNT", _found(line))
            counts.append(int(match[2]))

    def section(self, order: int, count: int, *, highest: bool) -> _Section:
        """The lines up to the next one that begins with a backslash."""
        end = self.text.find(b"\n\\", self.position - 1)
        if end < 0:
            total = self.line + self.text.count(b"\n", self.position)
            raise self.fail(total + 1, f"the end of the {order}-grams and \\end\\", "end of file")
        parts: list[_Section] = []
        while self.position <= end:
            stop = self.text.find(b"\n", min(self.position + _CHUNK_BYTES, end)) + 1
            parts.append(self.chunk(self.text[self.position : stop], order, highest=highest))
            self.line += self.text.count(b"\n", self.position, stop)
            self.position = stop
        found = sum(len(part.lines) for part in parts)
        if found != count:
            wanted = f"{count} {order}-grams, as the header says,"
            raise self.fail(self.line + 1, f"{wanted} before this line", str(found))
        if not parts:
            parts = [self.chunk(b"", order, highest=highest)]
        return _Section(
            np.concatenate([part.lines for part in parts]),
            np.concatenate([part.probs for part in parts]),
            np.concatenate([part.backoffs for part in parts]),
            np.concatenate([part.words for part in parts]),
        )

    def chunk(self, text: bytes, order: int, *, highest: bool) -> _Section:
        """Split whole lines into their fields."""
        raw = np.frombuffer(text, dtype=np.uint8)
        space = (raw == 32) | ((raw >= 9) & (raw <= 13))  # as bytes.split() sees it
        starts = np.flatnonzero(~space & np.concatenate(([True], space[:-1])))
        line_of_field = np.searchsorted(np.flatnonzero(raw == 10), starts)
        fields_of_line = np.bincount(line_of_field, minlength=1)
        lines = np.flatnonzero(fields_of_line)
        widths = fields_of_line[lines]
        wrong = np.flatnonzero((widths < order + 1) | (widths > order + 2))
        if len(wrong):
            line = int(lines[wrong[0]])
            raise self.fail(
                self.line + line + 1,
                f"log10 probability, {_words(order)} and perhaps a back-off",
                _found(text.split(b"\n")[line].decode(errors="replace")),
            )
        first = np.cumsum(widths) - widths
        numbers = lines + self.line + 1
        fields = np.array([*text.split(), None], dtype=object)[:-1]
        probs = self.floats(fields[first], numbers, "a log10 probability, at most 0,")
        if len(probs) and probs.max() > 0:
            bad = int(np.argmax(probs))
            raise self.fail(
                int(numbers[bad]), "a log10 probability of at most 0", _found(fields[first[bad]])
            )
        backoffs = np.zeros(len(lines))
        has_backoff = np.flatnonzero(widths == order + 2)
        backoff_fields = fields[first[has_backoff] + order + 1]
        backoffs[has_backoff] = self.floats(backoff_fields, numbers[has_backoff], "a back-off")
        if highest and backoffs.any():
            line = int(numbers[np.flatnonzero(backoffs)[0]])
            raise self.fail(line, f"no back-off in a {order}-gram", "one (the highest order)")
        columns = [fields[first + 1 + column] for column in range(order)]
        return _Section(numbers, probs, backoffs, np.stack(columns, axis=1))

    def floats(
        self, fields: NDArray[np.object_], lines: NDArray[np.int64], what: str
    ) -> NDArray[np.float64]:
        try:
            values = np.array(fields.tolist(), dtype=bytes).astype(np.float64)
            if np.isfinite(values).all():
                return values
        except ValueError:
            pass
        for field, line in zip(fields, lines, strict=True):
            with contextlib.suppress(ValueError):
                if np.isfinite(float(field)):
                    continue
            raise self.fail(int(line), what, _found(field))
        raise AssertionError("numpy and Python disagree on what is a number")

    def vocabulary(self, section: _Section) -> tuple[tuple[str, ...], _Section]:
        """The words of the unigrams; `<unk>` is appended if it is missing."""
        words: dict[str, int] = {}
        for raw, line in zip(section.words[:, 0], section.lines.tolist(), strict=True):
            try:
                word = raw.decode("utf-8")
            except UnicodeDecodeError:
                raise self.fail(line, "a word in UTF-8", _found(raw)) from None
            if word in words:
                found = f"{_found(word)} again (first on line {words[word]})"
                raise self.fail(line, "distinct unigrams", found)
            words[word] = line
        for word in (BEGIN, END):
            if word not in words:
                raise self.fail(self.line, f"a unigram {word}", "none")
        if UNKNOWN not in words:
            words[UNKNOWN] = self.line
            unknown = np.array([[UNKNOWN.encode()]], dtype=object)
            section = _Section(
                np.append(section.lines, self.line),
                np.append(section.probs, MISSING_UNKNOWN_LOG10_PROB),
                np.append(section.backoffs, 0.0),
                np.concatenate([section.words, unknown]),
            )
        return tuple(words), section

    def level(
        self, section: _Section, lower: list[NgramLevel], word_ids: dict[bytes, int]
    ) -> NgramLevel:
        """Find the histories of a section's n-grams and sort them."""
        rows = np.full(len(section.lines), NO_NODE, dtype=np.int64)
        word = np.zeros(0, dtype=np.int64)
        order = section.words.shape[1]
        for column in range(order):
            word = np.array([word_ids.get(w, -1) for w in section.words[:, column]], dtype=np.int64)
            if (word < 0).any():
                bad = int(np.argmax(word < 0))
                found = _found(section.words[bad, column])
                raise self.fail(int(section.lines[bad]), "words that are unigrams", found)
            if column == order - 1:
                break
            rows = self.history_rows(section, lower[column], rows, word)
        keys = trie_keys(rows, word) if order > 1 else word
        by_key = np.argsort(keys, kind="stable")
        keys = keys[by_key]
        twice = np.flatnonzero(keys[1:] == keys[:-1])
        if len(twice):
            first, second = section.lines[by_key[twice[0] : twice[0] + 2]]
            ngram = b" ".join(section.words[by_key[twice[0]]])
            found = f"{_found(ngram)} again (first on line {first})"
            raise self.fail(int(second), f"distinct {order}-grams", found)
        return NgramLevel(
            word[by_key].astype(np.int32),
            rows[by_key],
            section.probs[by_key],
            section.backoffs[by_key],
        )

    def history_rows(
        self,
        section: _Section,
        level: NgramLevel,
        parents: NDArray[np.int64],
        words: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        if len(level) == 0 or level.parents[0] == NO_NODE:
            return words
        keys = trie_keys(level.parents, level.words)
        wanted = trie_keys(parents, words)
        rows = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        missing = keys[rows] != wanted
        if missing.any():
            bad = int(np.argmax(missing))
            ngram = _found(b" ".join(section.words[bad]))
            raise self.fail(
                int(section.lines[bad]),
                "an n-gram whose history (its words but the last) is in the file too",
                ngram,
            )
        return rows


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SpeechError(f"{path}: expected a gzip file, found: {error}") from error
    except OSError as error:
        raise SpeechError(f"{path}: cannot read: {error.strerror or error}") from error


def _words(count: int) -> str:
    return "1 word" if count == 1 else f"{count} words"


def _found(what: str | bytes | None) -> str:
    if what is None:
        return "end of file"
    text = what.decode("utf-8", errors="replace") if isinstance(what, bytes) else what
    return repr(text if len(text) <= 60 else text[:57] + "...")
