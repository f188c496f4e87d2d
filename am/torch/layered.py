"""Networks of layers of choice in torch, of the kinds of `recognizer.am.nnet.layers`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from recognizer.am.nnet.convolution import ConvolutionOptions, LookaheadOptions
from recognizer.am.nnet.folding import EPSILON
from recognizer.am.nnet.layers import AnyLayer, PoolingOptions, TdnnOptions
from recognizer.am.nnet.recurrent import GruOptions, RnnOptions
from recognizer.am.torch.convolution import ConvolutionLayer, LookaheadLayer
from recognizer.am.torch.lstmp import LstmpLayer
from recognizer.am.torch.network_module import NetworkModule, State
from recognizer.am.torch.pooling import PoolingLayer
from recognizer.am.torch.recurrent import RecurrentLayer
from recognizer.am.torch.tdnn import TdnnLayer

AnyModule = (
    TdnnLayer | LstmpLayer | PoolingLayer | ConvolutionLayer | RecurrentLayer | LookaheadLayer
)

_OFFSET, _MEAN, _VARIANCE = ".offset", ".norm.mean", ".norm.variance"


class LayeredNetwork(NetworkModule):
    """See `recognizer.am.nnet.layers`. Its state is that of each layer in turn.

    Where a layer runs in both directions, chunks are whole utterances, and there is no state.

    In a file, the batch normalisation of TDNN layers is folded into the weights and one offset of
    each output. What is read from a file therefore begins with running statistics of variance 1,
    and of the mean that the offset says; in training, statistics of chunks take their place.
    """

    def add_hidden_layers(self) -> None:
        """The layers as the options list them."""
        options = self.options
        self.whole_utterances = not options.streaming
        self.layers = nn.ModuleList(
            _make_layer(layer, options.layer_input(index))
            for index, layer in enumerate(options.stack)
        )

    def initialise(self, generator: torch.Generator | None, forget_bias: float) -> None:
        """See the layers' own."""
        for layer in self._stack():
            if isinstance(layer, LstmpLayer):
                layer.initialise(forget_bias)
            elif not isinstance(layer, PoolingLayer):
                layer.initialise(generator)

    def initial_layer_state(self, streams: int) -> State:
        """Zeros; nothing of a network of whole utterances."""
        return [] if self.whole_utterances else self._layer_states(streams)

    def _layer_states(self, streams: int) -> State:
        return [
            tensor.to(self.device)
            for layer in self._stack()
            for tensor in layer.initial_state(streams, self.precision)
        ]

    def _stack(self) -> list[AnyModule]:
        return cast("list[AnyModule]", list(self.layers))

    def run_layers(
        self, x: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Outputs of the top layer ``[T / n, N, H]``.

        Raises:
            ValueError: T is not a multiple of the subsampling n.
        """
        frames, n = len(x), self.options.subsampling
        if frames % n:
            raise ValueError(f"features: expected a multiple of {n} frames, found {frames}")
        after: State = []
        left = iter(self._layer_states(x.shape[1]) if self.whole_utterances else state)
        kept = _Kept(frames, lengths, self.device)
        every = 1
        for layer in self._stack():
            own = list(islice(left, layer.states))
            if isinstance(layer, LstmpLayer):
                x, *new = layer(x, *own)
                x = self.drop(x, layer.dropout)
            elif isinstance(layer, PoolingLayer | LookaheadLayer):
                x, new = layer(x, own)
            elif isinstance(layer, RecurrentLayer):
                x, new = layer(x, own, kept.at(every), kept.lengths(every))
                x = self.drop(x, layer.options.dropout)
            elif isinstance(layer, ConvolutionLayer):
                every *= layer.options.stride
                x, new = layer(x, own, kept.at(every))
                x = self.drop(x, layer.options.dropout)
            else:
                every *= layer.options.stride
                x, new = layer(x, own, kept.at(every), self.drop)
            after += new
        return x, [] if self.whole_utterances else after

    def drop(self, x: Tensor, share: float = 1.0) -> Tensor:
        """Factors of 1 on average, for each output of a stream the same at all frames of a chunk.

        They are uniform in [1 - 2 p, 1 + 2 p] for a dropout of p, as in Kaldi's
        GeneralDropoutComponent with ``continuous=true`` and ``time-period=0``; here p is
        ``share`` of the network's dropout.
        """
        dropout = self.dropout * share
        if not dropout or not self.training:
            return x
        factors = torch.rand(x.shape[1:], device=x.device).mul_(4).sub_(2)
        return x * factors.mul_(dropout).add_(1).to(x.dtype)

    def constrain(self) -> None:
        """See `TdnnLayer.constrain`."""
        for layer in self._stack():
            if isinstance(layer, TdnnLayer):
                layer.constrain()

    def running_statistics(self) -> dict[str, Tensor]:
        """Of batch normalisation."""
        return {
            name: value for name, value in self.named_buffers() if not name.startswith("input.")
        }

    def file_tensors(self) -> dict[str, Tensor]:
        """The weights with batch normalisation in them."""
        tensors = self.state_dict()
        for index, layer in enumerate(self._stack()):
            if not isinstance(layer, TdnnLayer) or layer.norm is None:
                continue
            at = f"layers.{index}"
            del tensors[at + _MEAN], tensors[at + _VARIANCE]
            scale, tensors[at + _OFFSET] = layer.norm.scale_and_offset()
            tensors[f"{at}.weight"] = layer.weight * scale.unsqueeze(1)
            if layer.bias is not None:
                # A positive factor may be taken out of a ReLU.
                tensors[f"{at}.bias"] = layer.bias * scale
        return tensors

    def load_tensors(self, tensors: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """Copy weights by name; see the class about batch normalisation."""
        unfolded: dict[str, Any] = {}
        for name, array in tensors.items():
            if name.endswith(_OFFSET):
                at = name.removesuffix(_OFFSET)
                unfolded[at + _MEAN] = -array
                unfolded[at + _VARIANCE] = np.full_like(array, 1 - EPSILON)
            else:
                unfolded[name] = array
        super().load_tensors(unfolded)


class _Kept:
    """Which frames of a chunk are no padding, at each rate.

    Args:
        frames: T.
        lengths: frames of features of each stream ``[N]`` int64, if some are fewer.
        device: of the network.
    """

    def __init__(self, frames: int, lengths: Tensor | None, device: torch.device) -> None:
        full = lengths is None or bool((lengths == frames).all())
        self._frames, self._lengths, self._device = frames, None if full else lengths, device
        self._made: dict[int, Tensor] = {}

    def at(self, every: int) -> Tensor | None:
        """Of the frames of features 0, ``every``, ...; see `BatchNorm.forward`."""
        if self._lengths is None:
            return None
        if every not in self._made:
            real = torch.arange(0, self._frames, every).unsqueeze(1) < self._lengths
            self._made[every] = torch.nonzero(real.reshape(-1)).squeeze(1).to(self._device)
        return self._made[every]

    def lengths(self, every: int) -> Tensor | None:
        """How many of the frames 0, ``every``, ... each stream has ``[N]``; None for all."""
        return None if self._lengths is None else -(-self._lengths // every)


def _make_layer(options: AnyLayer, inputs: int) -> AnyModule:
    if isinstance(options, TdnnOptions):
        return TdnnLayer(options, inputs)
    if isinstance(options, PoolingOptions):
        return PoolingLayer(options, inputs)
    if isinstance(options, ConvolutionOptions):
        return ConvolutionLayer(options, inputs)
    if isinstance(options, RnnOptions | GruOptions):
        return RecurrentLayer(options, inputs)
    if isinstance(options, LookaheadOptions):
        return LookaheadLayer(options, inputs)
    return LstmpLayer(options, inputs)
