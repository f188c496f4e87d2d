"""A whole estimate on one page, as a pipeline of steps.

| step | function | reads | leaves (in the step's directory) |
|---|---|---|---|
| words | `TextCounter.read` | the text | `TextWords`: words and their counts, the text as ids |
| counts | `TextCounter.count` | `TextWords` | `NgramCounts`: n-grams of the highest order, sorted |
| adjusted | `adjust_counts` | `NgramCounts` | `AdjustedCounts`: n-grams of all orders |
| - | `discounts_of` | counts of counts in `AdjustedCounts` | `Discounts` of each order |
| backoffs | `compute_backoffs` | `AdjustedCounts` | `BackoffWeights` of all histories |
| records | `write_records` | `AdjustedCounts`, `BackoffWeights` | `NgramRecords`: the model |
| - | `write_model` | `NgramRecords` | the output, ARPA or binary |

Each step works in bounded memory, from files to files. What a completed step left is kept until no
later step needs it, so that an interrupted estimate goes on with the first step that is not done
(`recognizer.lm.estimation.work`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recognizer.lm.arpa.files import write_arpa
from recognizer.lm.arpa.source import open_source
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.estimation.options import Discounts, EstimateOptions
from recognizer.lm.estimation.steps import (
    AdjustedCounts,
    BackoffWeights,
    ModelWords,
    NgramCounts,
    NgramRecords,
    TextWords,
    adjust_counts,
    compute_backoffs,
    count_ngrams,
    discounts_of,
    open_tokens,
    tokenise,
    write_records,
)
from recognizer.lm.estimation.work import WorkDirectory
from recognizer.lm.model.model_files import BINARY_SUFFIX, WriteOptions
from recognizer.lm.resources import Resources

Vocabulary = Callable[[Sequence[str], NDArray[np.uint64]], "Sequence[str] | None"]
"""Chooses the model's words from the text's words and their counts; None: all of them."""


class TextCounter(Protocol):
    """Counts the words of text, then its n-grams: here, or on a cluster (`estimation.cluster`)."""

    def read(self, directory: Path) -> TextWords:
        """Read the text, and leave in a directory what `count` needs of it."""
        ...

    def count(self, text: TextWords, order: int, num_words: int, directory: Path) -> NgramCounts:
        """Count the n-grams of an order into sorted runs in a directory; see `count_ngrams`."""
        ...


class LocalCounter:
    """Counts in this process; a `TextCounter`."""

    def __init__(
        self,
        texts: Iterable[tuple[str, Iterable[bytes]]],
        size: int | None,
        resources: Resources,
    ) -> None:
        """Prepare to count.

        Args:
            texts: see `tokenise`.
            size: of all texts in bytes; None: nobody knows.
            resources: what may be used.
        """
        self._texts = texts
        self._size = size
        self._resources = resources

    def read(self, directory: Path) -> TextWords:
        """See `TextCounter`."""
        progress = self._resources.progress
        tokenise(self._texts, directory, lambda count: progress("reading", count, self._size))
        return TextWords(directory)

    def count(self, text: TextWords, order: int, num_words: int, directory: Path) -> NgramCounts:
        """See `TextCounter`."""
        tokens = open_tokens(text.directory)
        return count_ngrams(tokens, order, directory, self._resources, num_words=num_words)


def estimate_records(
    work: WorkDirectory,
    counter: TextCounter,
    vocabulary: Vocabulary,
    options: EstimateOptions,
    resources: Resources,
) -> tuple[NgramRecords, tuple[Discounts, ...]]:
    """From text to the n-grams of a model, and the discounts of each order.

    Args:
        work: where steps leave what they made.
        counter: of the text.
        vocabulary: chooses the model's words.
        options: of the estimate.
        resources: what may be used.

    Raises:
        SpeechError: the text is not what it should be, or does not determine the discounts.
    """
    text = work.step("words", TextWords, counter.read)
    all_words, word_counts = text.load()
    words = ModelWords.choose(
        all_words, word_counts, vocabulary(all_words, word_counts), options.cutoff(1)
    )
    counts = work.step(
        "counts",
        NgramCounts,
        lambda directory: counter.count(text, options.order, len(words.words), directory),
    )
    adjusted = work.step(
        "adjusted",
        AdjustedCounts,
        lambda directory: adjust_counts(counts, words, options, directory, resources),
    )
    work.remove(counts)
    discounts = discounts_of(adjusted, options)
    backoffs = work.step(
        "backoffs",
        BackoffWeights,
        lambda directory: compute_backoffs(adjusted, words, discounts, directory, resources),
    )
    records = work.step(
        "records",
        NgramRecords,
        lambda directory: write_records(adjusted, backoffs, words, discounts, directory, resources),
    )
    work.remove(adjusted)
    work.remove(backoffs)
    return records, discounts


def write_model(
    records: NgramRecords,
    output: str | os.PathLike[str],
    options: WriteOptions,
    resources: Resources,
) -> None:
    """Write the model whole or not at all, as ARPA or binary by the name's ending.

    Raises:
        SpeechError: the output cannot be written.
    """
    if os.fspath(output).endswith(BINARY_SUFFIX):
        NgramAutomaton.build(
            records.directory,
            output,
            layout=options.layout,
            bits=options.bits,
            resources=resources,
        )
    else:
        with open_source(records.directory) as source:
            write_arpa(source, output, decimals=options.decimals or 6, resources=resources)
