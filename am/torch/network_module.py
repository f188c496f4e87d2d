"""What all acoustic networks have in common in torch: what a trainer asks of a network.

A trainer feeds chunks ``[T, N, D]`` of N streams and carries `State` from one to the next, zeroing
the rows of streams whose utterance begins (zeros are the state before an utterance, whatever the
kind). Where `NetworkModule.whole_utterances` is true, each chunk must be whole utterances, padded
at their ends, and no state is carried. `recognizer.am.torch.networks` makes a network of any kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from recognizer.am.nnet.network_file import Network
from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.torch.running_mean import running_mean_state, subtract_running_mean
from recognizer.data.errors import SpeechError

State = list[Tensor]
"""What a network remembers of its streams: tensors whose first dimension are the N streams."""


@dataclass(frozen=True)
class NetworkOutputs:
    """What a network says about T output frames of N streams, before the softmax.

    The output layer is not applied yet: criteria that need no more than some rows, or no more than
    a gradient, save themselves an array ``[T, N, S]``.

    Attributes:
        hidden: inputs of the output layer ``[T, N, H]``, in the type of the matrix products.
        weight: of the output layer ``[S, H]``.
        bias: of the output layer ``[S]``.
        precision: type of log posteriors, torch.float32 or float64.
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor
    precision: torch.dtype

    def logits(self) -> Tensor:
        """The outputs without a softmax ``[T, N, S]``, in the type of the matrix products."""
        low = self.hidden.dtype
        return functional.linear(self.hidden, self.weight.to(low), self.bias.to(low))

    def log_posteriors(self) -> Tensor:
        """The outputs' log probabilities ``[T, N, S]`` (natural log)."""
        return functional.log_softmax(self.logits(), -1, dtype=self.precision)


class NetworkModule(nn.Module, ABC):
    """A network from features to log posteriors. Names of parameters are those of the file.

    Args:
        options: shape of the network.
        generator: source of the initial weights.
        initial_range: LSTM and output weights start in U(-initial_range, initial_range); the
            paper's 0.02.
        forget_bias: initial bias of forget gates; the paper does not set one apart (0).
        dropout: probability of dropping a hidden layer's output on its way up, never along a
            recurrence. Only in training mode.
        precision: type of the matrix products, torch.float64, float32 or bfloat16. Weights, cells,
            gates and losses stay in float32 (float64 in the first case).
    """

    whole_utterances = False
    """Whether a chunk must hold whole utterances."""

    def __init__(
        self,
        options: NetworkOptions,
        *,
        generator: torch.Generator | None = None,
        initial_range: float = 0.02,
        forget_bias: float = 0.0,
        dropout: float = 0.0,
        precision: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.options = options
        self.dropout = dropout
        self.precision = precision
        self.input = _Input(options.input_dim)
        self.add_hidden_layers()
        self.output = _Output(options.hidden_width, options.outputs)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-initial_range, initial_range, generator=generator)
            self.output.bias.zero_()
            self.initialise(generator, forget_bias)

    @abstractmethod
    def add_hidden_layers(self) -> None:
        """Make what lies between input and output."""

    @abstractmethod
    def initialise(self, generator: torch.Generator | None, forget_bias: float) -> None:
        """Set those weights of the hidden layers that do not start in U(-range, range)."""

    @abstractmethod
    def initial_layer_state(self, streams: int) -> State:
        """State of the hidden layers before the utterances of N streams: zeros."""

    @abstractmethod
    def run_layers(
        self, x: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """What the hidden layers make of normalised features.

        Args:
            x: ``[T, N, D]`` in the type of the matrix products.
            state: of the hidden layers before the chunk.
            lengths: see `hidden`.

        Returns:
            As `hidden`, with the state of the hidden layers alone.
        """

    def initial_state(self, streams: int) -> State:
        """State of N streams before their utterances: zeros."""
        return [*self._initial_input_state(streams), *self.initial_layer_state(streams)]

    def hidden(
        self, features: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Inputs of the output layer.

        Args:
            features: raw features ``[T, N, D]``; normalised here.
            state: state before the chunk.
            lengths: frames of each stream ``[N]`` int64 where the rest is padding. Networks of
                whole utterances need it; batch normalisation leaves the padding out.

        Returns:
            ``[T, N, H]`` in the type of the matrix products, and the state after the chunk.
            ``[T / n, N, H]`` of a layered network of subsampling n, whose T is a multiple of n.
        """
        count = len(self._initial_input_state(0))
        x, input_after = self._normalise(features, state[:count])
        x, after = self.run_layers(x, state[count:], lengths)
        return x, [*input_after, *after]

    def _initial_input_state(self, streams: int) -> State:
        # Whole utterances begin and end within their chunk.
        if not self.options.mean_window or self.whole_utterances:
            return []
        return [running_mean_state(streams, self.options.input_dim, self.device)]

    def _normalise(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """Features as the first layer takes them, and what is remembered of them."""
        options, after = self.options, state
        x = features - self.input.mean
        if options.mean_window:
            before = state[0] if state else running_mean_state(x.shape[1], x.shape[2], x.device)
            x, remembered = subtract_running_mean(
                x, before, options.mean_window, options.mean_prior
            )
            after = [remembered] if state else []
        return (x * self.input.inv_std).to(self.precision), after

    def drop(self, x: Tensor) -> Tensor:
        """Dropout of what goes up to the next layer."""
        return functional.dropout(x, self.dropout) if self.dropout and self.training else x

    @property
    def high_precision(self) -> torch.dtype:
        """Type of cells, gates and log posteriors."""
        return torch.float64 if self.precision == torch.float64 else torch.float32

    def outputs(
        self, features: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[NetworkOutputs, State]:
        """What the network says about a chunk, and the state after it; arguments as of `hidden`."""
        hidden, state = self.hidden(features, state, lengths)
        output = self.output
        return NetworkOutputs(hidden, output.weight, output.bias, self.high_precision), state

    def forward(
        self, features: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Log posteriors ``[T, N, S]`` (natural log) of a chunk, and the state after it."""
        outputs, state = self.outputs(features, state, lengths)
        return outputs.log_posteriors(), state

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.output.weight.device

    def file_tensors(self) -> dict[str, Tensor]:
        """The weights as a file names them."""
        return self.state_dict()

    def running_statistics(self) -> dict[str, Tensor]:
        """What training moves beside the parameters, by name: averages over frames seen."""
        return {}

    def constrain(self) -> None:
        """Bring the weights, after a step of training, to what the layers ask of them."""

    def to_network(
        self,
        log_priors: npt.NDArray[np.float32] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Network:
        """Copy of the weights in the form that is written to a file."""
        tensors = {
            name: value.detach().to("cpu", torch.float32).numpy().copy()
            for name, value in self.file_tensors().items()
        }
        if log_priors is not None:
            tensors["log_priors"] = np.asarray(log_priors, dtype=np.float32)
        return Network(self.options, tensors, metadata or {})

    @torch.no_grad()
    def load_tensors(self, tensors: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """Copy weights by name; ``log_priors`` is no weight of the network and is skipped.

        Raises:
            SpeechError: a tensor is missing or has another shape.
        """
        for name, value in self.state_dict().items():
            if name not in tensors:
                raise SpeechError(f"tensor {name}: expected {list(value.shape)}, found none")
            array = torch.tensor(tensors[name])
            if array.shape != value.shape:
                raise SpeechError(
                    f"tensor {name}: expected {list(value.shape)}, found {list(array.shape)}"
                )
            value.copy_(array)


class _Input(nn.Module):
    """Mean and inverse standard deviation of the training features."""

    mean: Tensor
    inv_std: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("inv_std", torch.ones(dim))


class _Output(nn.Module):
    """Weights of the softmax layer (nn.Linear would draw from the global random generator)."""

    def __init__(self, input_dim: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, input_dim))
        self.bias = nn.Parameter(torch.empty(outputs))


def reset_state(state: State, fresh: Tensor | Sequence[bool]) -> None:
    """Zero the state of the streams ``[N]`` whose utterance begins, in place."""
    fresh = torch.as_tensor(fresh)
    if bool(fresh.any()):
        for tensor in state:
            tensor[fresh.to(tensor.device)] = 0
