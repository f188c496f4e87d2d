"""The five tasks of Graves, Wayne and Danihelka 2014, section 4: sequences drawn at random.

All sequences of a batch have the same length, so that a batch is two arrays without padding; the
lengths differ from batch to batch as the paper's do from sequence to sequence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import UsageError

FloatArray = npt.NDArray[np.float32]

NGRAM_CONTEXT = 5
"""Bits that decide on the next one's distribution."""


@dataclass(frozen=True)
class Episodes:
    """A batch of B sequences of T steps.

    Attributes:
        inputs: [T, B, inputs].
        targets: [T', B, outputs], each 0 or 1: what the logits of the last T' steps shall say.
    """

    inputs: FloatArray
    targets: FloatArray


class SequenceTask(Protocol):
    """A task that a network learns from input and output examples."""

    @property
    def inputs(self) -> int:
        """Dimension of an input vector."""

    @property
    def outputs(self) -> int:
        """Number of bits that are predicted in a step."""

    def draw(self, random: np.random.Generator, batch: int) -> Episodes:
        """A batch as in training."""

    def tests(self) -> dict[str, SequenceTask]:
        """Beyond training and within: the tasks to test on, by what a table calls them."""


def _bits(random: np.random.Generator, *shape: int) -> FloatArray:
    return random.integers(0, 2, shape).astype(np.float32)


@dataclass(frozen=True)
class CopyTask:
    """Section 4.1: vectors of random bits, a delimiter, then the same vectors as output.

    Attributes:
        shortest: number of vectors at least.
        longest: and at most.
        bits: of a vector.
    """

    shortest: int = 1
    longest: int = 20
    bits: int = 8

    @property
    def inputs(self) -> int:
        """The bits and the delimiter."""
        return self.bits + 1

    @property
    def outputs(self) -> int:
        """The bits."""
        return self.bits

    def draw(self, random: np.random.Generator, batch: int) -> Episodes:
        """A batch of one length, uniform between the shortest and the longest."""
        length = int(random.integers(self.shortest, self.longest, endpoint=True))
        vectors = _bits(random, length, batch, self.bits)
        inputs = np.zeros((2 * length + 1, batch, self.inputs), np.float32)
        inputs[:length, :, : self.bits] = vectors
        inputs[length, :, self.bits] = 1.0
        return Episodes(inputs, vectors)

    def tests(self) -> dict[str, SequenceTask]:
        """Lengths of figure 4, and two of training."""
        lengths = (10, 20, 30, 50, 120)
        return {f"{n} vectors": CopyTask(n, n, self.bits) for n in lengths}


@dataclass(frozen=True)
class RepeatCopyTask:
    """Section 4.2: vectors, then how often to output them one after the other; an end marker.

    The number of copies is an input in the same step as the delimiter, normalised to mean 0 and
    variance 1 over the numbers of training.

    Attributes:
        shortest: number of vectors at least.
        longest: and at most.
        fewest: number of copies at least.
        most: and at most.
        bits: of a vector.
    """

    shortest: int = 1
    longest: int = 10
    fewest: int = 1
    most: int = 10
    bits: int = 6

    @property
    def inputs(self) -> int:
        """The bits, the delimiter, and the number of copies."""
        return self.bits + 2

    @property
    def outputs(self) -> int:
        """The bits and the end marker."""
        return self.bits + 1

    def draw(self, random: np.random.Generator, batch: int) -> Episodes:
        """A batch of one length and one number of copies, both uniform."""
        length = int(random.integers(self.shortest, self.longest, endpoint=True))
        copies = int(random.integers(self.fewest, self.most, endpoint=True))
        vectors = _bits(random, length, batch, self.bits)
        steps = length * copies + 1
        inputs = np.zeros((length + 1 + steps, batch, self.inputs), np.float32)
        inputs[:length, :, : self.bits] = vectors
        inputs[length, :, self.bits] = 1.0
        inputs[length, :, self.bits + 1] = _normalised_copies(copies)
        targets = np.zeros((steps, batch, self.outputs), np.float32)
        targets[:-1, :, : self.bits] = np.tile(vectors, (copies, 1, 1))
        targets[-1, :, self.bits] = 1.0
        return Episodes(inputs, targets)

    def tests(self) -> dict[str, SequenceTask]:
        """The lengths and numbers of figure 8, and the largest of training."""
        pairs = ((10, 10), (20, 10), (10, 20))
        return {
            f"{length} vectors, {copies} copies": RepeatCopyTask(
                length, length, copies, copies, self.bits
            )
            for length, copies in pairs
        }


def _normalised_copies(copies: int) -> float:
    """A number of copies less the mean of 1 to 10, by their standard deviation."""
    numbers = np.arange(1, 11)
    return float((copies - numbers.mean()) / numbers.std())


@dataclass(frozen=True)
class AssociativeRecallTask:
    """Section 4.3: a list of items, then one of them; the output is the item that followed it.

    A delimiter is before each item; other delimiters are before and after the query.

    Attributes:
        fewest: number of items at least.
        most: and at most.
        vectors: of an item.
        bits: of a vector.
    """

    fewest: int = 2
    most: int = 6
    vectors: int = 3
    bits: int = 6

    @property
    def inputs(self) -> int:
        """The bits and two kinds of delimiters."""
        return self.bits + 2

    @property
    def outputs(self) -> int:
        """The bits."""
        return self.bits

    def draw(self, random: np.random.Generator, batch: int) -> Episodes:
        """A batch of one number of items, uniform; any item but the last is asked for."""
        count = int(random.integers(self.fewest, self.most, endpoint=True))
        items = _bits(random, count, self.vectors, batch, self.bits)
        asked = random.integers(0, count - 1, batch)
        every = np.arange(batch)
        length = self.vectors + 1
        inputs = np.zeros(((count + 1) * length + 1 + self.vectors, batch, self.inputs), np.float32)
        for item in range(count):
            inputs[item * length, :, self.bits] = 1.0
            inputs[item * length + 1 : (item + 1) * length, :, : self.bits] = items[item]
        query = count * length
        inputs[query, :, self.bits + 1] = 1.0
        inputs[query + 1 : query + length, :, : self.bits] = np.moveaxis(
            items[asked, :, every], 0, 1
        )
        inputs[query + length, :, self.bits + 1] = 1.0
        return Episodes(inputs, np.ascontiguousarray(np.moveaxis(items[asked + 1, :, every], 0, 1)))

    def tests(self) -> dict[str, SequenceTask]:
        """Numbers of items as in figure 11."""
        counts = (2, 4, 6, 8, 10, 12, 15)
        return {f"{n} items": AssociativeRecallTask(n, n, self.vectors, self.bits) for n in counts}


@dataclass(frozen=True)
class DynamicNgramsTask:
    """Section 4.4: bits of a 6-gram model that is drawn anew for each sequence.

    The probabilities of a 1 after each of the 32 contexts of five bits are drawn from
    Beta(1/2, 1/2); the first five bits are fair. Each later bit is predicted.

    Attributes:
        length: bits of a sequence.
    """

    length: int = 200

    def __post_init__(self) -> None:
        if self.length <= NGRAM_CONTEXT:
            raise UsageError(f"length: expected more than {NGRAM_CONTEXT}, found {self.length}")

    @property
    def inputs(self) -> int:
        """One bit."""
        return 1

    @property
    def outputs(self) -> int:
        """One bit."""
        return 1

    def draw(self, random: np.random.Generator, batch: int) -> Episodes:
        """A batch of sequences, each of a table of its own."""
        table = random.beta(0.5, 0.5, (batch, 2**NGRAM_CONTEXT))
        uniform = random.random((self.length, batch))
        bits = np.zeros((self.length, batch), np.int64)
        bits[:NGRAM_CONTEXT] = uniform[:NGRAM_CONTEXT] < 0.5
        for step in range(NGRAM_CONTEXT, self.length):
            context = ngram_contexts(bits[step - NGRAM_CONTEXT : step + 1])[0]
            bits[step] = uniform[step] < table[np.arange(batch), context]
        real = bits[:, :, np.newaxis].astype(np.float32)
        return Episodes(real[:-1], real[NGRAM_CONTEXT:])

    def tests(self) -> dict[str, SequenceTask]:
        """As in training."""
        return {f"{self.length} bits": self}


def ngram_contexts(bits: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The five bits before each bit but the first five, as numbers: [T, B] to [T - 5, B]."""
    count = len(bits) - NGRAM_CONTEXT
    contexts = np.zeros((count, *bits.shape[1:]), np.int64)
    for offset in range(NGRAM_CONTEXT):
        contexts = 2 * contexts + bits[offset : offset + count]
    return contexts


def bayes_estimates(bits: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Equation 10: the best estimate of each bit's probability of being 1, given those before.

    Args:
        bits: [T, B], each 0 or 1.

    Returns:
        (N1 + 1/2) / (N1 + N0 + 1) for each bit but the first five, [T - 5, B]: N1 and N0 count
        the ones and zeros that have followed the same five bits so far.
    """
    contexts = ngram_contexts(bits)
    batch = bits.shape[1]
    seen = np.zeros((batch, 2**NGRAM_CONTEXT, 2))
    estimates = np.empty(contexts.shape)
    every = np.arange(batch)
    for step, context in enumerate(contexts):
        zeros, ones = seen[every, context].T
        estimates[step] = (ones + 0.5) / (ones + zeros + 1.0)
        seen[every, context, bits[step + NGRAM_CONTEXT]] += 1
    return estimates


@dataclass(frozen=True)
class PrioritySortTask:
    """Section 4.5: vectors with priorities; those of the highest come out, highest first.

    Attributes:
        vectors: that are read.
        sorted: that come out.
        bits: of a vector.
    """

    vectors: int = 20
    sorted: int = 16
    bits: int = 8

    def __post_init__(self) -> None:
        if not 0 < self.sorted <= self.vectors:
            raise UsageError(f"sorted: expected 1 to {self.vectors}, found {self.sorted}")

    @property
    def inputs(self) -> int:
        """The bits, the priority and the delimiter."""
        return self.bits + 2

    @property
    def outputs(self) -> int:
        """The bits."""
        return self.bits

    def draw(self, random: np.random.Generator, batch: int) -> Episodes:
        """A batch; priorities are uniform from -1 to 1."""
        vectors = _bits(random, self.vectors, batch, self.bits)
        priorities = random.uniform(-1.0, 1.0, (self.vectors, batch))
        inputs = np.zeros((self.vectors + 1 + self.sorted, batch, self.inputs), np.float32)
        inputs[: self.vectors, :, : self.bits] = vectors
        inputs[: self.vectors, :, self.bits] = priorities
        inputs[self.vectors, :, self.bits + 1] = 1.0
        order = np.argsort(-priorities, axis=0)[: self.sorted]
        return Episodes(inputs, np.take_along_axis(vectors, order[:, :, np.newaxis], axis=0))

    def tests(self) -> dict[str, SequenceTask]:
        """As in training."""
        return {f"{self.sorted} of {self.vectors} vectors": self}


TASKS: dict[str, SequenceTask] = {
    "copy": CopyTask(),
    "associative-recall": AssociativeRecallTask(),
    "dynamic-ngrams": DynamicNgramsTask(),
    "repeat-copy": RepeatCopyTask(),
    "priority-sort": PrioritySortTask(),
}
"""By name, in the order in which the experiment trains networks on them."""


_TEST_SEED = 1_000_003
"""Of the sequences of tests, which no training has."""

_TEST_BATCH = 20


def batches_to_test(task: SequenceTask, sequences: int) -> Iterator[Episodes]:
    """The sequences that networks are tested on: the same for all of them, in small batches."""
    random = np.random.default_rng([_TEST_SEED])
    for begin in range(0, sequences, _TEST_BATCH):
        yield task.draw(random, min(_TEST_BATCH, sequences - begin))


def optimal_costs(task: DynamicNgramsTask, sequences: int) -> list[float]:
    """Bits of each sequence of the test by the Bayes-optimal estimator."""
    costs: list[float] = []
    for batch in batches_to_test(task, sequences):
        first = batch.inputs[:NGRAM_CONTEXT, :, 0]
        bits = np.concatenate([first, batch.targets[:, :, 0]]).astype(np.int64)
        estimates = bayes_estimates(bits)
        given = np.where(bits[NGRAM_CONTEXT:] == 1, estimates, 1.0 - estimates)
        costs += (-np.log2(given).sum(axis=0)).tolist()
    return costs
