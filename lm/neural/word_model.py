"""Scores of a neural language model for many histories at once, in numpy: no torch is needed.

The numbers are those of `recognizer.lm.neural.word_network` up to rounding, which depends on how
many histories are scored together. Natural logs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.lm.neural.word_file import WordNetworkFile, read_word_network
from recognizer.lm.neural.word_options import END_ID, UNKNOWN_ID, WordNetworkOptions

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.integer[Any]]

States = tuple[FloatArray, ...]
"""States of B histories: arrays whose first dimension is B."""


class NeuralLanguageModel:
    """A recurrent language model over words; any number of threads may use one.

    Args:
        model: as `recognizer.lm.neural.word_file.read_word_network` returns it.

    Attributes:
        options: its shape.
        words: by number; see `recognizer.lm.neural.word_options`.
    """

    def __init__(self, model: WordNetworkFile) -> None:
        self.options = model.options
        self.words = model.words
        self._ids = {word: number for number, word in enumerate(model.words)}
        self._tensors = model.tensors
        self._clusters = model.options.clusters(len(model.words))
        self._shortlist = model.options.shortlist(len(model.words))
        core = {
            name.removeprefix("core."): array
            for name, array in model.tensors.items()
            if name.startswith("core.")
        }
        lstm = model.options.core == "lstm"
        self._core = _Lstm(model.options, core) if lstm else _Ntm(model.options, core)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> NeuralLanguageModel:
        """Read a model's file.

        Raises:
            SpeechError: missing, damaged or of another kind.
        """
        return cls(read_word_network(path))

    def __contains__(self, word: object) -> bool:
        """Whether the word is in the vocabulary (`</s>` and `<unk>` are no words)."""
        return self._ids.get(word, 0) > UNKNOWN_ID if isinstance(word, str) else False

    def word_ids(self, words: Iterable[str]) -> npt.NDArray[np.int64]:
        """Numbers of the words, `UNKNOWN_ID` for those outside the vocabulary."""
        return np.array([self._id(word) for word in words], np.int64)

    def _id(self, word: str) -> int:
        number = self._ids.get(word, UNKNOWN_ID)
        return UNKNOWN_ID if number == END_ID else number

    def blank(self, histories: int) -> States:
        """States of histories before anything was read; a sentence begins with reading `END_ID`."""
        return self._core.blank(histories)

    def advance(self, states: States, words: IntArray) -> tuple[FloatArray, States]:
        """Read a word after each history.

        Args:
            states: of B histories; they are not changed.
            words: their next words ``[B]``.

        Returns:
            The core's outputs ``[B, W]``, of which `log_probs` makes probabilities, and the states.
        """
        return self._core.step(self._vectors(words), states)

    def log_probs(self, outputs: FloatArray, rows: IntArray, words: IntArray) -> FloatArray:
        """Log p(word | history) of pairs, float32 ``[N]``.

        Args:
            outputs: of `advance`, ``[B, W]``.
            rows: of each pair, which of the outputs is its history's, ``[N]``.
            words: of each pair, the word, ``[N]``; `END_ID` is the sentence's end.
        """
        tensors = self._tensors
        head = outputs @ tensors["softmax.head.weight"].T + tensors["softmax.head.bias"]
        head -= _log_sum_exp(head)[:, None]
        found: FloatArray = head[rows, np.minimum(words, self._shortlist - 1)]
        for number, cluster in enumerate(self._clusters):
            pairs = np.flatnonzero(
                (words >= cluster.first) & (words < cluster.first + cluster.size)
            )
            if not len(pairs):
                continue
            used, of_pair = np.unique(rows[pairs], return_inverse=True)
            inner = outputs[used] @ tensors[f"softmax.tails.{number}.0.weight"].T
            logits = inner @ tensors[f"softmax.tails.{number}.1.weight"].T
            logits -= _log_sum_exp(logits)[:, None]
            of_cluster = head[rows[pairs], self._shortlist + number]
            found[pairs] = of_cluster + logits[of_pair, words[pairs] - cluster.first]
        return found

    def score_sentences(
        self, sentences: Sequence[Sequence[str]], *, carry: bool = False
    ) -> list[FloatArray]:
        """Log probabilities of the words of each sentence and of its end.

        Args:
            sentences: words of each.
            carry: whether a sentence continues the one before it, as in a recording; else each
                begins anew.
        """
        ids = [self.word_ids(words) for words in sentences]
        found: list[FloatArray] = [np.empty(0, np.float32)] * len(ids)
        if carry:
            states = self.blank(1)
            for number, words in enumerate(ids):
                scores, states = self._score([words], states)
                found[number] = scores[0]
            return found
        order = sorted(range(len(ids)), key=lambda number: len(ids[number]))
        for begin in range(0, len(order), _BATCH):
            batch = order[begin : begin + _BATCH]
            scores, _ = self._score([ids[number] for number in batch], self.blank(len(batch)))
            for number, one in zip(batch, scores, strict=True):
                found[number] = one
        return found

    def _score(
        self, sentences: Sequence[npt.NDArray[np.int64]], states: States
    ) -> tuple[list[FloatArray], States]:
        """Scores of sentences side by side, sorted by length; and the states after the longest."""
        lengths = np.array([len(words) + 1 for words in sentences])
        table = np.zeros((len(sentences), lengths.max() + 1), np.int64)  # of END_ID
        for row, words in enumerate(sentences):
            table[row, 1 : len(words) + 1] = words
        scores = np.zeros((len(sentences), lengths.max()), np.float32)
        for step in range(lengths.max()):
            first = int(np.searchsorted(lengths, step, side="right"))
            alive = tuple(array[first - len(lengths) :] for array in states)
            outputs, states = self.advance(alive, table[first:, step])
            lengths_left = len(table) - first
            scores[first:, step] = self.log_probs(
                outputs, np.arange(lengths_left), table[first:, step + 1]
            )
        return [scores[row, :length] for row, length in enumerate(lengths)], states

    def _vectors(self, words: IntArray) -> FloatArray:
        """What the core reads, ``[B, W]``."""
        tensors, options = self._tensors, self.options
        if not options.tied:
            untied: FloatArray = tensors["embedding.weight"][words]
            return untied
        head = tensors["softmax.head.weight"][np.minimum(words, self._shortlist - 1)]
        vectors: FloatArray = head.copy()
        for number, cluster in enumerate(self._clusters):
            rows = np.flatnonzero((words >= cluster.first) & (words < cluster.first + cluster.size))
            inner = tensors[f"softmax.tails.{number}.1.weight"][words[rows] - cluster.first]
            vectors[rows] = inner @ tensors[f"softmax.tails.{number}.0.weight"]
        vectors *= np.float32(options.width**0.5)
        return vectors


_BATCH = 64
"""Sentences that are scored side by side."""


class _Lstm:
    """Layers of LSTM cells with a recurrent projection."""

    def __init__(self, options: WordNetworkOptions, tensors: Mapping[str, FloatArray]) -> None:
        self._width, self._units = options.width, options.units
        self._layers = [
            (
                tensors[f"weight_ih_l{layer}"].T,
                tensors[f"weight_hh_l{layer}"].T,
                tensors[f"bias_ih_l{layer}"] + tensors[f"bias_hh_l{layer}"],
                tensors[f"weight_hr_l{layer}"].T if options.units != options.width else None,
            )
            for layer in range(options.layers)
        ]

    def blank(self, histories: int) -> States:
        """Zeros: of each layer its outputs ``[B, W]`` and its cells ``[B, U]``."""
        sizes = (self._width, self._units) * len(self._layers)
        return tuple(np.zeros((histories, size), np.float32) for size in sizes)

    def step(self, below: FloatArray, states: States) -> tuple[FloatArray, States]:
        """Outputs ``[B, W]``, and the states after the step."""
        after: list[FloatArray] = []
        for layer, (from_below, recurrent, bias, projection) in enumerate(self._layers):
            gates = below @ from_below
            gates += states[2 * layer] @ recurrent
            gates += bias
            enter, keep, candidate, leave = np.split(gates, 4, axis=1)
            cells = _logistic(keep) * states[2 * layer + 1] + _logistic(enter) * np.tanh(candidate)
            below = _logistic(leave) * np.tanh(cells)
            if projection is not None:
                below = below @ projection
            after += [below, cells]
        return below, tuple(after)


class _Ntm:
    """`recognizer.lm.neural.ntm.NeuralTuringMachine` with an LSTM as its controller."""

    def __init__(self, options: WordNetworkOptions, tensors: Mapping[str, FloatArray]) -> None:
        # An installation for recognition alone may lack it, and LSTMs do not need it.
        from recognizer.lm import _neural

        self._memory_step = _neural.memory_step
        self._options = options.ntm
        self._tensors = tensors

    def blank(self, histories: int) -> States:
        """Memory, weighting, what was read, hidden ``[B, L, U]`` and cell states."""
        tensors = self._tensors
        weighting = tensors["initial_weighting"]
        weighting = np.exp(weighting - _log_sum_exp(weighting)[:, None])
        first = (
            tensors["initial_memory"],
            weighting,
            tensors["initial_read"],
            tensors["initial_hidden"],
            tensors["initial_cells"],
        )
        return tuple(np.repeat(array[None], histories, axis=0) for array in first)

    def step(self, below: FloatArray, states: States) -> tuple[FloatArray, States]:
        """Outputs ``[B, W]``, and the states after the step."""
        options, tensors = self._options, self._tensors
        memory, weighting, read, hidden, cells = states
        batch = len(below)
        below = below @ tensors["from_input.weight"].T + tensors["from_input.bias"]
        below += read.reshape(batch, -1) @ tensors["from_read.weight"].T
        hidden, cells = np.empty_like(hidden), np.empty_like(cells)
        for layer in range(options.layers):
            if layer:
                below = hidden[:, layer - 1] @ tensors[f"deeper.{layer - 1}.weight"].T
                below += tensors[f"deeper.{layer - 1}.bias"]
            gates = below + states[3][:, layer] @ tensors[f"recurrent.{layer}.weight"].T
            enter, keep, leave, candidate = np.split(gates, 4, axis=1)
            cells[:, layer] = _logistic(keep) * states[4][:, layer]
            cells[:, layer] += _logistic(enter) * np.tanh(candidate)
            hidden[:, layer] = _logistic(leave) * np.tanh(cells[:, layer])
        emitted = hidden[:, -1] @ tensors["to_heads.weight"].T + tensors["to_heads.bias"]
        after = (np.empty_like(memory), np.empty_like(weighting), np.empty_like(read))
        heads = options.read_heads + options.write_heads
        tape = np.empty((batch, options.slots * (1 + 4 * heads)), np.float32)
        self._memory_step(
            emitted, np.ascontiguousarray(memory), np.ascontiguousarray(weighting),
            options.read_heads, options.write_heads, options.shift_range, *after, tape,
        )  # fmt: skip
        seen = np.concatenate([hidden[:, -1], after[2].reshape(batch, -1)], axis=1)
        outputs = seen @ tensors["to_output.weight"].T + tensors["to_output.bias"]
        return outputs, (*after, hidden, cells)


def _logistic(values: FloatArray) -> FloatArray:
    # By the hyperbolic tangent, which does not overflow.
    result: FloatArray = np.tanh(0.5 * values)
    result += 1
    result *= 0.5
    return result


def _log_sum_exp(values: FloatArray) -> FloatArray:
    """Of each row."""
    best = values.max(axis=1)
    found: FloatArray = best + np.log(np.exp(values - best[:, None]).sum(axis=1))
    return found
