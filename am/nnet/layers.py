"""Options of the layers that a layered network is made of.

Frames of a layer are those of its input: with a stride of 3 below it, one of them stands for 3
frames of features. Layers are causal as they are computed: a window ends with the newest frame, so
that a right context becomes a delay, and before an utterance stand zeros.

Names of a layer's tensors, with D inputs, U units, B = bottleneck, C cells and P = projection (C
without one):

=====================================  ===========  ==============================================
``weight``                             ``[U, window * D]``  TDNN; the window's frames oldest first
``bias``                               ``[U]``      of a layer with an activation
``linear``                             ``[B, (left + 1) * D]``  first factor of a factorised layer,
                                                    whose ``weight`` is ``[U, (right + 1) * B]``
``offset``                             ``[U]``      added behind the activation; what batch
                                                    normalisation leaves, whose scale is in
                                                    ``weight`` and ``bias``
``w_x``, ``w_r``, ``bias``, ...                     LSTMP, see `recognizer.am.nnet.options`
=====================================  ===========  ==============================================

Those of the layers of Deep Speech 2 are in `recognizer.am.nnet.convolution` and
`recognizer.am.nnet.recurrent`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from recognizer.am.nnet.convolution import ConvolutionOptions, LookaheadOptions
from recognizer.am.nnet.layer import LayerOptions, Shapes
from recognizer.am.nnet.recurrent import GruOptions, RnnOptions


@dataclass(frozen=True, kw_only=True)
class TdnnOptions(LayerOptions):
    """A fully connected layer over a window of frames (time-delay neural network), or two factors.

    Peddinti, Povey and Khudanpur 2015, "A time delay neural network architecture for efficient
    modeling of long temporal contexts"; factorised: Povey et al. 2018, "Semi-orthogonal low-rank
    matrix factorization for deep neural networks". With ``left = right = 1`` and a bottleneck it is
    Kaldi's tdnnf-layer with ``time-stride = dilation``.

    Attributes:
        units: U, outputs.
        left: frames of the window before the one in its middle.
        right: frames after it.
        dilation: frames from one of the window to the next.
        stride: an output for every so many frames.
        bottleneck: B, outputs of the first of two factors, which sees the left part of the window
            and is kept semi-orthogonal in training; the second sees the first one's outputs at the
            right part. 0 for a layer of one matrix. A stride is the first factor's.
        bypass: the input at the window's middle is added to the output with this scale; 0 does
            not. Kaldi's recipes take 0.66.
        activation: "relu", or "none" for a linear layer, which has no bias and is kept
            semi-orthogonal in training (Kaldi's linear-component).
        dropout: factor of the training's dropout behind this layer. Linear layers have none.
        batch_norm: whether outputs are normalised to mean 0 and variance 1 over the frames of a
            chunk in training (Ioffe and Szegedy 2015; without scale and offset, as in Kaldi).
    """

    kind: Literal["tdnn"] = "tdnn"
    units: int
    left: int = 0
    right: int = 0
    dilation: int = 1
    stride: int = 1
    bottleneck: int = 0
    bypass: float = 0.0
    activation: Literal["relu", "none"] = "relu"
    batch_norm: bool = True
    dropout: float = field(default=1.0, compare=False)

    def __post_init__(self) -> None:
        for name, least in (
            ("units", 1), ("left", 0), ("right", 0), ("dilation", 1), ("stride", 1),
            ("bottleneck", 0),
        ):  # fmt: skip
            self._check_integer(name, least)
        for name in ("bypass", "dropout"):
            self._check_least_0(name)
        if self.activation not in ("relu", "none"):
            self._refuse("activation", "relu or none", self.activation)
        self._check_flag("batch_norm")
        if self.bypass and self.stride != 1:
            self._refuse("bypass", "0 in a layer with a stride", self.bypass)
        if self.bottleneck and self.right and self.dilation % self.stride:
            expected = f"a multiple of the stride {self.stride} in factors with a right context"
            self._refuse("dilation", expected, self.dilation)

    @property
    def right_context(self) -> int:
        """Frames after the one in the middle of the window."""
        return self.right * self.dilation

    @property
    def window(self) -> int:
        """Frames that one matrix sees at once."""
        return self.left + 1 + self.right

    def output_width(self, inputs: int) -> int:
        """The units."""
        if self.bypass and inputs != self.units:
            self._refuse("bypass", f"0 in a layer of {inputs} inputs and {self.units} units",
                         self.bypass)  # fmt: skip
        return self.units

    def shapes(self, inputs: int) -> Shapes:
        """One or two matrices."""
        shapes: Shapes = {}
        if self.bottleneck:
            shapes["linear"] = (self.bottleneck, (self.left + 1) * inputs)
            shapes["weight"] = (self.units, (self.right + 1) * self.bottleneck)
        else:
            shapes["weight"] = (self.units, self.window * inputs)
        if self.activation != "none":
            shapes["bias"] = (self.units,)
        if self.batch_norm:
            shapes["offset"] = (self.units,)
        return shapes


@dataclass(frozen=True, kw_only=True)
class LstmpOptions(LayerOptions):
    """An LSTM layer with linear recurrent projection (Sak, Senior and Beaufays 2014).

    Attributes:
        cells: C, memory cells.
        projection: P, width of the projection, which are the outputs; 0 for none.
        peepholes: whether gates see the cells (diagonal connections).
        cell_clip: cell states are clipped to [-cell_clip, cell_clip].
        dropout: factor of the training's dropout behind this layer.
    """

    kind: Literal["lstmp"] = "lstmp"
    cells: int
    projection: int = 0
    peepholes: bool = True
    cell_clip: float = 50.0
    dropout: float = field(default=1.0, compare=False)

    def __post_init__(self) -> None:
        self._check_integer("cells", 1)
        self._check_integer("projection", 0)
        self._check_flag("peepholes")
        if isinstance(self.cell_clip, bool) or not self.cell_clip > 0:
            self._refuse("cell_clip", "a number > 0", self.cell_clip)
        self._check_least_0("dropout")

    @property
    def stride(self) -> int:
        """Every frame has an output."""
        return 1

    @property
    def right_context(self) -> int:
        """None: frames to come are seen by the network's delay alone."""
        return 0

    def output_width(self, inputs: int) -> int:
        """The projection, or the cells."""
        return self.projection or self.cells

    def shapes(self, inputs: int) -> Shapes:
        """Input, recurrent and projection weights."""
        cells, width = self.cells, self.output_width(inputs)
        shapes: Shapes = {
            "w_x": (4 * cells, inputs),
            "w_r": (4 * cells, width),
            "bias": (4 * cells,),
        }
        if self.peepholes:
            shapes |= {f"peep_{gate}": (cells,) for gate in ("i", "f", "o")}
        if self.projection:
            shapes["w_p"] = (width, cells)
        return shapes


@dataclass(frozen=True, kw_only=True)
class PoolingOptions(LayerOptions):
    """Appends to each frame the mean and deviation of all that the utterance has had so far.

    What they tell is the speaker and the channel, estimated while the utterance comes: statistics
    pooling as in Snyder et al. 2018, "X-vectors: robust DNN embeddings for speaker recognition"
    (Kaldi's stats-layer), over an exponentially decaying window instead of a whole segment. With
    a = 1 - 1 / W, for each input x at the layer's frame t = 0, 1, ...::

        n_t = sum_{k=0..t} a^(t-k)
        m_t = sum_{k=0..t} a^(t-k) x_k / (P + n_t)
        s_t = sqrt(max((P + sum_{k=0..t} a^(t-k) x_k^2) / (P + n_t) - m_t^2, 1e-4))

    P frames of mean 0 and variance 1, such as outputs of batch normalisation have on average, stand
    before the utterance and do not decay.

    Attributes:
        window: W, frames.
        prior: P, frames.
    """

    kind: Literal["pooling"] = "pooling"
    window: int = 200
    prior: int = 10

    def __post_init__(self) -> None:
        self._check_integer("window", 1)
        self._check_integer("prior", 1)

    @property
    def stride(self) -> int:
        """Every frame has an output."""
        return 1

    @property
    def right_context(self) -> int:
        """None."""
        return 0

    def output_width(self, inputs: int) -> int:
        """The inputs, their means and their deviations."""
        return 3 * inputs

    def shapes(self, inputs: int) -> Shapes:
        """Nothing is trained."""
        return {}


AnyLayer = (
    TdnnOptions
    | LstmpOptions
    | PoolingOptions
    | ConvolutionOptions
    | RnnOptions
    | GruOptions
    | LookaheadOptions
)
"""A layer of any kind; a table says by ``kind`` which it is."""
