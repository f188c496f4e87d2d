"""The native steps of estimating an n-gram model, each from files to files in bounded memory.

    text -> word ids -> counts of the highest order (sorted runs) -> adjusted counts of all orders
         -> back-off weights -> probabilities: records of n-grams

Words and n-grams can be counted in parts, on several machines; the parts' runs together give what
one machine gives, to the last bit. The number of threads and the memory change nothing either.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from recognizer.data.errors import SpeechError, UsageError
from recognizer.lm import _estimate
from recognizer.lm.arpa.source import RECORDS_SUMMARY, RECORDS_VOCABULARY
from recognizer.lm.estimation.options import Discounts, EstimateOptions, determine_discounts
from recognizer.lm.ngram.model import BEGIN, SPECIAL_WORDS

MIN_MEMORY = 1 << 20

Progress = Callable[[str, int, "int | None"], None]
"""Called with a stage, the amount done since the last call, and the stage's total if known."""

_Result = TypeVar("_Result")

_TOKENS = "tokens"
_WORDS = "words.txt"
_COUNTS = "counts"
_NO_MODEL_ID = 0xFFFFFFFF


def available_threads() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def no_progress(stage: str, done: int, total: int | None) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Resources:
    """What estimation may use.

    Attributes:
        memory: bytes for buffers, at least 2**20; the vocabulary comes on top.
        threads: that work at once.
        progress: told of stages.
    """

    memory: int = 4 << 30
    threads: int = field(default_factory=available_threads)
    progress: Progress = no_progress

    def __post_init__(self) -> None:
        """Check the values."""
        if self.memory < MIN_MEMORY:
            raise UsageError(f"memory: expected at least {MIN_MEMORY} bytes, found {self.memory}")
        if self.threads < 1:
            raise UsageError(f"threads: expected at least 1, found {self.threads}")

    def run(
        self,
        stage: str,
        total: int,
        directory: Path,
        work: Callable[[_estimate.Resources], _Result],
    ) -> _Result:
        """Do native work in another thread, so that this one can show progress and be stopped."""
        native = _estimate.Progress()
        resources = _estimate.Resources(os.fspath(directory), self.memory, self.threads, native)
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(work, resources)
            told = 0
            try:
                while wait([future], timeout=0.1).not_done:
                    done = native.done
                    self.progress(stage, done - told, total)
                    told = done
            except BaseException:
                native.cancel()
                raise
        try:
            result = future.result()
        except OverflowError as error:
            raise SpeechError(f"{stage}: {error}") from None
        self.progress(stage, total - told, total)
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
) -> list[str]:
    """Count the n-grams of the highest order into sorted runs in a directory.

    Args:
        text: the text, or a part of it.
        order: words in an n-gram.
        directory: where to.
        resources: what may be used.
        num_words: of all parts together.
        ids: of the part's words among them (see `join_words`); None: they are the same.

    Returns:
        The names of the runs.
    """
    given = np.zeros(0, dtype=np.uint32) if ids is None else ids
    runs = resources.run(
        f"counting {order}-grams",
        text.num_tokens,
        directory,
        lambda native: _estimate.count_ngrams(
            os.fspath(text.token_path), given, num_words, order, "ngrams", native
        ),
    )
    return [Path(run).name for run in runs]


def merge_counts(
    runs: Sequence[Path], order: int, path: Path, resources: Resources, *, num_words: int
) -> None:
    """Merge sorted runs of n-gram counts into one, which is written to `path`."""
    names = [os.fspath(run) for run in runs]
    resources.run(
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
    runs: Sequence[Path],
    words: ModelWords,
    options: EstimateOptions,
    directory: Path,
    resources: Resources,
) -> dict[str, Any]:
    """From counts of the highest order to adjusted counts of all orders, in a directory.

    Args:
        runs: sorted runs of all parts of the text.
        words: of the text, and of the model.
        options: of the estimate.
        directory: where to.
        resources: what may be used.

    Returns:
        What `smooth` wants to know, for JSON.
    """
    cutoffs = [options.cutoff(order) for order in range(1, options.order + 1)]
    names = [os.fspath(run) for run in runs]
    total = int(words.counts.sum())
    adjusted_runs, unigrams, counts_of_counts, distinct = resources.run(
        "adjusting counts",
        total,
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
    unigrams.tofile(directory / _COUNTS)
    return {
        "runs": _names(adjusted_runs),
        "counts_of_counts": counts_of_counts,
        "distinct": distinct,
    }


def discounts_of(adjusted: dict[str, Any], options: EstimateOptions) -> list[Discounts]:
    """The discounts of each order.

    Raises:
        SpeechError: the text does not determine them, and there is no fallback.
    """
    return [
        determine_discounts(order, counts, options.discount_fallback)
        for order, counts in enumerate(adjusted["counts_of_counts"], start=1)
    ]


def compute_backoffs(
    adjusted: dict[str, Any],
    adjusted_directory: Path,
    words: ModelWords,
    discounts: Sequence[Discounts],
    directory: Path,
    resources: Resources,
) -> dict[str, Any]:
    """The back-off weights of all histories, in a directory.

    Returns:
        What `write_records` wants to know, for JSON.
    """
    runs = _paths(adjusted["runs"], adjusted_directory)
    weights, backoff_runs = resources.run(
        "back-off weights",
        sum(adjusted["distinct"][1:]),
        directory,
        lambda native: _estimate.compute_backoffs(
            len(words.words), [(0.0, *of_order) for of_order in discounts], runs, native
        ),
    )
    weights.tofile(directory / _COUNTS)
    return {"runs": _names(backoff_runs)}


def write_records(
    adjusted: dict[str, Any],
    adjusted_directory: Path,
    backoffs: dict[str, Any],
    backoff_directory: Path,
    words: ModelWords,
    discounts: Sequence[Discounts],
    directory: Path,
    resources: Resources,
) -> dict[str, Any]:
    """Write the model as n-gram records (see `recognizer.lm.arpa.source`).

    Returns:
        `counts` of n-grams by order.
    """
    unigrams = np.fromfile(adjusted_directory / _COUNTS, dtype=np.uint64)
    unigram_backoffs = np.fromfile(backoff_directory / _COUNTS, dtype=np.float32)
    counts = resources.run(
        "probabilities",
        sum(adjusted["distinct"][1:]),
        directory,
        lambda native: _estimate.write_probabilities(
            [(0.0, *of_order) for of_order in discounts],
            _paths(adjusted["runs"], adjusted_directory),
            unigram_backoffs,
            _paths(backoffs["runs"], backoff_directory),
            words.model_ids,
            unigram_probs(unigrams, words, discounts[0]),
            os.fspath(directory),
            native,
        ),
    )
    text = "".join(f"{word}\n" for word in words.vocabulary)
    (directory / RECORDS_VOCABULARY).write_bytes(text.encode())
    summary = {"order": len(counts), "counts": counts, "sorted": None}
    (directory / RECORDS_SUMMARY).write_text(json.dumps(summary), encoding="utf-8")
    return {"counts": counts}


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


def _paths(runs: Sequence[Sequence[str]], directory: Path) -> list[list[str]]:
    return [[os.fspath(directory / run) for run in of_order] for of_order in runs]
