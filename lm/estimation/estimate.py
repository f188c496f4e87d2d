"""Interpolated modified Kneser-Ney estimation of n-gram models from text."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recognizer.data.errors import UsageError
from recognizer.data.io.files import COMPRESSED
from recognizer.lm.arpa.files import model_of
from recognizer.lm.arpa.source import open_source
from recognizer.lm.estimation.cluster import CountingCluster, on_cluster
from recognizer.lm.estimation.options import (
    DISCOUNT_FALLBACK,
    MAX_ORDER,
    Discounts,
    EstimateOptions,
)
from recognizer.lm.estimation.pipeline import (
    LocalCounter,
    TextCounter,
    estimate_records,
    write_model,
)
from recognizer.lm.estimation.steps import file_errors
from recognizer.lm.estimation.work import open_work
from recognizer.lm.model.model_files import WriteOptions, check_output
from recognizer.lm.ngram.model import SPECIAL_WORDS, NgramModel
from recognizer.lm.resources import Resources
from recognizer.lm.text.classes import with_classes
from recognizer.lm.text.text_files import (
    STANDARD_INPUT,
    read_blocks,
    read_sentences,
    text_name,
)
from recognizer.lm.text.vocabulary import choose

__all__ = [
    "DISCOUNT_FALLBACK",
    "MAX_ORDER",
    "CountingCluster",
    "Discounts",
    "Estimate",
    "EstimateOptions",
    "FileOptions",
    "Resources",
    "Summary",
    "estimate_ngrams",
    "estimate_ngrams_of_files",
]

_LINES_PER_BLOCK = 1 << 14
_WORK_FORMAT = 2
"""Of the files that interrupted work leaves; that of other formats is not resumed."""


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
    """How `estimate_ngrams_of_files` works.

    Attributes:
        write: how the model is written.
        resources: memory, threads, where temporary files go, and who is told of progress.
        resume: go on where an interrupted estimate of the same model stopped.
        cluster: the machines that count; None: this one.
    """

    write: WriteOptions = field(default_factory=WriteOptions)
    resources: Resources = field(default_factory=Resources)
    resume: bool = False
    cluster: CountingCluster | None = None


def estimate_ngrams(
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
        counter = LocalCounter(texts, None, resources)
        records, discounts = estimate_records(
            work, counter, lambda words, counts: vocabulary, options, resources
        )
        with open_source(records.directory) as source:
            return Estimate(model_of(source, np.float32), discounts)


def estimate_ngrams_of_files(
    texts: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    options: EstimateOptions | None = None,
    *,
    vocabulary: Sequence[str] | None = None,
    min_count: int | None = None,
    class_of: Mapping[str, str] | None = None,
    files: FileOptions | None = None,
) -> Summary:
    """Estimate a model as `estimate_ngrams` does, from files to a file, in bounded memory.

    Temporary files lie in a directory `.NAME.estimate` beside the output, or in the directory that
    `files.resources` names.
    They go at the end and after an error; if the process is interrupted they stay, for
    `files.resume` or until the next estimate with this output.

    Args:
        texts: files (.gz, .xz and .zst are decompressed), or `-` for standard input.
        output: the model, written whole or not at all: .arpa, .arpa.gz or .ngram.
        options: see `EstimateOptions`.
        vocabulary: see `estimate_ngrams`.
        min_count: instead, the words that occur at least so often, the most frequent first.
        class_of: the classes (`<city>`) that words are replaced by; see
            `recognizer.lm.text.classes.with_classes`.
        files: see `FileOptions`.

    Raises:
        SpeechError: as `estimate_ngrams`; also for files that cannot be read or written.
        UsageError: options that do not go together, or nothing to resume.
    """
    class_of = class_of or {}
    options, files = options or EstimateOptions(), files or FileOptions()
    check_output(output)
    _check_vocabulary(vocabulary)
    if vocabulary is not None and min_count is not None:
        raise UsageError("expected either a vocabulary or a least count, found both")
    if sum(text == STANDARD_INPUT for text in texts) > 1:
        raise UsageError("standard input can be read once")
    if class_of and files.cluster is not None:
        raise UsageError("classes: expected none on a cluster, which counts the texts as they are")

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
        "format": _WORK_FORMAT,
        "text": described,
        "order": options.order,
        "cut-offs": [options.cutoff(order) for order in range(1, options.order + 1)],
        "discount fallback": options.discount_fallback and list(options.discount_fallback),
        "smoothing": "kneser-ney" if options.continuation_counts else "absolute",
        "least count": min_count,
        "parts for a cluster": files.cluster and files.cluster.parts,
        "vocabulary": vocabulary and hashlib.sha256("\n".join(vocabulary).encode()).hexdigest(),
        "classes": class_of and hashlib.sha256(repr(sorted(class_of.items())).encode()).hexdigest(),
    }
    parent = files.resources.temporary or Path(output).parent
    path = parent / f".{Path(output).name}.estimate"
    with (
        file_errors(),
        ExitStack() as stack,
        open_work(path, description, resume=files.resume) as work,
    ):
        counter: TextCounter
        if files.cluster is None:
            blocks = [(text_name(text), _read_blocks(text, class_of)) for text in texts]
            counter = LocalCounter(blocks, total, files.resources)
        else:
            counter = stack.enter_context(on_cluster(texts, files.cluster, files.resources))
        records, discounts = estimate_records(work, counter, words_of, options, files.resources)
        resources = replace(files.resources, temporary=work.path)
        write_model(records, output, files.write, resources)
    return Summary(tuple(records.counts), discounts)


def _check_vocabulary(vocabulary: Sequence[str] | None) -> None:
    if vocabulary is None:
        return
    if not set(SPECIAL_WORDS).isdisjoint(vocabulary):
        raise UsageError(f"vocabulary: expected no {', '.join(SPECIAL_WORDS)} in it")
    if len(set(vocabulary)) != len(vocabulary):
        raise UsageError("vocabulary: expected distinct words")


def _read_blocks(text: str | os.PathLike[str], class_of: Mapping[str, str]) -> Iterator[bytes]:
    if not class_of:
        return read_blocks(text)
    return _encoded(with_classes(read_sentences(text), class_of, text_name(text)))


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
