"""The shape of a tagger, and the names of its tensors.

Each word is read as the sum of two vectors: one of the word, and one of its ending (its last three
letters), by which words outside the vocabulary are told apart. Layers of gated recurrent units
(GRU; Cho et al. 2014, with biases on both sides as in cuDNN and torch) in both directions follow,
and a linear layer with two softmaxes: one over the marks that may follow the word, one over the
cases of its letters (`recognizer.data.text.tags`).

With V words, E endings, width W, U units a direction and L layers:

=============================================  =======================  ===========================
``words.weight``                               ``[V, W]``               row 0: any other word
``endings.weight``                             ``[E, W]``               row 0: any other ending
``gru.weight_ih_l{l}``, ``..._reverse``        ``[3 U, W or 2 U]``      reset, update, candidate
``gru.weight_hh_l{l}``, ``..._reverse``        ``[3 U, U]``
``gru.bias_ih_l{l}``, ``gru.bias_hh_l{l}``,    ``[3 U]``
``..._reverse``
``output.weight``, ``output.bias``             ``[M + C, 2 U]``,        marks, then cases
                                               ``[M + C]``
=============================================  =======================  ===========================
"""

from __future__ import annotations

from dataclasses import dataclass

from recognizer.data.errors import UsageError
from recognizer.data.text.tags import CASES, MARKS

ENDING = 3
"""Letters of an ending."""

UNKNOWN_ID = 0
"""The number of words outside the vocabulary, and of endings that have no vector."""

OUTPUTS = len(MARKS) + len(CASES)
"""Marks, then cases."""

DIRECTIONS = ("", "_reverse")
"""What follows the names of the tensors of the two directions."""


@dataclass(frozen=True)
class TaggerOptions:
    """The shape of a tagger.

    Attributes:
        width: dimension of the words' vectors.
        units: of a layer, in each direction.
        layers: one upon the other.

    Raises:
        UsageError: a number below 1.
    """

    width: int = 64
    units: int = 96
    layers: int = 2

    def __post_init__(self) -> None:
        for name in ("width", "units", "layers"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise UsageError(f"{name}: expected a whole number above 0, found {value!r}")

    def shapes(self, words: int, endings: int) -> dict[str, tuple[int, ...]]:
        """The shapes of all tensors by name, see the head of this module."""
        rows = 3 * self.units
        shapes: dict[str, tuple[int, ...]] = {
            "words.weight": (words, self.width),
            "endings.weight": (endings, self.width),
        }
        for layer in range(self.layers):
            below = 2 * self.units if layer else self.width
            for direction in DIRECTIONS:
                shapes[f"gru.weight_ih_l{layer}{direction}"] = (rows, below)
                shapes[f"gru.weight_hh_l{layer}{direction}"] = (rows, self.units)
                shapes[f"gru.bias_ih_l{layer}{direction}"] = (rows,)
                shapes[f"gru.bias_hh_l{layer}{direction}"] = (rows,)
        shapes["output.weight"] = (OUTPUTS, 2 * self.units)
        shapes["output.bias"] = (OUTPUTS,)
        return shapes
