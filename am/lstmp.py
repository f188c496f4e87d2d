"""Deep LSTMP network in torch: LSTM layers with peepholes and a linear recurrent projection.

Sak, Senior and Beaufays, "Long Short-Term Memory Recurrent Neural Network Architectures for Large
Scale Acoustic Modeling", Interspeech 2014. The layer itself is `am.lstmp_kernel`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from am.lstmp_kernel import lstmp_chunk
from am.network_file import LstmpOptions, Network
from data.errors import SpeechError

__all__ = ["ChunkLoss", "LstmpNetwork", "LstmpOptions", "State"]

# For each layer (c [N, C], r [N, P]); c in float32, r in the type of the matrix products.
State = list[tuple[Tensor, Tensor]]

IGNORED = -1
"""Label of a frame that carries no loss: padding, and the first frames of an utterance."""


@dataclass
class ChunkLoss:
    """Loss of one chunk.

    Attributes:
        loss: cross-entropy summed over the labelled frames (natural log), differentiable.
        frames: number of labelled frames.
        correct: of these, frames whose best output is the label.
        state: states after the chunk, detached.
    """

    loss: Tensor
    frames: int
    correct: int
    state: State


class SoftmaxLoss(torch.autograd.Function):
    """Output layer and cross-entropy in one function that never keeps the posteriors.

    ``(hidden [B, P], weight [S, P], bias [S], labels [B]) -> (summed loss, correct)``. The
    gradient of the logits is made in the forward pass, in the type of the matrix products, so
    that one ``[B, S]`` array is alive.
    """

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        labels: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Cross-entropy summed over rows, and how many rows have the label as best output."""
        low = hidden.dtype
        high = torch.float64 if low == torch.float64 else torch.float32
        weight_low = weight.to(low)
        logits = torch.addmm(bias.to(low), hidden, weight_low.t())
        probs = torch.softmax(logits, 1, dtype=high)
        picked = probs.gather(1, labels.unsqueeze(1))
        # amax, because argmax is not vectorised on CPUs. A tie with the best counts as correct:
        # in float32 that is rare, in bfloat16 it flatters a little.
        correct = (picked.squeeze(1) >= probs.amax(1)).sum()
        loss = -picked.clamp_min(1e-30).log_().sum()
        probs.scatter_(1, labels.unsqueeze(1), picked - 1)
        d_bias = probs.sum(0)
        ctx.save_for_backward(hidden, weight_low, probs.to(low), d_bias)
        ctx.mark_non_differentiable(correct)
        return loss, correct

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, d_loss: Tensor, _: Tensor
    ) -> tuple[Tensor | None, ...]:
        """Products of the stored logit gradient."""
        hidden, weight_low, d_logits, d_bias = ctx.saved_tensors  # type: ignore[attr-defined]
        d_hidden = torch.mm(d_logits, weight_low).mul_(d_loss.to(hidden.dtype))
        d_weight = torch.mm(d_logits.t(), hidden).to(d_bias.dtype).mul_(d_loss)
        return d_hidden, d_weight, d_bias * d_loss, None


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


class LstmpLayer(nn.Module):
    """Parameters of one layer; gate rows in the order i, f, g, o."""

    def __init__(self, input_dim: int, cells: int, projection: int) -> None:
        super().__init__()
        self.w_x = nn.Parameter(torch.empty(4 * cells, input_dim))
        self.w_r = nn.Parameter(torch.empty(4 * cells, projection))
        self.bias = nn.Parameter(torch.empty(4 * cells))
        self.peep_i = nn.Parameter(torch.empty(cells))
        self.peep_f = nn.Parameter(torch.empty(cells))
        self.peep_o = nn.Parameter(torch.empty(cells))
        self.w_p = nn.Parameter(torch.empty(projection, cells))

    def forward(
        self, x: Tensor, c: Tensor, r: Tensor, cell_clip: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `am.lstmp_kernel.lstmp_chunk`."""
        return lstmp_chunk(
            x, c, r, self.w_x, self.w_r, self.bias, self.peep_i, self.peep_f, self.peep_o,
            self.w_p, cell_clip,
        )  # fmt: skip


class LstmpNetwork(nn.Module):
    """Deep LSTMP with its softmax output layer. Names of parameters are those of the file.

    Args:
        options: shape of the network.
        generator: source of the initial weights, U(-initial_range, initial_range).
        initial_range: the paper's 0.02.
        forget_bias: initial bias of the forget gates; the paper does not set one apart (0).
        dropout: probability of dropping a projected output on its way up, never on its way
            along the recurrence. Only in training mode.
    """

    def __init__(
        self,
        options: LstmpOptions,
        *,
        generator: torch.Generator | None = None,
        initial_range: float = 0.02,
        forget_bias: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.options = options
        self.dropout = dropout
        self.input = _Input(options.input_dim)
        self.layers = nn.ModuleList(
            LstmpLayer(options.layer_input(layer), options.cells, options.projection)
            for layer in range(options.layers)
        )
        self.output = _Output(options.projection, options.outputs)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-initial_range, initial_range, generator=generator)
            for layer in self.layers:
                assert isinstance(layer, LstmpLayer)
                layer.bias.zero_()
                layer.bias[options.cells : 2 * options.cells] = forget_bias
            self.output.bias.zero_()

    def initial_state(self, streams: int, dtype: torch.dtype = torch.float32) -> State:
        """Zero states of N streams, for matrix products in ``dtype``."""
        high = torch.float64 if dtype == torch.float64 else torch.float32
        return [
            (
                torch.zeros(streams, self.options.cells, dtype=high),
                torch.zeros(streams, self.options.projection, dtype=dtype),
            )
            for _ in self.layers
        ]

    def hidden(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """Projected outputs of the top layer.

        Args:
            features: raw features ``[T, N, D]``; normalised here.
            state: states before the chunk; the type of its r is that of the matrix products.

        Returns:
            ``[T, N, P]`` and the states after the chunk.
        """
        x = ((features - self.input.mean) * self.input.inv_std).to(state[0][1].dtype)
        states = []
        for layer, (c, r) in zip(self.layers, state, strict=True):
            x, c, r = layer(x, c, r, self.options.cell_clip)
            states.append((c, r))
            if self.dropout and self.training:
                x = functional.dropout(x, self.dropout)
        return x, states

    def forward(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """Log posteriors ``[T, N, S]`` (natural log) of a chunk, and the states after it."""
        hidden, state = self.hidden(features, state)
        logits = functional.linear(
            hidden, self.output.weight.to(hidden.dtype), self.output.bias.to(hidden.dtype)
        )
        return functional.log_softmax(logits, -1, dtype=state[0][0].dtype), state

    def chunk_loss(self, features: Tensor, labels: Tensor, state: State) -> ChunkLoss:
        """Loss of one chunk of truncated BPTT.

        Args:
            features: raw features ``[T, N, D]``.
            labels: pdf-ids ``[T, N]`` int64, already delayed; `IGNORED` where there is no loss.
            state: states before the chunk.
        """
        hidden, states = self.hidden(features, state)
        hidden = hidden.reshape(-1, self.options.projection)
        labels = labels.reshape(-1)
        rows = torch.nonzero(labels != IGNORED).squeeze(1)
        if len(rows) < len(labels):
            hidden, labels = hidden.index_select(0, rows), labels.index_select(0, rows)
        if len(rows) == 0:
            return ChunkLoss(hidden.sum() * 0, 0, 0, detach(states))
        loss, correct = SoftmaxLoss.apply(  # type: ignore[no-untyped-call]
            hidden, self.output.weight, self.output.bias, labels
        )
        return ChunkLoss(loss, len(rows), int(correct), detach(states))

    def to_network(
        self,
        log_priors: npt.NDArray[np.float32] | None = None,
        metadata: dict[str, object] | None = None,
    ) -> Network:
        """Copy of the weights in the form that is written to a file."""
        tensors = {
            name: value.detach().to(torch.float32).numpy().copy()
            for name, value in self.state_dict().items()
        }
        if log_priors is not None:
            tensors["log_priors"] = np.asarray(log_priors, dtype=np.float32)
        return Network(self.options, tensors, metadata or {})

    @classmethod
    def from_network(cls, network: Network, *, dropout: float = 0.0) -> LstmpNetwork:
        """Torch network with the weights of a file (without its log priors)."""
        model = cls(network.options, dropout=dropout)
        model.load_tensors(network.tensors)
        return model

    @torch.no_grad()
    def load_tensors(self, tensors: object) -> None:
        """Copy weights by name; ``log_priors`` is no weight of the network and is skipped."""
        own = self.state_dict()
        assert hasattr(tensors, "__getitem__")
        for name, value in own.items():
            array = torch.tensor(tensors[name])
            if array.shape != value.shape:
                raise SpeechError(
                    f"tensor {name}: expected {list(value.shape)}, found {list(array.shape)}"
                )
            value.copy_(array)


def detach(states: Sequence[tuple[Tensor, Tensor]]) -> State:
    """Cut the graph: gradients do not cross chunks, states do."""
    return [(c.detach(), r.detach()) for c, r in states]
