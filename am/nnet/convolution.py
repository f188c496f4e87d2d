"""Options of convolutions: over time, over time and frequency, and ahead over each output alone.

Amodei et al. 2015, "Deep Speech 2: End-to-end speech recognition in English and Mandarin", sections
3.5 (convolutions in time and frequency), 3.6 (strides) and 3.7 (row convolution).

Names of the tensors, with F filters, M maps and H bins of a filter, and D inputs:

===========================================  =======================  =============================
``weight``, ``bias``                         ``[F, window * H * M]``  convolution: frames oldest
                                             ``[F]``                  first, their bins, their maps
``norm.mean``, ``.variance``, ``.scale``     ``[F]``                  its batch normalisation
``weight``                                   ``[D, right + 1]``       lookahead
===========================================  =======================  =============================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from recognizer.am.nnet.layer import LayerOptions, Shapes, norm_shapes


@dataclass(frozen=True, kw_only=True)
class ConvolutionOptions(LayerOptions):
    """A convolution over time, or over time and frequency, with clipped ReLU.

    Inputs are bins with M values each, ``[bins, M]`` of a frame one after the other: features have
    one value (M = 1), and a convolution below has as many as it has filters. Outputs are
    ``[bins', F]`` of a frame. Output bin b is about input bin b times the frequency stride; beyond
    the lowest and the highest bin there are zeros.

    Attributes:
        filters: F.
        left: frames of the window before the one in its middle.
        right: frames after it.
        stride: an output for every so many frames.
        height: H, bins that a filter sees; 0 for all of them, which makes it a convolution over
            time alone.
        frequency_stride: input bins from one output bin to the next; 1 with a height of 0.
        maps: M, values of each bin of the input.
        clip: outputs are min(max(y, 0), clip) (the paper: 20).
        batch_norm: whether sums are normalised before the clipped ReLU, over all frames and bins of
            the utterances of a chunk, with a scale and an offset for each filter.
        dropout: factor of the training's dropout behind this layer.
    """

    kind: Literal["convolution"] = "convolution"
    filters: int
    left: int = 0
    right: int = 0
    stride: int = 1
    height: int = 0
    frequency_stride: int = 1
    maps: int = 1
    clip: float = 20.0
    batch_norm: bool = True
    dropout: float = field(default=1.0, compare=False)

    def __post_init__(self) -> None:
        for name, least in (
            ("filters", 1), ("left", 0), ("right", 0), ("stride", 1), ("height", 0),
            ("frequency_stride", 1), ("maps", 1),
        ):  # fmt: skip
            self._check_integer(name, least)
        self._check_above_0("clip")
        self._check_least_0("dropout")
        self._check_flag("batch_norm")
        if not self.height and self.frequency_stride != 1:
            self._refuse("frequency_stride", "1 where a filter sees all bins (height 0)",
                         self.frequency_stride)  # fmt: skip

    @property
    def right_context(self) -> int:
        """Frames after the one in the middle of the window."""
        return self.right

    @property
    def window(self) -> int:
        """Frames that a filter sees at once."""
        return self.left + 1 + self.right

    def input_bins(self, inputs: int) -> int:
        """Bins of a frame of so many inputs."""
        if inputs % self.maps:
            self._refuse("maps", f"a divisor of its {inputs} inputs", self.maps)
        return inputs // self.maps

    def bins_of_filter(self, inputs: int) -> int:
        """H of a frame of so many inputs."""
        return self.height or self.input_bins(inputs)

    def output_bins(self, inputs: int) -> int:
        """Outputs of each filter for a frame of so many inputs."""
        return -(-self.input_bins(inputs) // self.frequency_stride) if self.height else 1

    def padding(self, inputs: int) -> tuple[int, int]:
        """Bins of zeros below the lowest bin and above the highest."""
        if not self.height:
            return 0, 0
        low = (self.height - 1) // 2
        seen = (self.output_bins(inputs) - 1) * self.frequency_stride + self.height
        return low, max(seen - low - self.input_bins(inputs), 0)

    def output_width(self, inputs: int) -> int:
        """Every filter at every output bin."""
        return self.filters * self.output_bins(inputs)

    def shapes(self, inputs: int) -> Shapes:
        """One matrix; a row is a filter."""
        width = self.window * self.bins_of_filter(inputs) * self.maps
        norm = norm_shapes(self.filters) if self.batch_norm else {}
        return {"weight": (self.filters, width), "bias": (self.filters,), **norm}


@dataclass(frozen=True, kw_only=True)
class LookaheadOptions(LayerOptions):
    """Each output is a weighted sum of one input over the present frame and some to come.

    The paper's row convolution, r(t, d) = sum over j = 0 ... right of weight(d, j) x(t + j, d):
    what a recurrent network in one direction needs to see a little of what follows.

    Attributes:
        right: frames after the present one.
    """

    kind: Literal["lookahead"] = "lookahead"
    right: int

    def __post_init__(self) -> None:
        self._check_integer("right", 1)

    @property
    def stride(self) -> int:
        """Every frame has an output."""
        return 1

    @property
    def right_context(self) -> int:
        """Frames to come."""
        return self.right

    def output_width(self, inputs: int) -> int:
        """One for each input."""
        return inputs

    def shapes(self, inputs: int) -> Shapes:
        """A weight for each input and frame, the present frame first."""
        return {"weight": (inputs, self.right + 1)}
