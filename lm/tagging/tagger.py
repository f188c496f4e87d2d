"""Tags for recognised words, in numpy: no torch is needed.

The numbers are those of `recognizer.lm.tagging.network` up to rounding.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from recognizer.data.text.tags import CASES, MARKS, TaggedWord
from recognizer.lm.tagging.options import DIRECTIONS
from recognizer.lm.tagging.tagger_file import TaggerFile, read_tagger
from recognizer.lm.tagging.vocabulary import IntArray

FloatArray = npt.NDArray[np.float32]

WINDOW = 128
"""Words that are read at once; of longer texts, windows that overlap by `CONTEXT` twice."""

CONTEXT = 32
"""Words at a window's borders whose tags come from the window before or after it."""


class Tagger:
    """Says of each word which mark follows it and how its letters are written.

    Any number of threads may use one.

    Args:
        model: as `recognizer.lm.tagging.tagger_file.read_tagger` returns it.

    Attributes:
        options: its shape.
        vocabulary: its words and endings.
        record: how it was trained.
    """

    def __init__(self, model: TaggerFile) -> None:
        self.options = model.options
        self.vocabulary = model.vocabulary
        self.record = model.record
        tensors = model.tensors
        self._words, self._endings = tensors["words.weight"], tensors["endings.weight"]
        self._layers = [
            tuple(
                _Gru(
                    tensors[f"gru.weight_ih_l{layer}{direction}"].T,
                    tensors[f"gru.weight_hh_l{layer}{direction}"].T,
                    tensors[f"gru.bias_ih_l{layer}{direction}"],
                    tensors[f"gru.bias_hh_l{layer}{direction}"],
                )
                for direction in DIRECTIONS
            )
            for layer in range(model.options.layers)
        ]
        self._output, self._bias = tensors["output.weight"].T, tensors["output.bias"]

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Tagger:
        """Read a tagger's file.

        Raises:
            SpeechError: missing, damaged or of another kind.
        """
        return cls(read_tagger(path))

    def tag(self, words: Sequence[str]) -> list[TaggedWord]:
        """The words of one text, in their normal form, with their tags."""
        if not words:
            return []
        word_ids, ending_ids = self.vocabulary.numbers(words)
        starts = _starts(len(words))
        size = min(WINDOW, len(words))
        rows = np.array(starts)[:, None] + np.arange(size)
        scores = self.scores(word_ids[rows], ending_ids[rows])
        found = np.empty((len(words), scores.shape[2]), np.float32)
        for window, start in enumerate(starts):
            first = CONTEXT if start else 0
            found[start + first : start + size] = scores[window, first:]
        marks = found[:, : len(MARKS)].argmax(axis=1)
        cases = found[:, len(MARKS) :].argmax(axis=1)
        return [
            TaggedWord(word, MARKS[mark], CASES[case])
            for word, mark, case in zip(words, marks, cases, strict=True)
        ]

    def scores(self, word_ids: IntArray, ending_ids: IntArray) -> FloatArray:
        """Logits of marks, then of cases ``[B, T, M + C]``, of texts ``[B, T]`` of equal length."""
        outputs = self._words[word_ids] + self._endings[ending_ids]
        for forward, backward in self._layers:
            after = backward.run(outputs[:, ::-1])[:, ::-1]
            outputs = np.concatenate([forward.run(outputs), after], axis=2)
        found: FloatArray = outputs @ self._output + self._bias
        return found


class _Gru:
    """One direction of a layer."""

    def __init__(
        self, below: FloatArray, recurrent: FloatArray, bias: FloatArray, inner_bias: FloatArray
    ) -> None:
        self._below, self._recurrent = np.ascontiguousarray(below), np.ascontiguousarray(recurrent)
        self._bias, self._inner_bias = bias, inner_bias

    def run(self, inputs: FloatArray) -> FloatArray:
        """Outputs ``[B, T, U]`` of inputs ``[B, T, D]``."""
        units = len(self._recurrent)
        sums = inputs @ self._below + self._bias
        outputs = np.empty((*inputs.shape[:2], units), np.float32)
        hidden = np.zeros((len(inputs), units), np.float32)
        for step in range(inputs.shape[1]):
            inner = hidden @ self._recurrent + self._inner_bias
            gates = _logistic(sums[:, step, : 2 * units] + inner[:, : 2 * units])
            reset, update = gates[:, :units], gates[:, units:]
            candidate = np.tanh(sums[:, step, 2 * units :] + reset * inner[:, 2 * units :])
            hidden = candidate + update * (hidden - candidate)
            outputs[:, step] = hidden
        return outputs


def _starts(length: int) -> list[int]:
    """Where the windows of a text begin; the last one ends where the text does."""
    last = max(0, length - WINDOW)
    return [*range(0, last, WINDOW - 2 * CONTEXT), last]


def _logistic(values: FloatArray) -> FloatArray:
    # By the hyperbolic tangent, which does not overflow.
    result: FloatArray = 0.5 * np.tanh(0.5 * values) + 0.5
    return result
