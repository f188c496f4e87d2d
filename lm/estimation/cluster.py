"""N-grams counted by many machines, on Ray, with the result that one machine has.

The texts are cut into parts. A task reads a part's words; the words of all parts are joined in the
order of the texts, so that each has the id that one machine gives it. A second task reads the part
again, counts its n-grams with these ids, and hands the sorted counts over through Ray's object
store, a block at a time; merging them is a step of the estimate anyway. Tasks keep nothing, so Ray
repeats those of a machine that is lost.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import COMPRESSED
from recognizer.data.parallel.cluster import ray_cluster
from recognizer.lm.estimation.steps import (
    NgramCounts,
    TextWords,
    count_ngrams,
    file_errors,
    join_words,
    merge_counts,
    open_tokens,
    tokenise,
    write_words,
)
from recognizer.lm.resources import Resources
from recognizer.lm.text.text_files import STANDARD_INPUT, read_blocks

_BLOCK = 1 << 25
_BLOCKS_AHEAD = 4
"""Of each part, so many blocks at most wait in the object store."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class CountingCluster:
    """Which machines count, and how the work is cut.

    Attributes:
        address: of a Ray cluster's head, or "auto" for the one that this machine belongs to; "":
            processes of this machine alone.
        parts: pieces of text that are counted apart, about; compressed files stay whole. Should be
            a few for each processor of the cluster.
        memory: bytes of buffers of a task that counts.
    """

    address: str = ""
    parts: int = 2
    memory: int = 1 << 30

    def __post_init__(self) -> None:
        """Check the values."""
        if self.parts < 1:
            raise UsageError(f"parts: expected at least 1, found {self.parts}")


@dataclass(frozen=True)
class TextPart:
    """Whole lines of a file.

    Attributes:
        path: of the file, which every machine must have under this name.
        begin: the first byte.
        end: after the last byte; None: the file, which is compressed, as a whole.
    """

    path: str
    begin: int = 0
    end: int | None = None

    @property
    def name(self) -> str:
        """For messages, in which lines are numbered."""
        return f"{self.path} from byte {self.begin}" if self.begin else self.path

    def blocks(self) -> Iterator[bytes]:
        """The text of the part."""
        if self.end is None:
            yield from read_blocks(self.path)
            return
        with Path(self.path).open("rb") as stream:
            stream.seek(self.begin)
            left = self.end - self.begin
            while left and (block := stream.read(min(left, _BLOCK))):
                left -= len(block)
                yield block


def split_texts(paths: Sequence[str | os.PathLike[str]], parts: int) -> list[TextPart]:
    """Cut files into about so many parts of whole lines.

    Raises:
        UsageError: standard input is among them, which other machines cannot read.
        OSError: a file cannot be read.
    """
    names = [os.fspath(path) for path in paths]
    if STANDARD_INPUT in names:
        raise UsageError("standard input cannot be read by a cluster: expected files")
    sizes = [Path(name).stat().st_size for name in names]
    target = max(-(-sum(sizes) // parts), 1)
    result: list[TextPart] = []
    for name, size in zip(names, sizes, strict=True):
        if name.endswith(COMPRESSED):
            result.append(TextPart(name))
            continue
        pieces = max(round(size / target), 1)
        borders = [0, *(_line_after(name, size * i // pieces) for i in range(1, pieces)), size]
        result += [
            TextPart(name, begin, end) for begin, end in itertools.pairwise(borders) if begin < end
        ]
    return result


def _line_after(path: str, position: int) -> int:
    """Where the first line begins that begins after a position.

    Not with a byte order mark, which would be skipped at the beginning of a part.
    """
    with Path(path).open("rb") as stream:
        stream.seek(position)
        stream.readline()
        begin = stream.tell()
        while (line := stream.readline()).startswith(_BYTE_ORDER_MARK):
            begin += len(line)
        return begin


class ClusterCounter:
    """Counts words, then n-grams, on a cluster; a `TextCounter`. See `on_cluster`."""

    def __init__(
        self, ray: Any, parts: Sequence[TextPart], options: CountingCluster, resources: Resources
    ) -> None:
        self._ray = ray
        self._parts = parts
        self._options = options
        self._resources = resources

    def read(self, directory: Path) -> TextWords:
        """Leave the words of all texts, and which of them those of each part are."""
        task = self._ray.remote(_words_of)
        answers = [task.remote(part) for part in self._parts]
        parts = []
        for answer in answers:
            parts.append(self._get(answer))
            self._resources.progress("reading words", 1, len(answers))
        words, counts, ids = join_words(parts)
        write_words(directory, words, counts)
        for index, of_part in enumerate(ids):
            of_part.tofile(directory / f"ids.{index}")
        return TextWords(directory)

    def count(self, text: TextWords, order: int, num_words: int, directory: Path) -> NgramCounts:
        """Count the n-grams of an order into one sorted run for each part."""
        task = self._ray.remote(_counts_of).options(
            num_returns="streaming", _generator_backpressure_num_objects=_BLOCKS_AHEAD
        )
        answers = []
        for index, part in enumerate(self._parts):
            ids = np.fromfile(text.directory / f"ids.{index}", dtype=np.uint32)
            answers.append(task.remote(part, ids, num_words, order, self._options.memory))
        names: list[str] = []
        for index, blocks in enumerate(answers):
            names.append(f"ngrams.part{index}.run")
            with (directory / names[-1]).open("wb") as stream:
                for block in blocks:
                    stream.write(self._get(block).data)
            self._resources.progress(f"counting {order}-grams", 1, len(answers))
        return NgramCounts(directory, names)

    def _get(self, answer: Any) -> Any:
        try:
            return self._ray.get(answer)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, SpeechError):
                raise error.cause from None
            raise SpeechError(f"counting on a cluster: failed: {error.cause!r}") from error
        except self._ray.exceptions.RayError as error:
            found = str(error).strip().splitlines()[0]
            raise SpeechError(f"counting on a cluster: failed: {found}") from error


@contextmanager
def on_cluster(
    texts: Sequence[str | os.PathLike[str]], options: CountingCluster, resources: Resources
) -> Iterator[ClusterCounter]:
    """Connect to the cluster for the time of a block.

    Raises:
        UsageError: Ray is not installed; standard input is among the texts.
        SpeechError: there is no such cluster.
    """
    parts = split_texts(texts, options.parts)
    with ray_cluster(options.address) as ray:
        yield ClusterCounter(ray, parts, options, resources)


def _words_of(part: TextPart) -> tuple[list[str], NDArray[np.uint64]]:
    with file_errors(), TemporaryDirectory() as directory:
        tokenise([(part.name, part.blocks())], Path(directory))
        text = open_tokens(Path(directory))
        return text.words, text.counts


def _counts_of(
    part: TextPart, ids: NDArray[np.uint32], num_words: int, order: int, memory: int
) -> Iterator[NDArray[np.uint8]]:
    resources = Resources(memory, threads=1)
    with file_errors(), TemporaryDirectory() as name:
        directory = Path(name)
        tokenise([(part.name, part.blocks())], directory)
        text = open_tokens(directory)
        counts = count_ngrams(text, order, directory, resources, num_words=num_words, ids=ids)
        text.token_path.unlink()
        merged = directory / "merged.run"
        merge_counts(counts.paths, order, merged, resources, num_words=num_words)
        size = merged.stat().st_size
        for begin in range(0, size, _BLOCK):
            count = min(_BLOCK, size - begin)
            yield np.fromfile(merged, dtype=np.uint8, count=count, offset=begin)
