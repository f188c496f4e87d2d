"""Options of recurrent layers without memory cells: simple with clipped ReLU, and gated (GRU).

Amodei et al. 2015, "Deep Speech 2: End-to-end speech recognition in English and Mandarin", sections
3.1 (layers, both directions), 3.2 (batch normalisation) and 3.4 (GRU).

Names of the tensors, with D inputs, U units, and G gates (1 of a simple layer; 3 of a GRU, in the
order update z, reset r, candidate):

===========================================  ============  ========================================
``w_x``, ``bias``                            ``[G U, D]``  of what comes from below, for both
                                             ``[G U]``     directions
``w_r``                                      ``[G U, U]``  of the outputs at the frame before
``w_r_reverse``                              ``[G U, U]``  of the outputs at the frame after, in a
                                                           layer of both directions
``norm.mean``, ``.variance``, ``.scale``     ``[G U]``     batch normalisation of w_x x
===========================================  ============  ========================================
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Literal

from recognizer.am.nnet.layer import LayerOptions, Shapes, norm_shapes


@dataclass(frozen=True, kw_only=True)
class RecurrentOptions(LayerOptions):
    """What both kinds have in common.

    Attributes:
        units: U, outputs.
        bidirectional: whether the layer also runs from the last frame back, with recurrent weights
            of its own; outputs are the sum of both directions. Such a network takes whole
            utterances.
        clip: simple units and ReLU candidates are min(max(y, 0), clip) (the paper: 20).
        batch_norm: whether w_x x is normalised over all frames of the utterances of a chunk, with a
            scale and an offset for each row. What comes from other frames is not.
        dropout: factor of the training's dropout behind this layer.
    """

    units: int
    bidirectional: bool = False
    clip: float = 20.0
    batch_norm: bool = True
    dropout: float = field(default=1.0, compare=False)

    def __post_init__(self) -> None:
        self._check_integer("units", 1)
        self._check_above_0("clip")
        self._check_least_0("dropout")
        for name in ("bidirectional", "batch_norm"):
            self._check_flag(name)

    @property
    @abstractmethod
    def gates(self) -> int:
        """G."""

    @property
    def stride(self) -> int:
        """Every frame has an output."""
        return 1

    @property
    def right_context(self) -> int:
        """None: frames to come are seen by other layers, or by the other direction."""
        return 0

    @property
    def whole_utterances(self) -> bool:
        """In both directions, every output depends on every frame."""
        return self.bidirectional

    def output_width(self, inputs: int) -> int:
        """The units; both directions are added up."""
        return self.units

    def shapes(self, inputs: int) -> Shapes:
        """See the head of this module."""
        rows = self.gates * self.units
        shapes: Shapes = {"w_x": (rows, inputs), "w_r": (rows, self.units), "bias": (rows,)}
        if self.bidirectional:
            shapes["w_r_reverse"] = (rows, self.units)
        return shapes | (norm_shapes(rows) if self.batch_norm else {})


@dataclass(frozen=True, kw_only=True)
class RnnOptions(RecurrentOptions):
    """h(t) = min(max(B(w_x x(t)) + bias + w_r h(t-1), 0), clip), B being batch normalisation."""

    kind: Literal["rnn"] = "rnn"

    @property
    def gates(self) -> int:
        """One sum for each unit."""
        return 1


@dataclass(frozen=True, kw_only=True)
class GruOptions(RecurrentOptions):
    """A gated recurrent unit (Cho et al. 2014) as section 3.4 of the paper writes it.

    With (a, b, c) = B(w_x x(t)) + bias and (A, R, C) = w_r h(t-1)::

        z = sigmoid(a + A)
        r = sigmoid(b + R)
        h(t) = (1 - z) h(t-1) + z f(c + r C)

    Attributes:
        activation: f, "tanh" or "relu" (clipped).
    """

    kind: Literal["gru"] = "gru"
    activation: Literal["tanh", "relu"] = "tanh"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.activation not in ("tanh", "relu"):
            self._refuse("activation", "tanh or relu", self.activation)

    @property
    def gates(self) -> int:
        """Update, reset, candidate."""
        return 3
