"""N-grams made into an automaton's arrays in files, in bounded memory.

Each order is sorted, runs spilled to disk where memory does not hold it; then the automaton is
written from front to back (`lm/csrc/builder/automaton_builder.cc`). Disk space is needed for the
n-grams once as records (8 bytes and 4 per word of each, twice while an order is sorted) and for the
result twice.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.data.io.mapped_arrays import ArrayFile
from recognizer.lm._arpa import format_log10
from recognizer.lm._builder import AutomatonBuilder, NgramError
from recognizer.lm.arpa.source import NgramSource
from recognizer.lm.automaton.layouts import fast_files
from recognizer.lm.ngram.model import BEGIN, END
from recognizer.lm.resources import Progress, Resources

MAX_ORDER = 8
MAX_STATES = 2**32 - 2
MAX_WORDS = 2**31 - 2


@dataclass(frozen=True)
class BuiltArrays:
    """The automaton in the fast layout, as `NgramAutomaton` has it.

    Attributes:
        arrays: files in the directory that was given.
        vocabulary: the words in UTF-8, each followed by a line feed.
        metadata: `counts`; `begin` and `end`, the rows of `<s>` and `</s>` among the unigrams;
            `begin_log10_prob`, of `<s>` (nothing predicts it, so arcs do not tell).
    """

    arrays: dict[str, ArrayFile]
    vocabulary: npt.NDArray[np.uint8]
    metadata: dict[str, str]


def build_arrays(
    source: NgramSource,
    directory: Path,
    resources: Resources | None = None,
) -> BuiltArrays:
    """Write the arrays of an automaton to files.

    Args:
        source: the n-grams.
        directory: an empty one for the arrays, and for files that are removed again.
        resources: what may be used.

    Raises:
        SpeechError: the n-grams are not those of a back-off model, or too many.
        OSError: the directory cannot be written to or is full.
    """
    resources = resources or Resources()
    progress = resources.progress
    order = len(source.counts)
    words = source.vocabulary
    if order > MAX_ORDER:
        raise SpeechError(f"{source.name}: expected orders up to {MAX_ORDER}, found {order}")
    if len(words) > MAX_WORDS:
        raise SpeechError(f"{source.name}: expected at most {MAX_WORDS} words, found {len(words)}")
    begin, end = words.index(BEGIN), words.index(END)
    builder = AutomatonBuilder(
        os.fspath(directory),
        len(words),
        begin,
        end,
        resources.memory,
        resources.threads,
        MAX_STATES,
    )
    begin_log10_prob = 0.0
    try:
        for n, count in enumerate(source.counts, start=1):
            builder.begin()
            for ids, probs, backoffs in source.blocks(n):
                builder.add(ids.reshape(-1), probs, backoffs)
                if n == 1 and (row := np.flatnonzero(ids[:, 0] == begin)).size:
                    begin_log10_prob = float(probs[row[0]])
            builder.end(_Stage(f"sorting {n}-grams", count, progress))
        source.end()
        builder.build(_Stage("linking", sum(source.counts), progress))
    except NgramError as fault:
        raise source.fault(*fault.args) from None
    except ValueError as error:
        raise SpeechError(f"{source.name}: {error}") from None
    return BuiltArrays(
        fast_files(directory),
        np.frombuffer(
            "".join(f"{word}\n" for word in words if word not in (BEGIN, END)).encode(), np.uint8
        ),
        {
            "counts": " ".join(map(str, source.counts)),
            "begin": str(begin),
            "end": str(end),
            "begin_log10_prob": format_log10(begin_log10_prob, -1),
        },
    )


def cannot_build(output: str | os.PathLike[str], error: OSError) -> SpeechError:
    """What to raise where files fail: one line with the file."""
    fault = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return SpeechError(f"{output}: cannot be built: {fault}")


@contextmanager
def temporary_directory(
    output: str | os.PathLike[str], temporary: Path | None = None
) -> Iterator[Path]:
    """A directory for files that are removed when an output has been built.

    Args:
        output: the file that is built.
        temporary: where the directory is made; None: beside the output.
    """
    output = Path(output)
    parent = temporary or output.parent
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=parent) as directory:
        yield Path(directory)


@dataclass(frozen=True)
class _Stage:
    """Tells of one stage."""

    name: str
    total: int
    progress: Progress

    def __call__(self, done: int) -> None:
        self.progress(self.name, done, self.total)
