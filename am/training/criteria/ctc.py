"""Connectionist temporal classification: the probability of a token sequence, whenever it is said.

Graves, Fernández, Gomez and Schmidhuber, "Connectionist Temporal Classification: Labelling
Unsegmented Sequence Data with Recurrent Neural Networks", ICML 2006.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from recognizer.am.nnet.ctc import BLANK, collapse
from recognizer.am.torch.network_module import NetworkOutputs, State
from recognizer.am.training.criteria.criterion import ChunkLoss, ChunkTargets, Criterion, Sums
from recognizer.am.training.criteria.targets import Target, TokenSequence


class Ctc(Criterion):
    """Minus the log probability of all paths that give the tokens: blanks between, and repeats.

    The loss is normalised by output frames, so that learning rates mean what they do for criteria
    of frames.
    """

    target = TokenSequence
    counts = ("tokens", "errors")
    best_by = "token_accuracy"
    whole_utterances = True

    def forward(self, outputs: NetworkOutputs, targets: ChunkTargets, state: State) -> ChunkLoss:
        """Loss summed over utterances, their frames, tokens, and errors of the best path."""
        streams = np.flatnonzero(targets.mask.any(0))
        if not len(streams):
            return ChunkLoss(outputs.hidden.sum() * 0, 0, (0, 0))
        first = int(targets.mask.any(1).argmax())  # rows before it come before the output delay
        frames = targets.mask.sum(0)[streams]
        tokens = [piece.tokens for piece in targets.pieces if isinstance(piece, TokenSequence)]
        log_probs = outputs.log_posteriors()[first:, torch.from_numpy(streams)]
        loss = functional.ctc_loss(
            log_probs,
            torch.from_numpy(np.concatenate(tokens).astype(np.int64)).to(log_probs.device),
            torch.from_numpy(frames),
            torch.tensor([len(one) for one in tokens]),
            blank=BLANK,
            reduction="sum",
        )
        best = log_probs.detach().argmax(2).cpu().numpy()
        errors = sum(
            edit_distance(collapse(best[:count, n]), one)
            for n, (count, one) in enumerate(zip(frames, tokens, strict=True))
        )
        return ChunkLoss(loss, int(frames.sum()), (sum(map(len, tokens)), errors))

    def measures(self, sums: Sums) -> dict[str, float]:
        """CTC loss of an output frame (natural log), and 1 - token error rate of the best paths."""
        tokens = max(sums.counts["tokens"], 1)
        return {
            "ctc_loss": sums.loss / sums.units,
            "token_accuracy": 1 - sums.counts["errors"] / tokens,
        }

    def fault(self, target: Target, frames: int, outputs: int) -> str:
        """See `Criterion.fault`; a path needs a frame for each token, and blanks between equals."""
        assert isinstance(target, TokenSequence)
        if fault := target.fault(outputs):
            return fault
        if (target.tokens == BLANK).any():
            return f"expected tokens other than the blank {BLANK}"
        needed = len(target.tokens) + int((target.tokens[1:] == target.tokens[:-1]).sum())
        if needed > frames:
            return f"{frames} output frames, but CTC needs {needed} for its tokens"
        return ""


def edit_distance(found: npt.NDArray[np.integer], expected: npt.NDArray[np.integer]) -> int:
    """Fewest insertions, deletions and substitutions between two sequences."""
    count = np.arange(len(expected) + 1)
    row = count
    for token in found:
        best = np.minimum(row[1:] + 1, row[:-1] + (expected != token))
        # A chain of deletions costs one each: the running minimum of cost - position, moved back.
        row = np.minimum.accumulate(np.concatenate(([row[0] + 1], best)) - count) + count
    return int(row[-1])
