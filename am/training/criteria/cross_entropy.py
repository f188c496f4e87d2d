"""Cross-entropy of frame labels, as in section 3 of Sak, Senior and Beaufays 2014."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from recognizer.am.torch.network_module import NetworkOutputs, State
from recognizer.am.training.criteria.criterion import ChunkLoss, ChunkTargets, Criterion, Sums
from recognizer.am.training.criteria.targets import FrameLabels

IGNORED = -1
"""Label of an output row without loss: padding, and the first rows of an utterance."""


class CrossEntropy(Criterion):
    """Minus the log posterior of each output frame's label; frames count alike."""

    target = FrameLabels
    counts = ("correct",)
    best_by = "accuracy"

    def forward(self, outputs: NetworkOutputs, targets: ChunkTargets, state: State) -> ChunkLoss:
        """Loss summed over the labelled rows, their number, and how many the network has right."""
        labels = torch.from_numpy(row_labels(targets)).reshape(-1)
        # The labels are on the CPU, so that choosing rows makes no device wait.
        rows = torch.nonzero(labels != IGNORED).squeeze(1)
        hidden = outputs.hidden.reshape(-1, outputs.hidden.shape[-1])
        if len(rows) < len(labels):
            labels = labels.index_select(0, rows)
            hidden = hidden.index_select(0, rows.to(hidden.device))
        if len(rows) == 0:
            return ChunkLoss(hidden.sum() * 0, 0, (0,))
        loss, correct = SoftmaxLoss.apply(  # type: ignore[no-untyped-call]
            hidden, outputs.weight, outputs.bias, labels.to(hidden.device)
        )
        return ChunkLoss(loss, len(rows), (int(correct),))

    def measures(self, sums: Sums) -> dict[str, float]:
        """Cross-entropy (natural log) and share of frames whose best output is the label."""
        return {
            "cross_entropy": sums.loss / sums.units,
            "accuracy": sums.counts["correct"] / sums.units,
        }


def row_labels(targets: ChunkTargets) -> npt.NDArray[np.int64]:
    """The label of each output row ``[T, N]``; `IGNORED` where there is none."""
    frames, streams = targets.mask.shape
    labels = np.full((streams, frames), IGNORED, dtype=np.int64)
    pieces = [piece.labels for piece in targets.pieces if isinstance(piece, FrameLabels)]
    if pieces:
        labels[targets.mask.T] = np.concatenate(pieces)
    return np.ascontiguousarray(labels.T)


class SoftmaxLoss(torch.autograd.Function):
    """Output layer and cross-entropy in one function that never keeps the posteriors.

    ``(hidden [B, H], weight [S, H], bias [S], labels [B]) -> (summed loss, correct)``. The
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
