"""Interpolated modified Kneser-Ney estimation of n-gram models from text."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recognizer.data.errors import UsageError
from recognizer.data.io.files import COMPRESSED
from recognizer.lm.arpa.source import RECORDS_VOCABULARY
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.automaton.build import BuildOptions
from recognizer.lm.estimation.arpa_records import write_arpa_of_records
from recognizer.lm.estimation.cluster import ClusterOptions, on_cluster
from recognizer.lm.estimation.options import (
    DISCOUNT_FALLBACK,
    MAX_ORDER,
    Discounts,
    EstimateOptions,
)
from recognizer.lm.estimation.steps import (
    ModelWords,
    Resources,
    adjust_counts,
    compute_backoffs,
    count_ngrams,
    discounts_of,
    file_errors,
    open_tokens,
    tokenise,
    write_records,
)
from recognizer.lm.estimation.work import Step, WorkDirectory, open_work
from recognizer.lm.model.model_files import BINARY_SUFFIX, WriteOptions, check_output
from recognizer.lm.ngram.model import NO_NODE, SPECIAL_WORDS, NgramLevel, NgramModel, trie_keys
from recognizer.lm.text.text_files import STANDARD_INPUT, read_blocks, text_name
from recognizer.lm.text.vocabulary import choose

__all__ = [
    "DISCOUNT_FALLBACK",
    "MAX_ORDER",
    "ClusterOptions",
    "Discounts",
    "Estimate",
    "EstimateOptions",
    "FileOptions",
    "Resources",
    "Summary",
    "estimate",
    "estimate_files",
]

_LINES_PER_BLOCK = 1 << 14
_DECIMALS = 6

_Texts = Iterable[tuple[str, Iterable[bytes]]]
_Vocabulary = Callable[[Sequence[str], NDArray[np.uint64]], "Sequence[str] | None"]


@dataclass(frozen=True)
class Summary:
    """What was estimated.

    Attributes:
        counts: n-grams by order.
        discounts: by order.
    """

    counts: tuple[int, ...]
    discounts: tuple[Discounts, ...]


@dataclass(frozen=True, eq=False)
class Estimate:
    """A model, and how it was smoothed.

    Attributes:
        model: the model, with float32 log10 values.
        discounts: by order.
    """

    model: NgramModel
    discounts: tuple[Discounts, ...]


@dataclass(frozen=True)
class FileOptions:
    """How `estimate_files` works.

    Attributes:
        write: how the model is written.
        resources: memory, threads, and who is told of progress.
        temporary: directory for temporary files; None: that of the output.
        resume: go on where an interrupted estimate of the same model stopped.
        cluster: the machines that count; None: this one.
    """

    write: WriteOptions = field(default_factory=WriteOptions)
    resources: Resources = field(default_factory=Resources)
    temporary: Path | None = None
    resume: bool = False
    cluster: ClusterOptions | None = None


def estimate(
    lines: Iterable[str],
    vocabulary: Sequence[str] | None = None,
    options: EstimateOptions | None = None,
    resources: Resources | None = None,
) -> Estimate:
    """Estimate an interpolated modified Kneser-Ney model (Chen and Goodman, 1998, section 4.1.6).

    The result is what KenLM's lmplz gives for the same text: n-grams that begin with `<s>` keep
    their raw counts, `<unk>` is a word that never occurred (the unigrams are interpolated with the
    uniform distribution over all words and `</s>`), `<s>` has log10 probability 0, and an empty
    line is a sentence without words.

    Args:
        lines: sentences, one a line, words separated by ASCII white space.
        vocabulary: the model's words, in the order that they get; None: all words of the text, in
            the order of their first occurrence. Words outside the vocabulary are counted each for
            itself, and then n-grams that hold one are left out, as with lmplz's
            `--limit_vocab_file`. Words of the vocabulary that do not occur get what `<unk>` gets.
        options: see `EstimateOptions`.
        resources: what may be used.

    Raises:
        SpeechError: a line holds `<s>`, `</s>` or `<unk>`; there is no text; discounts cannot be
            determined and there is no fallback.
        UsageError: the vocabulary has a word twice or one of the above.
    """
    _check_vocabulary(vocabulary)
    options = options or EstimateOptions()
    texts = [("text for a language model", _encoded(lines))]
    with (
        file_errors(),
        tempfile.TemporaryDirectory() as directory,
        open_work(Path(directory) / "estimate", {}) as work,
    ):
        resources = resources or Resources()
        counter = _Counter(texts, None, resources)
        records, summary = _Estimation(work, options, resources).run(
            counter, lambda words, counts: vocabulary
        )
        return Estimate(_read_records(records.directory, summary.counts), summary.discounts)


def estimate_files(
    texts: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    options: EstimateOptions | None = None,
    *,
    vocabulary: Sequence[str] | None = None,
    min_count: int | None = None,
    files: FileOptions | None = None,
) -> Summary:
    """Estimate a model as `estimate` does, from files to a file, in bounded memory.

    Temporary files lie in a directory `.NAME.estimate` beside the output, or in `files.temporary`.
    They go at the end and after an error; if the process is interrupted they stay, for
    `files.resume` or until the next estimate with this output.

    Args:
        texts: files (.gz, .xz and .zst are decompressed), or `-` for standard input.
        output: the model, written whole or not at all: .arpa, .arpa.gz or .ngram.
        options: see `EstimateOptions`.
        vocabulary: see `estimate`.
        min_count: instead, the words that occur at least so often, the most frequent first.
        files: see `FileOptions`.

    Raises:
        SpeechError: as `estimate`; also for files that cannot be read or written.
        UsageError: options that do not go together, or nothing to resume.
    """
    options, files = options or EstimateOptions(), files or FileOptions()
    check_output(output)
    _check_vocabulary(vocabulary)
    if vocabulary is not None and min_count is not None:
        raise UsageError("expected either a vocabulary or a least count, found both")
    if sum(text == STANDARD_INPUT for text in texts) > 1:
        raise UsageError("standard input can be read once")
    if files.temporary is not None and not files.temporary.is_dir():
        raise UsageError(f"{files.temporary}: expected a directory, found none")

    def words_of(words: Sequence[str], counts: NDArray[np.uint64]) -> Sequence[str] | None:
        if min_count is None:
            return vocabulary
        first = len(SPECIAL_WORDS)
        by_word = dict(zip(words[first:], counts[first:].tolist(), strict=True))
        return choose(by_word, min_count=min_count)

    with file_errors():
        described = [_describe(text) for text in texts]
    sizes = [size for _, size, _ in described]
    plain = not any(os.fspath(text).endswith(COMPRESSED) for text in texts)
    total = sum(size for size in sizes if size) if plain and None not in sizes else None
    description = {
        "text": described,
        "order": options.order,
        "cut-offs": [options.cutoff(order) for order in range(1, options.order + 1)],
        "discount fallback": options.discount_fallback and list(options.discount_fallback),
        "smoothing": "kneser-ney" if options.continuation_counts else "absolute",
        "least count": min_count,
        "parts for a cluster": files.cluster and files.cluster.parts,
        "vocabulary": vocabulary and hashlib.sha256("\n".join(vocabulary).encode()).hexdigest(),
    }
    parent = files.temporary or Path(output).parent
    path = parent / f".{Path(output).name}.estimate"
    with (
        file_errors(),
        ExitStack() as stack,
        open_work(path, description, resume=files.resume) as work,
    ):
        counter: TextCounter
        if files.cluster is None:
            blocks = [(text_name(text), read_blocks(text)) for text in texts]
            counter = _Counter(blocks, total, files.resources)
        else:
            counter = stack.enter_context(on_cluster(texts, files.cluster, files.resources))
        records, summary = _Estimation(work, options, files.resources).run(counter, words_of)
        _write_model(records.directory, output, work.path, files)
    return summary


class TextCounter(Protocol):
    """Counts the words of text, then its n-grams; see `estimation.cluster` for another."""

    def read(self, directory: Path) -> None:
        """Read the text and leave in a directory what is needed from it."""

    def words(self, directory: Path) -> tuple[list[str], NDArray[np.uint64]]:
        """The words by id, and how often each occurs, from what `read` left."""

    def count(self, order: int, num_words: int, read: Path, directory: Path) -> list[str]:
        """Count n-grams into sorted runs in a directory, and name them; see `count_ngrams`."""


class _Counter:
    """Counts here; a `TextCounter`."""

    def __init__(self, texts: _Texts, size: int | None, resources: Resources) -> None:
        self._texts = texts
        self._size = size
        self._resources = resources

    def read(self, directory: Path) -> None:
        tokenise(
            self._texts,
            directory,
            lambda count: self._resources.progress("reading", count, self._size),
        )

    def words(self, directory: Path) -> tuple[list[str], NDArray[np.uint64]]:
        text = open_tokens(directory)
        return text.words, text.counts

    def count(self, order: int, num_words: int, read: Path, directory: Path) -> list[str]:
        text = open_tokens(read)
        return count_ngrams(text, order, directory, self._resources, num_words=num_words)


class _Estimation:
    """Goes through the steps; files go as soon as no later step needs them."""

    def __init__(self, work: WorkDirectory, options: EstimateOptions, resources: Resources) -> None:
        self._work = work
        self._options = options
        self._resources = resources

    def run(self, counter: TextCounter, choose_words: _Vocabulary) -> tuple[Step, Summary]:
        """The model as records, and what it is.

        Args:
            counter: of the text.
            choose_words: the vocabulary, from the text's words and their counts; None: all.
        """
        work, options, resources = self._work, self._options, self._resources

        def read_text(directory: Path) -> dict[str, Any]:
            counter.read(directory)
            return {}

        read = work.step("words", read_text)
        text_words, text_counts = counter.words(read.directory)
        words = ModelWords.choose(
            text_words, text_counts, choose_words(text_words, text_counts), options.cutoff(1)
        )
        num_words = len(words.words)

        def count(directory: Path) -> dict[str, Any]:
            return {"runs": counter.count(options.order, num_words, read.directory, directory)}

        counted = work.step("counts", count)
        runs = [counted.directory / run for run in counted.values["runs"]]
        adjusted = work.step(
            "adjusted", lambda directory: adjust_counts(runs, words, options, directory, resources)
        )
        work.forget("counts")
        discounts = discounts_of(adjusted.values, options)
        before = (adjusted.values, adjusted.directory)
        backoffs = work.step(
            "backoffs",
            lambda directory: compute_backoffs(*before, words, discounts, directory, resources),
        )
        weights = (backoffs.values, backoffs.directory)
        records = work.step(
            "records",
            lambda directory: write_records(
                *before, *weights, words, discounts, directory, resources
            ),
        )
        work.forget("adjusted")
        work.forget("backoffs")
        return records, Summary(tuple(records.values["counts"]), tuple(discounts))


def _write_model(
    records: Path, output: str | os.PathLike[str], temporary: Path, files: FileOptions
) -> None:
    resources, write = files.resources, files.write
    if os.fspath(output).endswith(BINARY_SUFFIX):
        NgramAutomaton.build(
            records,
            output,
            layout=write.layout,
            bits=write.bits,
            options=BuildOptions(resources.memory, temporary, resources.threads),
            progress=resources.progress,
        )
    else:
        write_arpa_of_records(
            records,
            output,
            decimals=write.decimals or 6,
            threads=resources.threads,
            progress=resources.progress,
        )


def _read_records(directory: Path, counts: Sequence[int]) -> NgramModel:
    """A model in memory from records in any order."""
    vocabulary = tuple((directory / RECORDS_VOCABULARY).read_bytes().decode().split("\n")[:-1])
    levels: list[NgramLevel] = []
    for order in range(1, len(counts) + 1):
        record = np.dtype([("ids", "<u4", (order,)), ("prob", "<f4"), ("backoff", "<f4")])
        records = np.fromfile(directory / f"{order}.records", record)
        ids = records["ids"].astype(np.int32)
        rows = np.full(len(records), NO_NODE, dtype=np.int64)
        for column, level in enumerate(levels):
            wanted = trie_keys(rows, ids[:, column]) if column else ids[:, 0].astype(np.int64)
            keys = trie_keys(level.parents, level.words) if column else level.words
            rows = np.searchsorted(keys, wanted)
        by_key = np.argsort(trie_keys(rows, ids[:, -1]) if order > 1 else ids[:, 0])
        levels.append(
            NgramLevel(
                np.ascontiguousarray(ids[by_key, -1]),
                rows[by_key],
                records["prob"][by_key],
                records["backoff"][by_key],
            )
        )
    return NgramModel(vocabulary, tuple(levels))


def _check_vocabulary(vocabulary: Sequence[str] | None) -> None:
    if vocabulary is None:
        return
    if not set(SPECIAL_WORDS).isdisjoint(vocabulary):
        raise UsageError(f"vocabulary: expected no {', '.join(SPECIAL_WORDS)} in it")
    if len(set(vocabulary)) != len(vocabulary):
        raise UsageError("vocabulary: expected distinct words")


def _encoded(lines: Iterable[str]) -> Iterator[bytes]:
    iterator = iter(lines)
    while chunk := list(islice(iterator, _LINES_PER_BLOCK)):
        yield ("\n".join(chunk) + "\n").encode()


def _describe(text: str | os.PathLike[str]) -> tuple[str, int | None, int | None]:
    """A text's name, size and time of change, by which a resumed estimate knows it."""
    path = Path(text)
    if text == STANDARD_INPUT or not path.is_file():  # a missing file is told of when it is read
        return (os.fspath(text), None, None)
    status = path.stat()
    return (os.fspath(path.resolve()), status.st_size, status.st_mtime_ns)
