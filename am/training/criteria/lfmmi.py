"""Lattice-free maximum mutual information: right phone sequences against all phone sequences.

Povey, Peddinti, Galvez, Ghahremani, Manohar, Na, Wang and Khudanpur, "Purely sequence-trained
neural networks for ASR based on lattice-free MMI", Interspeech 2016, with the details of Kaldi's
``src/chain``. The outputs are scores, not log posteriors: no softmax is applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from recognizer.am import _sequence
from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.torch.network_module import NetworkOutputs, State
from recognizer.am.training.criteria.criterion import ChunkLoss, ChunkTargets, Criterion, Sums
from recognizer.am.training.criteria.denominator_graph import DenominatorGraph
from recognizer.am.training.criteria.lfmmi_options import LfMmiOptions
from recognizer.am.training.criteria.native_gradient import (
    GivenGradient,
    IntArray,
    RealArray,
    StreamRows,
    offsets,
)
from recognizer.am.training.criteria.targets import SupervisionGraph, Target
from recognizer.data.errors import SpeechError

FAILED = -10.0
"""Objective of a frame whose forward-backward failed though its outputs are finite, as in Kaldi; it
has no gradient."""


class LfMmi(Criterion):
    """Log probability of the numerator's paths less that of the denominator's, per output frame.

    Forward probabilities of both graphs are carried from chunk to chunk, so that the chunks of an
    utterance add up to the objective of the whole; what is cut, as in truncated back-propagation,
    is the influence of a chunk on the objective of later ones.

    Args:
        denominator: the competing paths.
        hidden_width: inputs of the network's output layer H, for the cross-entropy branch.
        options: regularisation.
    """

    target = SupervisionGraph
    counts = ("objective", "cross_entropy", "failed")
    best_by = "mmi"

    def __init__(
        self,
        denominator: DenominatorGraph,
        hidden_width: int,
        options: LfMmiOptions | None = None,
    ) -> None:
        super().__init__()
        self.denominator = denominator
        self.options = options or LfMmiOptions()
        self.hidden_width = hidden_width
        self.branch = (
            _Branch(denominator.outputs, hidden_width) if self.options.cross_entropy else None
        )
        self._native: _sequence.Denominator | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the native denominator, which each process makes anew."""
        return {**self.__dict__, "_native": None}

    def check_network(self, network: NetworkOptions) -> None:
        """See `Criterion.check_network`."""
        self.denominator.check_outputs(network.outputs)
        if network.hidden_width != self.hidden_width:
            raise SpeechError(
                f"LF-MMI: expected an output layer of {self.hidden_width} inputs, "
                f"found {network.hidden_width}"
            )

    def initial_state(self, streams: int) -> State:
        """Forward log probabilities of the numerators' states, probabilities of the others'."""
        return [
            torch.zeros(streams, 0, dtype=torch.float64),
            torch.zeros(streams, self.denominator.num_states),
        ]

    def forward(self, outputs: NetworkOutputs, targets: ChunkTargets, state: State) -> ChunkLoss:
        """The loss summed over the chunk's output frames, and the parts that it is made of."""
        logits = outputs.logits().to(outputs.precision)
        rows = StreamRows.of(targets.mask)
        result = self.evaluate(
            np.ascontiguousarray(logits.detach().cpu().numpy()), rows, targets, state,
            needs_gradient=logits.requires_grad,
        )  # fmt: skip
        loss: Tensor = GivenGradient.apply(logits, result.loss, result.gradient)  # type: ignore[no-untyped-call]
        cross_entropy = 0.0
        if self.branch is not None:
            branch = self.branch.loss(outputs.hidden, *result.posteriors)
            loss = loss + self.options.cross_entropy * branch
            cross_entropy = float(branch.detach())
        failed = float(rows.lengths[result.failed].sum())
        return ChunkLoss(
            loss,
            float(rows.lengths.sum()),
            (result.objective, cross_entropy, failed),
            result.state,
        )

    def measures(self, sums: Sums) -> dict[str, float]:
        """The loss and its parts per output frame (natural log), and the share that failed."""
        return {
            "loss": sums.loss / sums.units,
            "mmi": sums.counts["objective"] / sums.units,
            "cross_entropy": sums.counts["cross_entropy"] / sums.units,
            "failed_share": sums.counts["failed"] / sums.units,
        }

    def fault(self, target: Target, frames: int, outputs: int) -> str:
        """See `Criterion.fault`; there must be a path of as many arcs as the graph has frames."""
        assert isinstance(target, SupervisionGraph)
        if fault := target.fault(outputs):
            return fault
        if not has_path(target):
            return f"supervision longer than its chunk: no path of {len(target)} output frames"
        return ""

    def evaluate(
        self,
        logits: RealArray,
        rows: StreamRows,
        targets: ChunkTargets,
        state: State,
        *,
        needs_gradient: bool,
    ) -> Evaluation:
        """Forward-backward over both graphs.

        Args:
            logits: ``[T, N, S]`` float32 or float64.
            rows: those of each stream.
            targets: numerators.
            state: see `initial_state`.
            needs_gradient: whether posteriors of the denominator are computed.
        """
        threads = torch.get_num_threads()
        alphas = state[1].detach().cpu().numpy().astype(logits.dtype)  # a copy
        alphas[targets.begins] = 0
        alphas[targets.begins, self.denominator.start] = 1
        posteriors = np.empty_like(logits) if needs_gradient else None
        denominators = self._denominator().run(
            logits, rows.begins, rows.lengths, alphas, posteriors, threads
        )
        graphs = _Numerators.of(targets, state[0])
        numerators, frames, labels, values = graphs.run(logits, rows, threads)
        failed = (rows.lengths > 0) & ~(np.isfinite(numerators) & np.isfinite(denominators))
        gains = np.where(failed, FAILED * rows.lengths, numerators - denominators)
        if not np.isfinite(logits[:, failed]).all():
            gains[failed] = np.nan  # the network is spoiled, and training must end
        alphas[failed] = self.denominator.occupancy
        valid = rows.mask & ~failed
        squares = np.einsum("tns,tns->tn", logits, logits)[valid].sum(dtype=np.float64)
        good = ~failed[frames % logits.shape[1]]
        frames, labels, values = frames[good], labels[good], values[good]
        gradient = None
        if posteriors is not None:
            gradient = posteriors
            if self.options.l2:
                gradient += self.options.l2 * logits
            gradient[~valid] = 0
            gradient.reshape(-1, logits.shape[2])[frames, labels] -= values
        objective = float(gains.sum())
        return Evaluation(
            objective,
            0.5 * self.options.l2 * float(squares) - objective,
            gradient,
            failed,
            (frames, labels, values),
            [graphs.state(), torch.from_numpy(alphas.astype(np.float32))],
        )

    def _denominator(self) -> _sequence.Denominator:
        if self._native is None:
            graph = self.denominator
            self._native = _sequence.Denominator(
                graph.sources, graph.destinations, graph.pdfs, graph.log_probs, graph.occupancy,
                graph.outputs, self.options.leak,
            )  # fmt: skip
        return self._native


class _Branch(nn.Module):
    """The cross-entropy branch: an output layer beside the network's."""

    def __init__(self, outputs: int, hidden_width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, hidden_width))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def loss(
        self, hidden: Tensor, frames: IntArray, labels: IntArray, values: npt.NDArray[np.float64]
    ) -> Tensor:
        """Cross-entropy of the posteriors, see `Evaluation.posteriors`, with ``[T, N, H]``."""
        if not len(frames):
            return (self.weight.sum() + self.bias.sum()) * 0
        device = hidden.device
        rows, row_of = np.unique(frames, return_inverse=True)
        indices = (torch.from_numpy(one).to(device) for one in (row_of.reshape(-1), labels))
        loss: Tensor = SoftTargetLoss.apply(  # type: ignore[no-untyped-call]
            hidden.reshape(-1, hidden.shape[2]).index_select(0, torch.from_numpy(rows).to(device)),
            self.weight, self.bias, *indices, torch.from_numpy(values).to(device),
        )  # fmt: skip
        return loss


@dataclass(frozen=True)
class Evaluation:
    """What forward-backward gives.

    Attributes:
        objective: numerator less denominator, summed over all rows, natural log.
        loss: minus that, with the squared outputs.
        gradient: of the loss, by the logits ``[T, N, S]``; None where it was not asked for.
        failed: streams whose numbers were not finite ``[N]``; they have no gradient.
        posteriors: of the numerator: row t * N + n, output, probability.
        state: of the criterion after the chunk.
    """

    objective: float
    loss: float
    gradient: RealArray | None
    failed: npt.NDArray[np.bool_]
    posteriors: tuple[IntArray, IntArray, npt.NDArray[np.float64]]
    state: State


@dataclass
class _Numerators:
    """The graphs of all streams, one after the other.

    Attributes:
        pieces: of each stream.
        arcs: where each stream's arcs begin ``[N + 1]``.
        states: where each stream's states begin ``[N + 1]``.
        alphas: forward log probabilities of all states.
        finals: log weights of ending in them.
        before: what the criterion carried.
    """

    pieces: Sequence[SupervisionGraph | None]
    arcs: IntArray
    states: IntArray
    alphas: npt.NDArray[np.float64]
    finals: npt.NDArray[np.float64]
    before: npt.NDArray[np.float64]

    @classmethod
    def of(cls, targets: ChunkTargets, state: Tensor) -> _Numerators:
        before = state.detach().cpu().numpy()
        pieces: list[SupervisionGraph | None] = []
        alphas, finals = [], []
        for n, piece in enumerate(targets.pieces):
            if piece is None:
                pieces.append(None)
                continue
            assert isinstance(piece, SupervisionGraph)
            pieces.append(piece)
            if targets.begins[n]:
                alpha = np.full(len(piece.final_log_probs), -np.inf)
                alpha[0] = 0.0
            else:
                alpha = before[n, : len(piece.final_log_probs)]
            alphas.append(alpha)
            ends = bool(targets.ends[n])
            finals.append(piece.final_log_probs if ends else np.zeros(len(alpha)))
        none = np.zeros(0)
        return cls(
            pieces,
            offsets([0 if piece is None else len(piece.sources) for piece in pieces]),
            offsets([0 if piece is None else len(piece.final_log_probs) for piece in pieces]),
            np.concatenate([none, *alphas]),
            np.concatenate([none, *finals]).astype(np.float64),
            before,
        )

    def run(
        self, logits: RealArray, rows: StreamRows, threads: int
    ) -> tuple[npt.NDArray[np.float64], IntArray, IntArray, npt.NDArray[np.float64]]:
        """Log probability of each stream, and the posteriors; `alphas` move on."""
        return _sequence.numerators(
            logits, rows.begins, rows.lengths,
            self._row("sources", np.int32), self._row("destinations", np.int32),
            self._row("labels", np.int32), self._row("log_probs", np.float32),
            self._row("first_frames", np.int32), self._row("last_frames", np.int32),
            self.arcs, self.states, self.alphas, self.finals, threads,
        )  # fmt: skip

    def state(self) -> Tensor:
        """The forward log probabilities of each stream ``[N, V]``; V is that of the largest."""
        sizes = np.diff(self.states)
        width = max(int(sizes.max()), self.before.shape[1])
        after = np.full((len(self.pieces), width), -np.inf)
        after[:, : self.before.shape[1]] = self.before
        for n, piece in enumerate(self.pieces):
            if piece is not None:
                after[n] = -np.inf
                after[n, : sizes[n]] = self.alphas[self.states[n] : self.states[n + 1]]
        return torch.from_numpy(after)

    def _row(self, name: str, kind: type[np.generic]) -> npt.NDArray[Any]:
        rows = [getattr(piece, name) for piece in self.pieces if piece is not None]
        return np.concatenate([np.zeros(0, kind), *rows]).astype(kind)


def has_path(graph: SupervisionGraph) -> bool:
    """Whether a graph without faults has a path of as many arcs as it has output frames."""
    frames, states = len(graph), len(graph.final_log_probs)
    alphas = np.full(states, -np.inf)
    alphas[0] = 0.0
    values, *_ = _sequence.numerators(
        np.zeros((frames, 1, 1), np.float32), np.zeros(1, np.int64), np.array([frames]),
        graph.sources, graph.destinations, np.zeros_like(graph.labels), graph.log_probs,
        graph.first_frames, graph.last_frames, offsets([len(graph.sources)]), offsets([states]),
        alphas, graph.final_log_probs.astype(np.float64), 1,
    )  # fmt: skip
    return bool(np.isfinite(values[0]))


class SoftTargetLoss(torch.autograd.Function):
    """Output layer and cross-entropy with a distribution for each row, given by its few outputs.

    ``(hidden [B, H], weight [S, H], bias [S], rows [K], labels [K], values [K]) -> summed loss``,
    where pairs of row and label are distinct. As in `SoftmaxLoss` of
    `recognizer.am.training.criteria.cross_entropy`, the gradient is made in the forward pass.
    """

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        rows: Tensor,
        labels: Tensor,
        values: Tensor,
    ) -> Tensor:
        """Minus the log posteriors of the labels, times their values."""
        low = hidden.dtype
        high = torch.float64 if low == torch.float64 else torch.float32
        weight_low, values = weight.to(low), values.to(high)
        logits = torch.addmm(bias.to(low), hidden, weight_low.t())
        log_probs = functional.log_softmax(logits, 1, dtype=high)
        loss = -(log_probs[rows, labels] * values).sum()
        totals = torch.zeros(len(hidden), dtype=high, device=hidden.device)
        totals.index_add_(0, rows, values)
        d_logits = log_probs.exp_().mul_(totals.unsqueeze(1))
        d_logits[rows, labels] -= values
        ctx.save_for_backward(hidden, weight_low, d_logits.to(low), d_logits.sum(0))
        return loss

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, d_loss: Tensor
    ) -> tuple[Tensor | None, ...]:
        """Products of the stored logit gradient."""
        hidden, weight_low, d_logits, d_bias = ctx.saved_tensors  # type: ignore[attr-defined]
        d_hidden = torch.mm(d_logits, weight_low).mul_(d_loss.to(hidden.dtype))
        d_weight = torch.mm(d_logits.t(), hidden).to(d_bias.dtype).mul_(d_loss)
        return d_hidden, d_weight, d_bias * d_loss, None, None, None
