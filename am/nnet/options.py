"""Shapes of acoustic networks: DNN, LSTM, LSTMP and their bidirectional forms.

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
``output.weight``, ``output.bias``     ``[S, H]``, ``[S]``  softmax layer
=====================================  ==========  ==============================================
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Literal

from recognizer.data.errors import UsageError

_OWN_DELAY = -1

_ONLY_FOR = {
    "dnn": ("activation", "left_context", "right_context"),
    "lstm": ("peepholes", "bidirectional", "cell_clip"),
}


@dataclass(frozen=True)
class NetworkShape:
    """What can be chosen of a network before its outputs are known.

    Attributes:
        kind: "lstm" (with projection: LSTMP; Sak, Senior and Beaufays 2014) or "dnn"
            (feed-forward over a window of frames).
        layers: number of hidden layers.
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
            for an LSTM it is 5 (section 4.2 of the paper).
        cell_clip: cell states are clipped to [-cell_clip, cell_clip] (the paper: 50).
        subsampling: n, frames from one output to the next: there are outputs about the frames 0, n,
            2n, ... (Kaldi's --frame-subsampling-factor). Hidden layers run at every frame.
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

    kind: Literal["lstm", "dnn"] = "lstm"
    layers: int = 2
    cells: int = 512
    projection: int = 256
    peepholes: bool = True
    bidirectional: bool = False
    activation: Literal["relu", "sigmoid"] = "relu"
    left_context: int = 10
    right_context: int = 5
    output_delay: int = _OWN_DELAY
    cell_clip: float = 50.0
    subsampling: int = 1
    mean_window: int = 0
    mean_prior: int = 0

    def __post_init__(self) -> None:
        if self.kind not in _ONLY_FOR:
            _refuse("kind", f"one of {', '.join(_ONLY_FOR)}", self.kind)
        if self.activation not in ("relu", "sigmoid"):
            _refuse("activation", "relu or sigmoid", self.activation)
        for name, least in (
            ("layers", 1), ("cells", 1), ("projection", 0), ("left_context", 0),
            ("right_context", 0), ("subsampling", 1), ("mean_window", 0), ("mean_prior", 0),
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
        own = self.right_context if self.kind == "dnn" else 0 if self.bidirectional else None
        if self.output_delay == _OWN_DELAY:
            object.__setattr__(self, "output_delay", 5 if own is None else own)
        self._check_integer("output_delay", 0)
        if own is not None and self.output_delay != own:
            kind = "dnn" if self.kind == "dnn" else "bidirectional network"
            _refuse("output_delay", f"{own}, the delay of this {kind},", self.output_delay)

    def _check_integer(self, name: str, least: int) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            _refuse(name, f"an integer >= {least}", value)

    def _options_of_other_kinds(self) -> list[dataclasses.Field[Any]]:
        others = {name for kind, names in _ONLY_FOR.items() if kind != self.kind for name in names}
        return [option for option in dataclasses.fields(self) if option.name in others]

    def check_trainable(self) -> None:
        """Refuse what training cannot make: its networks have an output for every frame.

        Raises:
            UsageError: outputs are further apart than frames.
        """
        if self.subsampling != 1:
            _refuse("subsampling", "1 in training", self.subsampling)

    @property
    def recurrent_width(self) -> int:
        """Outputs of one LSTM layer in one direction."""
        return self.projection or self.cells

    @property
    def hidden_width(self) -> int:
        """H, inputs of the output layer."""
        return self.recurrent_width * (2 if self.bidirectional else 1)

    @property
    def window(self) -> int:
        """Frames that a DNN sees at once."""
        return self.left_context + 1 + self.right_context

    @property
    def streaming(self) -> bool:
        """Whether outputs can be had before the utterance has ended."""
        return not self.bidirectional


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

    @classmethod
    def of(cls, shape: NetworkShape, outputs: int, input_dim: int) -> NetworkOptions:
        """A shape with its two ends."""
        return cls(**dataclasses.asdict(shape), outputs=outputs, input_dim=input_dim)

    def to_table(self) -> dict[str, Any]:
        """The options that mean something for this network, by name: JSON-able."""
        table = dataclasses.asdict(self)
        for option in self._options_of_other_kinds():
            del table[option.name]
        if not self.mean_window:
            del table["mean_window"], table["mean_prior"]
        return table

    def layer_input(self, layer: int) -> int:
        """Input width of one hidden layer."""
        if self.kind == "dnn":
            return self.window * self.input_dim if layer == 0 else self.cells
        return self.input_dim if layer == 0 else self.hidden_width

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor, see the head of this module."""
        shapes: dict[str, tuple[int, ...]] = {
            "input.mean": (self.input_dim,),
            "input.inv_std": (self.input_dim,),
        }
        C, P = self.cells, self.projection
        if self.kind == "dnn":
            for layer in range(self.layers):
                shapes[f"layers.{layer}.weight"] = (C, self.layer_input(layer))
                shapes[f"layers.{layer}.bias"] = (C,)
            if P:
                shapes["projection.weight"] = (P, C)
        for direction in self._directions():
            for layer in range(self.layers):
                prefix = f"{direction}.{layer}."
                shapes[prefix + "w_x"] = (4 * C, self.layer_input(layer))
                shapes[prefix + "w_r"] = (4 * C, self.recurrent_width)
                shapes[prefix + "bias"] = (4 * C,)
                if self.peepholes:
                    for gate in ("i", "f", "o"):
                        shapes[f"{prefix}peep_{gate}"] = (C,)
                if P:
                    shapes[prefix + "w_p"] = (P, C)
        shapes["output.weight"] = (self.outputs, self.hidden_width)
        shapes["output.bias"] = (self.outputs,)
        return shapes

    def _directions(self) -> tuple[str, ...]:
        if self.kind == "dnn":
            return ()
        return ("layers", "reverse_layers") if self.bidirectional else ("layers",)

    def parameter_count(self, *, biases: bool = True) -> int:
        """Number of trained parameters; section 2 of the paper counts them without biases."""
        return sum(
            math.prod(shape)
            for name, shape in self.shapes().items()
            if not name.startswith("input.") and (biases or not name.endswith("bias"))
        )


def _refuse(name: str, expected: str, found: object) -> None:
    raise UsageError(f"network option {name}: expected {expected}, found {found!r}")
