"""Shapes of acoustic networks: DNN, LSTM, LSTMP, their bidirectional forms, and layered ones.

Names of a network's tensors, with C cells (or units), P = projection, D inputs of a layer, H the
width below the output layer, S outputs:

=====================================  ==========  ==============================================
``input.mean``, ``input.inv_std``      ``[D]``     a feature x enters as (x - mean) * inv_std, or
                                                   less a running mean, see `NetworkShape`
``layers.{l}.w_x``                     ``[4C, D]``  LSTM: gate rows in the order i, f, g, o
``layers.{l}.w_r``                     ``[4C, P]``  recurrent weights, same order (P = C without
                                                   projection)
``layers.{l}.bias``                    ``[4C]``    same order
``layers.{l}.peep_i`` ``_f`` ``_o``    ``[C]``     diagonal peephole weights, if any
``layers.{l}.w_p``                     ``[P, C]``  linear recurrent projection, if any
``reverse_layers.{l}.*``                           the same for the other direction, if any
``layers.{l}.weight``, ``.bias``       ``[C, D]``, ``[C]``  DNN; the window's frames oldest first
``projection.weight``                  ``[P, C]``  linear low-rank layer of a DNN, if any
``layers.{l}.*``                                   layered: see `recognizer.am.nnet.layers`
``output.weight``, ``output.bias``     ``[S, H]``, ``[S]``  softmax layer
=====================================  ==========  ==============================================
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from recognizer.am.nnet.layer import LayerOptions
from recognizer.am.nnet.layers import AnyLayer, LstmpOptions
from recognizer.data.errors import UsageError
from recognizer.data.io.options import to_table

_OWN = -1
"""Stands for the value that follows from the kind."""

_KINDS = ("dnn", "layered", "lstm")

_ONLY_FOR = {
    "activation": ("dnn",),
    "left_context": ("dnn",),
    "right_context": ("dnn",),
    "peepholes": ("lstm",),
    "bidirectional": ("lstm",),
    "cell_clip": ("lstm",),
    "cells": ("dnn", "lstm"),
    "projection": ("dnn", "lstm"),
}


@dataclass(frozen=True)
class NetworkShape:
    """What can be chosen of a network before its outputs are known.

    Attributes:
        kind: "lstm" (with projection: LSTMP; Sak, Senior and Beaufays 2014), "dnn" (feed-forward
            over a window of frames), or "layered" (layers of several kinds).
        layers: number of hidden layers; of a layered network the layers themselves, lowest first.
        cells: C, memory cells of each layer and direction; of a DNN the units of each layer.
        projection: P, width of the linear recurrent projection of each layer and direction, 0 for
            none; of a DNN the width of a linear low-rank layer below the outputs.
        peepholes: whether gates see the cells (diagonal connections).
        bidirectional: whether each layer also runs from the end; needs whole utterances.
        activation: of a DNN's layers.
        left_context: frames before the one in the middle of a DNN's window.
        right_context: frames after it.
        output_delay: output at frame t + output_delay is about frame t. -1 stands for the kind's
            own, which alone a DNN (its right context) and a bidirectional network (none) can have;
            for an LSTM it is 5 (section 4.2 of the paper). A layered network's is the least that
            its layers' right contexts need; it may be longer, so that LSTM layers see more frames
            to come, and is a multiple of n.
        cell_clip: cell states are clipped to [-cell_clip, cell_clip] (the paper: 50).
        subsampling: n, frames from one output to the next (Kaldi's --frame-subsampling-factor).
            -1 stands for the kind's own: of a layered network the product of its layers' strides,
            and no other; of other kinds 1. Theirs are the outputs about the frames 0, n, 2n, ...,
            and their hidden layers run at every frame. A layered network takes frames in groups of
            n; its output k is about group k, whose middle is frame n k + n // 2, and layers behind
            a stride run at the lower rate.
        mean_window: W, frames of the window over which the running mean of the features decays. 0,
            the default: features are normalised by the mean of the training features alone.
        mean_prior: P, frames that the mean of the training features counts for in the running mean
            before an utterance; 1 to W, and 0 without a running mean.

    With a running mean, frame t = 0, 1, ... of an utterance enters the network as
    (x_t - m_t) * inv_std, where m_t is the mean over an exponentially decaying window that ends
    with frame t, a = 1 - 1 / W::

        m_t = (P a^(t+1) mean + sum_{k=0..t} a^(t-k) x_k) / (P a^(t+1) + sum_{k=0..t} a^(t-k))

    The prior decays like a frame before the utterance: its share falls from P / (P + 1) to nothing,
    and the weights sum to W in the end. This is Kaldi's online cepstral mean normalisation
    (src/feat/online-feature.h, its cmn-window 600 and global-frames 200) with a decaying window in
    place of a rectangular one, which would have to remember all its frames. Variances are not
    normalised, as in Kaldi: inv_std is that of the training features less their running means.
    """

    kind: Literal["lstm", "dnn", "layered"] = "lstm"
    layers: int | tuple[AnyLayer, ...] = 2
    cells: int = 512
    projection: int = 256
    peepholes: bool = True
    bidirectional: bool = False
    activation: Literal["relu", "sigmoid"] = "relu"
    left_context: int = 10
    right_context: int = 5
    output_delay: int = _OWN
    cell_clip: float = 50.0
    subsampling: int = _OWN
    mean_window: int = 0
    mean_prior: int = 0

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            _refuse("kind", f"one of {', '.join(_KINDS)}", self.kind)
        if self.activation not in ("relu", "sigmoid"):
            _refuse("activation", "relu or sigmoid", self.activation)
        for name, least in (
            ("cells", 1), ("projection", 0), ("left_context", 0), ("right_context", 0),
            ("mean_window", 0), ("mean_prior", 0),
        ):  # fmt: skip
            self._check_integer(name, least)
        for name in ("peepholes", "bidirectional"):
            if not isinstance(getattr(self, name), bool):
                _refuse(name, "true or false", getattr(self, name))
        if isinstance(self.cell_clip, bool) or not self.cell_clip > 0:
            _refuse("cell_clip", "a number > 0", self.cell_clip)
        for option in self._options_of_other_kinds():
            if getattr(self, option.name) != option.default:
                _refuse(option.name, f"nothing in a network of kind {self.kind}",
                        getattr(self, option.name))  # fmt: skip
        if self.mean_window and not 1 <= self.mean_prior <= self.mean_window:
            _refuse("mean_prior", f"1 to mean_window ({self.mean_window})", self.mean_prior)
        if self.mean_prior and not self.mean_window:
            _refuse("mean_prior", "nothing without mean_window", self.mean_prior)
        if self.kind == "layered":
            self._settle_layers()
        else:
            self._check_integer("layers", 1)
            self._settle_delay()

    def _settle_layers(self) -> None:
        layers = self.layers
        if (
            not isinstance(layers, tuple)
            or not layers
            or not all(isinstance(layer, LayerOptions) for layer in layers)
        ):
            _refuse("layers", "a list of layers in a network of kind layered", layers)
        n = math.prod(layer.stride for layer in self.stack)
        if self.subsampling not in (_OWN, n):
            _refuse("subsampling", f"{n}, the product of the strides of its layers,",
                    self.subsampling)  # fmt: skip
        object.__setattr__(self, "subsampling", n)
        right, rate = 0, 1
        for layer in self.stack:
            right += rate * layer.right_context
            rate *= layer.stride
        # The last frame of a group is seen with it, and comes so many after its middle.
        least = -(-max(right - (n - 1) // 2, 0) // n) * n
        if self.output_delay == _OWN:
            object.__setattr__(self, "output_delay", least)
        self._check_integer("output_delay", 0)
        if self.output_delay < least or self.output_delay % n:
            _refuse("output_delay", f"a multiple of {n}, at least {least} for its layers' right "
                    f"contexts of {right} frames", self.output_delay)  # fmt: skip

    def _settle_delay(self) -> None:
        own = self.right_context if self.kind == "dnn" else 0 if self.bidirectional else None
        if self.output_delay == _OWN:
            object.__setattr__(self, "output_delay", 5 if own is None else own)
        self._check_integer("output_delay", 0)
        if own is not None and self.output_delay != own:
            kind = "dnn" if self.kind == "dnn" else "bidirectional network"
            _refuse("output_delay", f"{own}, the delay of this {kind},", self.output_delay)
        if self.subsampling == _OWN:
            object.__setattr__(self, "subsampling", 1)
        self._check_integer("subsampling", 1)

    def _check_integer(self, name: str, least: int) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            _refuse(name, f"an integer >= {least}", value)

    def _options_of_other_kinds(self) -> list[dataclasses.Field[Any]]:
        others = {name for name, kinds in _ONLY_FOR.items() if self.kind not in kinds}
        return [option for option in dataclasses.fields(self) if option.name in others]

    def check_trainable(self) -> None:
        """Refuse what training cannot make.

        Raises:
            UsageError: outputs are further apart than frames, and no layer's stride does that.
        """
        if self.subsampling != 1 and self.kind != "layered":
            _refuse("subsampling", f"1 in training of kind {self.kind}", self.subsampling)

    def check_native(self) -> None:
        """Refuse what native inference, and so recognition, cannot run.

        Raises:
            UsageError: a layered network has a layer of both directions.
        """
        for index, layer in enumerate(self.stack):
            if layer.whole_utterances:
                _refuse(f"layers[{index}]", "a layer of one direction, as native inference runs it",
                        f"{layer.kind} of both")  # fmt: skip

    @property
    def stack(self) -> tuple[AnyLayer, ...]:
        """Layers of a layered network, lowest first; empty in other kinds."""
        return self.layers if isinstance(self.layers, tuple) else ()

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.layers) if isinstance(self.layers, tuple) else self.layers

    @property
    def lstmp(self) -> LstmpOptions:
        """Each layer and direction of an LSTM network."""
        return LstmpOptions(
            cells=self.cells,
            projection=self.projection,
            peepholes=self.peepholes,
            cell_clip=self.cell_clip,
        )

    @property
    def frame_group(self) -> int:
        """Frames that the hidden layers take at once: n of a layered network, otherwise 1."""
        return self.subsampling if self.kind == "layered" else 1

    @property
    def window(self) -> int:
        """Frames that a DNN sees at once."""
        return self.left_context + 1 + self.right_context

    @property
    def streaming(self) -> bool:
        """Whether outputs can be had before the utterance has ended."""
        return not self.bidirectional and not any(layer.whole_utterances for layer in self.stack)


@dataclass(frozen=True)
class NetworkOptions(NetworkShape):
    """Shape of a whole network.

    Attributes:
        outputs: S, number of tied HMM states (pdf-ids).
        input_dim: D, features per frame.
    """

    outputs: int = field(kw_only=True)
    input_dim: int = field(default=40, kw_only=True)

    def __post_init__(self) -> None:
        self._check_integer("outputs", 1)
        self._check_integer("input_dim", 1)
        super().__post_init__()
        for layer in range(len(self.stack)):
            try:
                self.layer_input(layer + 1)
            except UsageError as error:
                raise UsageError(f"network option layers[{layer}]: {error}") from None

    @classmethod
    def of(cls, shape: NetworkShape, outputs: int, input_dim: int) -> NetworkOptions:
        """A shape with its two ends."""
        options = {field.name: getattr(shape, field.name) for field in fields(NetworkShape)}
        return cls(**options, outputs=outputs, input_dim=input_dim)

    def to_table(self) -> dict[str, Any]:
        """The options that mean something for this network, by name: JSON-able."""
        table = to_table(self)
        for option in self._options_of_other_kinds():
            del table[option.name]
        if not self.mean_window:
            del table["mean_window"], table["mean_prior"]
        return table

    @property
    def hidden_width(self) -> int:
        """H, inputs of the output layer."""
        if self.kind == "dnn":
            return self.projection or self.cells
        return self.layer_input(self.depth)

    def layer_input(self, layer: int) -> int:
        """Input width of one hidden layer."""
        if self.kind == "dnn":
            return self.window * self.input_dim if layer == 0 else self.cells
        if self.kind == "lstm":
            width = self.projection or self.cells
            return self.input_dim if layer == 0 else width * (2 if self.bidirectional else 1)
        width = self.input_dim
        for below in self.stack[:layer]:
            width = below.output_width(width)
        return width

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor, see the head of this module."""
        shapes: dict[str, tuple[int, ...]] = {
            "input.mean": (self.input_dim,),
            "input.inv_std": (self.input_dim,),
        }
        for prefix, layer, inputs in self._layers():
            shapes |= {f"{prefix}.{name}": shape for name, shape in layer.shapes(inputs).items()}
        if self.kind == "dnn":
            for index in range(self.depth):
                shapes[f"layers.{index}.weight"] = (self.cells, self.layer_input(index))
                shapes[f"layers.{index}.bias"] = (self.cells,)
            if self.projection:
                shapes["projection.weight"] = (self.projection, self.cells)
        shapes["output.weight"] = (self.outputs, self.hidden_width)
        shapes["output.bias"] = (self.outputs,)
        return shapes

    def _layers(self) -> list[tuple[str, LayerOptions, int]]:
        """Name, options and inputs of each layer of an LSTM or a layered network."""
        if self.kind == "dnn":
            return []
        stack = self.stack or (self.lstmp,) * self.depth
        directions = ("layers", "reverse_layers") if self.bidirectional else ("layers",)
        return [
            (f"{direction}.{index}", layer, self.layer_input(index))
            for direction in directions
            for index, layer in enumerate(stack)
        ]

    def parameter_count(self, *, biases: bool = True) -> int:
        """Number of trained parameters; section 2 of the paper counts them without biases."""
        return sum(
            math.prod(shape)
            for name, shape in self.shapes().items()
            if not name.startswith("input.")
            and not name.endswith((".offset", ".norm.mean", ".norm.variance"))
            and (biases or not name.endswith(("bias", ".norm.scale")))
        )


def _refuse(name: str, expected: str, found: object) -> None:
    raise UsageError(f"network option {name}: expected {expected}, found {found!r}")
