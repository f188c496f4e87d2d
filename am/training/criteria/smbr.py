"""State-level minimum Bayes risk: the expected number of right frames over a lattice's paths.

Gibson and Hain, "Hypothesis spaces for minimum Bayes risk training in large vocabulary speech
recognition", Interspeech 2006; for networks Veselý, Ghoshal, Burget and Povey, "Sequence-
discriminative training of deep neural networks", Interspeech 2013.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from recognizer.am import _sequence
from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.torch.network_module import NetworkOutputs, State
from recognizer.am.training.criteria.criterion import ChunkLoss, ChunkTargets, Criterion, Sums
from recognizer.am.training.criteria.native_gradient import GivenGradient, StreamRows, offsets
from recognizer.am.training.criteria.smbr_options import SmbrOptions
from recognizer.am.training.criteria.targets import StateLattice, Target
from recognizer.data.errors import SpeechError


class Smbr(Criterion):
    """Minus the expected number of frames whose output is right.

    A path's probability is that of its weights and its scaled acoustic scores, log posteriors less
    log priors, among all paths of the lattice.

    Args:
        log_priors: of the network that made the lattices ``[S]``, natural log.
        options: scale and smoothing.
    """

    target = StateLattice
    counts = ("right", "cross_entropy", "failed")
    best_by = "accuracy"
    whole_utterances = True

    def __init__(
        self, log_priors: npt.NDArray[np.float32], options: SmbrOptions | None = None
    ) -> None:
        super().__init__()
        self.options = options or SmbrOptions()
        self.log_priors = np.asarray(log_priors, dtype=np.float32)

    def check_network(self, network: NetworkOptions) -> None:
        """See `Criterion.check_network`."""
        if len(self.log_priors) != network.outputs:
            raise SpeechError(
                f"sMBR: expected priors of the network's {network.outputs} outputs, "
                f"found {len(self.log_priors)}"
            )

    def forward(self, outputs: NetworkOutputs, targets: ChunkTargets, state: State) -> ChunkLoss:
        """The loss summed over the utterances' frames, and the parts that it is made of."""
        log_posteriors = outputs.log_posteriors()
        rows = StreamRows.of(targets.mask)
        pieces = [one if isinstance(one, StateLattice) else None for one in targets.pieces]
        lattices = [one for one in pieces if one is not None]
        if not lattices:
            return ChunkLoss(log_posteriors.sum() * 0, 0, (0, 0, 0))
        given = log_posteriors.detach().cpu().numpy()
        scores = self.options.acoustic_scale * (given - self.log_priors)
        right, frames, labels, values = _sequence.expected_accuracies(
            np.ascontiguousarray(scores, dtype=given.dtype), rows.begins, rows.lengths,
            np.concatenate([one.sources for one in lattices]),
            np.concatenate([one.destinations for one in lattices]),
            np.concatenate([one.labels for one in lattices]),
            np.concatenate([one.log_probs for one in lattices]),
            np.concatenate([one.accuracies for one in lattices]),
            offsets([0 if one is None else len(one.sources) for one in pieces]),
            np.concatenate([one.state_frames for one in lattices]),
            np.concatenate([one.final_log_probs for one in lattices]),
            offsets([0 if one is None else len(one.state_frames) for one in pieces]),
            torch.get_num_threads(),
        )  # fmt: skip
        failed = (rows.lengths > 0) & ~np.isfinite(right)
        if not np.isfinite(given[rows.mask]).all():
            right = np.full_like(right, np.nan)  # the network is spoiled, and training must end
        else:
            right[failed] = 0.0
        good = ~failed[frames % given.shape[1]]
        gradient = np.zeros_like(given)
        gradient.reshape(-1, given.shape[2])[frames[good], labels[good]] = (
            -self.options.acoustic_scale * values[good]
        )
        loss: Tensor = GivenGradient.apply(log_posteriors, -float(right.sum()), gradient)  # type: ignore[no-untyped-call]
        cross_entropy = _cross_entropy(log_posteriors, targets)
        return ChunkLoss(
            loss + self.options.cross_entropy * cross_entropy,
            float(rows.lengths.sum()),
            (
                float(right.sum()),
                float(cross_entropy.detach()),
                float(rows.lengths[failed].sum()),
            ),
        )

    def measures(self, sums: Sums) -> dict[str, float]:
        """The loss, the expected share of right outputs, cross-entropy, and the share that failed.

        Frames in which no arc counts as right lower the accuracy that can be had.
        """
        return {
            "loss": sums.loss / sums.units,
            "accuracy": sums.counts["right"] / sums.units,
            "cross_entropy": sums.counts["cross_entropy"] / sums.units,
            "failed_share": sums.counts["failed"] / sums.units,
        }

    def fault(self, target: Target, frames: int, outputs: int) -> str:
        """See `Criterion.fault`; the lattice must span the utterance."""
        assert isinstance(target, StateLattice)
        if fault := target.fault(outputs):
            return fault
        if len(target) != frames:
            return f"{frames} output frames, a lattice of {len(target)}"
        return ""


def _cross_entropy(log_posteriors: Tensor, targets: ChunkTargets) -> Tensor:
    """Minus the log posteriors of the references, where there are any."""
    references = np.full(targets.mask.shape[::-1], -1, dtype=np.int64)
    references[targets.mask.T] = np.concatenate(
        [piece.references for piece in targets.pieces if isinstance(piece, StateLattice)]
    )
    frames, streams = np.nonzero(references.T >= 0)
    chosen = log_posteriors[
        torch.from_numpy(frames), torch.from_numpy(streams),
        torch.from_numpy(references[streams, frames]),
    ]  # fmt: skip
    return -chosen.sum()
