"""The native steps of estimating an n-gram model, each from files to files in bounded memory.

`recognizer.lm.estimation.pipeline` puts them together.

Words and n-grams can be counted in parts, on several machines; the parts' runs together give what
one machine gives, to the last bit. The number of threads and the memory change nothing either.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from recognizer.data.errors import SpeechError
from recognizer.lm import _estimate
from recognizer.lm.arpa.source import RECORDS_SUMMARY, RECORDS_VOCABULARY
from recognizer.lm.estimation.options import Discounts, EstimateOptions, determine_discounts
from recognizer.lm.estimation.work import StepOutput
from recognizer.lm.ngram.model import BEGIN, SPECIAL_WORDS
from recognizer.lm.resources import Resources

_Result = TypeVar("_Result")

_TOKENS = "tokens"
_WORDS = "words.txt"
_COUNTS = "counts"
_UNIGRAMS = "unigrams"
_NO_MODEL_ID = 0xFFFFFFFF


@dataclass(frozen=True)
class TextWords(StepOutput):
    """The words of text, counted.

    Files: `words.txt`, the words by id, one a line; `counts`, uint64 by id; and what the counter of
    the text needs to count n-grams: `tokens` (see `TokenisedText`), or what a cluster needs.
    """

    def load(self) -> tuple[list[str], NDArray[np.uint64]]:
        """The words by id, and how often each occurs."""
        return read_words(self.directory)


@dataclass(frozen=True)
class NgramCounts(StepOutput):
    """The n-grams of the highest order, counted.

    Attributes:
        runs: names of files of sorted n-grams (`lm/csrc/files/ngram_key.h`), some of which may be
            in several runs, whose counts add up.
    """

    runs: Sequence[str]

    @property
    def paths(self) -> list[Path]:
        """The files."""
        return [self.directory / run for run in self.runs]


@dataclass(frozen=True)
class AdjustedCounts(StepOutput):
    """The n-grams of all orders with the counts that their estimates are made from.

    Files: `unigrams`, uint64 counts by word id; the runs.

    Attributes:
        runs: names of files of sorted n-grams, by order from 2.
        counts_of_counts: by order, `[5]`: how many n-grams have the count 1, 2, 3 and 4; [0] is
            unused.
        distinct: n-grams by order, also those that the model will not have.
    """

    runs: Sequence[Sequence[str]]
    counts_of_counts: Sequence[Sequence[int]]
    distinct: Sequence[int]

    @property
    def unigrams(self) -> NDArray[np.uint64]:
        """The counts of words by id."""
        return np.fromfile(self.directory / _UNIGRAMS, dtype=np.uint64)


@dataclass(frozen=True)
class BackoffWeights(StepOutput):
    """The back-off weights of all histories.

    Files: `unigrams`, float32 by word id, not logarithms; the runs.

    Attributes:
        runs: names of files of sorted n-grams, by order from 2 to the highest but one.
    """

    runs: Sequence[Sequence[str]]

    @property
    def unigrams(self) -> NDArray[np.float32]:
        """The weights of words by id."""
        return np.fromfile(self.directory / _UNIGRAMS, dtype=np.float32)


@dataclass(frozen=True)
class NgramRecords(StepOutput):
    """The model: a directory of n-gram records (see `recognizer.lm.arpa.source`).

    Attributes:
        counts: n-grams by order.
    """

    counts: Sequence[int]


def run_native(
    resources: Resources,
    stage: str,
    total: int,
    directory: Path,
    work: Callable[[_estimate.Resources], _Result],
) -> _Result:
    """Do native work in another thread, so that this one can show progress and be stopped.

    Args:
        resources: what may be used.
        stage: what the work is, for those who are told of progress.
        total: when it is done, its native `Progress` says so much.
        directory: for files.
        work: gets what may be used, as native code takes it.

    Raises:
        SpeechError: numbers are too large for the files' formats.
    """
    native = _estimate.Progress()
    given = _estimate.Resources(os.fspath(directory), resources.memory, resources.threads, native)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work, given)
        told = 0
        try:
            while wait([future], timeout=0.1).not_done:
                done = native.done
                resources.progress(stage, done - told, total)
                told = done
        except BaseException:
            native.cancel()
            raise
    try:
        result = future.result()
    except OverflowError as error:
        raise SpeechError(f"{stage}: {error}") from None
    resources.progress(stage, total - told, total)
    return result


@dataclass(frozen=True, eq=False)
class TokenisedText:
    """Text as word ids in a file, and its words.

    Attributes:
        token_path: uint32 ids, each sentence followed by that of `</s>`.
        words: by id: `<unk>`, `<s>`, `</s>`, then in the order of their first occurrence.
        counts: uint64 `[words]`, how often each occurs; of `</s>` the number of sentences.
        num_tokens: ids in the file.
    """

    token_path: Path
    words: list[str]
    counts: NDArray[np.uint64]
    num_tokens: int


def tokenise(
    texts: Iterable[tuple[str, Iterable[bytes]]],
    directory: Path,
    on_read: Callable[[int], None] = lambda count: None,
) -> None:
    """Write text as word ids; `open_tokens` gives what is in the directory.

    Args:
        texts: name (for messages) and content, in pieces of any size, of each. UTF-8, one sentence
            a line, words separated by ASCII white space; a byte order mark at the start is skipped.
        directory: where to.
        on_read: called with the number of bytes of each piece.

    Raises:
        SpeechError: a text is not UTF-8, or holds a NUL, `<s>`, `</s>` or `<unk>` (names text and
            line), or there is no line at all.
    """
    tokenizer = _estimate.Tokenizer(os.fspath(directory / _TOKENS))
    names = []
    try:
        for name, pieces in texts:
            names.append(name)
            tokenizer.begin(name)
            for piece in pieces:
                tokenizer.feed(piece)
                on_read(len(piece))
            tokenizer.end()
    except (ValueError, OverflowError) as error:
        raise SpeechError(str(error)) from None
    tokenizer.close()
    if not tokenizer.num_sentences:
        raise SpeechError(f"{', '.join(names)}: expected sentences, found none")
    tokenizer.write_words(os.fspath(directory / _WORDS))
    tokenizer.counts().tofile(directory / _COUNTS)


def write_words(directory: Path, words: Sequence[str], counts: NDArray[np.uint64]) -> None:
    """Leave words and their counts in a directory, as `tokenise` does."""
    (directory / _WORDS).write_bytes("".join(f"{word}\n" for word in words).encode())
    counts.tofile(directory / _COUNTS)


def read_words(directory: Path) -> tuple[list[str], NDArray[np.uint64]]:
    """The words and counts in a directory."""
    words = (directory / _WORDS).read_bytes().decode().split("\n")[:-1]
    return words, np.fromfile(directory / _COUNTS, dtype=np.uint64)


def open_tokens(directory: Path) -> TokenisedText:
    """What `tokenise` left in a directory."""
    words, counts = read_words(directory)
    path = directory / _TOKENS
    return TokenisedText(path, words, counts, path.stat().st_size // 4)


def join_words(
    parts: Sequence[tuple[Sequence[str], NDArray[np.uint64]]],
) -> tuple[list[str], NDArray[np.uint64], list[NDArray[np.uint32]]]:
    """Words and counts of several texts as if they were one.

    Args:
        parts: words and counts of each, as in `TokenisedText`, in the order of the texts.

    Returns:
        Words and counts of all, and the ids of each part's words among them.
    """
    ids: dict[str, int] = {}
    maps = [
        np.array([ids.setdefault(word, len(ids)) for word in words], dtype=np.uint32)
        for words, _ in parts
    ]
    counts = np.zeros(len(ids), dtype=np.uint64)
    for part_ids, (_, part_counts) in zip(maps, parts, strict=True):
        counts[part_ids] += part_counts
    return list(ids), counts, maps


def count_ngrams(
    text: TokenisedText,
    order: int,
    directory: Path,
    resources: Resources,
    *,
    num_words: int,
    ids: NDArray[np.uint32] | None = None,
) -> NgramCounts:
    """Count the n-grams of the highest order into sorted runs in a directory.

    Args:
        text: the text, or a part of it.
        order: words in an n-gram.
        directory: where to.
        resources: what may be used.
        num_words: of all parts together.
        ids: of the part's words among them (see `join_words`); None: they are the same.
    """
    given = np.zeros(0, dtype=np.uint32) if ids is None else ids
    runs = run_native(
        resources,
        f"counting {order}-grams",
        text.num_tokens,
        directory,
        lambda native: _estimate.count_ngrams(
            os.fspath(text.token_path), given, num_words, order, "ngrams", native
        ),
    )
    return NgramCounts(directory, [Path(run).name for run in runs])


def merge_counts(
    runs: Sequence[Path], order: int, path: Path, resources: Resources, *, num_words: int
) -> None:
    """Merge sorted runs of n-gram counts into one, which is written to `path`."""
    names = [os.fspath(run) for run in runs]
    run_native(
        resources,
        "merging",
        0,
        path.parent,
        lambda native: _estimate.merge_counts(names, num_words, order, os.fspath(path), native),
    )


@dataclass(frozen=True, eq=False)
class ModelWords:
    """Which of a text's words a model has.

    Attributes:
        words: of the text by id, then those that the model has beside them.
        counts: uint64 `[words]`.
        model_ids: uint32 `[words]`, id in the model; 2**32 - 1 of words that it does not have.
        vocabulary: the model's words by id; `<unk>`, `<s>`, `</s>` first.
    """

    words: list[str]
    counts: NDArray[np.uint64]
    model_ids: NDArray[np.uint32]
    vocabulary: list[str]

    @classmethod
    def choose(
        cls,
        words: Sequence[str],
        counts: NDArray[np.uint64],
        vocabulary: Sequence[str] | None,
        cutoff: int = 0,
    ) -> ModelWords:
        """Words that are wanted and occur more often than the cut-off.

        Args:
            words: of the text, by id.
            counts: of the text.
            vocabulary: the words that the model shall have, in its order; None: all of the text.
            cutoff: words that occur at most so often are left out; 0: none is.
        """
        known = {word: index for index, word in enumerate(words)}
        first = len(SPECIAL_WORDS)
        wanted = words[first:] if vocabulary is None else vocabulary
        added = [word for word in wanted if word not in known]
        known.update((word, len(words) + index) for index, word in enumerate(added))
        counts = np.concatenate((counts, np.zeros(len(added), dtype=np.uint64)))
        kept = [word for word in wanted if not cutoff or counts[known[word]] > cutoff]
        model = [*SPECIAL_WORDS, *kept]
        model_ids = np.full(len(counts), _NO_MODEL_ID, dtype=np.uint32)
        model_ids[[known[word] for word in model]] = np.arange(len(model), dtype=np.uint32)
        return cls([*words, *added], counts, model_ids, model)

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Which words the model has: bool `[words]`."""
        kept: NDArray[np.bool_] = self.model_ids != _NO_MODEL_ID
        return kept


def adjust_counts(
    counts: NgramCounts,
    words: ModelWords,
    options: EstimateOptions,
    directory: Path,
    resources: Resources,
) -> AdjustedCounts:
    """From counts of the highest order to adjusted counts of all orders, in a directory."""
    names = [os.fspath(path) for path in counts.paths]
    cutoffs = [options.cutoff(order) for order in range(1, options.order + 1)]
    runs, unigrams, counts_of_counts, distinct = run_native(
        resources,
        "adjusting counts",
        int(words.counts.sum()),
        directory,
        lambda native: _estimate.adjust_counts(
            names,
            options.order,
            options.continuation_counts,
            cutoffs,
            words.kept.astype(np.uint8),
            native,
        ),
    )
    unigrams.tofile(directory / _UNIGRAMS)
    return AdjustedCounts(directory, _names(runs), counts_of_counts, distinct)


def discounts_of(adjusted: AdjustedCounts, options: EstimateOptions) -> tuple[Discounts, ...]:
    """The discounts of each order.

    Raises:
        SpeechError: the text does not determine them, and there is no fallback.
    """
    return tuple(
        determine_discounts(order, counts, options.discount_fallback)
        for order, counts in enumerate(adjusted.counts_of_counts, start=1)
    )


def compute_backoffs(
    adjusted: AdjustedCounts,
    words: ModelWords,
    discounts: Sequence[Discounts],
    directory: Path,
    resources: Resources,
) -> BackoffWeights:
    """The back-off weights of all histories, in a directory."""
    weights, runs = run_native(
        resources,
        "back-off weights",
        sum(adjusted.distinct[1:]),
        directory,
        lambda native: _estimate.compute_backoffs(
            len(words.words), _from_zero(discounts), _paths(adjusted), native
        ),
    )
    weights.tofile(directory / _UNIGRAMS)
    return BackoffWeights(directory, _names(runs))


def write_records(
    adjusted: AdjustedCounts,
    backoffs: BackoffWeights,
    words: ModelWords,
    discounts: Sequence[Discounts],
    directory: Path,
    resources: Resources,
) -> NgramRecords:
    """The probabilities of all n-grams that the model has, with their back-off weights."""
    counts = run_native(
        resources,
        "probabilities",
        sum(adjusted.distinct[1:]),
        directory,
        lambda native: _estimate.write_probabilities(
            _from_zero(discounts),
            _paths(adjusted),
            backoffs.unigrams,
            _paths(backoffs),
            words.model_ids,
            unigram_probs(adjusted.unigrams, words, discounts[0]),
            os.fspath(directory),
            native,
        ),
    )
    text = "".join(f"{word}\n" for word in words.vocabulary)
    (directory / RECORDS_VOCABULARY).write_bytes(text.encode())
    summary = {"order": len(counts), "counts": counts, "sorted": None}
    (directory / RECORDS_SUMMARY).write_text(json.dumps(summary), encoding="utf-8")
    return NgramRecords(directory, counts)


def unigram_probs(
    counts: NDArray[np.uint64], words: ModelWords, discounts: Discounts
) -> NDArray[np.float64]:
    """Unigrams interpolated with the uniform distribution over all the model's words but `<s>`."""
    kept = words.kept
    taken = np.array([0.0, *discounts])[np.minimum(counts, 3).astype(np.int64)]
    total = float(counts.sum())
    gamma = float(np.where(kept, taken, counts).sum()) / total
    probs: NDArray[np.float64] = (counts - taken) / total + gamma / (int(kept.sum()) - 1)
    probs[words.words.index(BEGIN)] = 1.0  # a convention: nothing predicts it
    return probs


@contextmanager
def file_errors() -> Iterator[None]:
    """Errors of files, such as a full disk, as SpeechError: one line that names the file."""
    try:
        yield
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise SpeechError(f"{place}{error.strerror or error}") from error


def _names(runs: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[Path(run).name for run in of_order] for of_order in runs]


def _paths(output: AdjustedCounts | BackoffWeights) -> list[list[str]]:
    return [[os.fspath(output.directory / run) for run in of_order] for of_order in output.runs]


def _from_zero(discounts: Sequence[Discounts]) -> list[tuple[float, ...]]:
    """Discounts of counts from 0 on."""
    return [(0.0, *of_order) for of_order in discounts]
