"""What every criterion offers to the training engine, and what it is given.

A criterion is a torch module of its own, apart from the network: it may have parameters, which are
trained with the network's, and buffers (a denominator graph, for instance), which move to the
device with it. What it must remember of an utterance between two chunks, such as forward
probabilities, is a state for each stream, which the engine carries and saves as it does the
network's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.torch.network_module import NetworkOutputs, State
from recognizer.am.training.criteria.targets import Target


@dataclass(frozen=True)
class ChunkTargets:
    """What the output rows of one chunk are compared with.

    Attributes:
        pieces: of each stream's target, the piece for its rows in this chunk; None for a stream
            without such rows ``[N]``.
        mask: ``[T, N]``, output rows that belong to a frame of an utterance, one consecutive range
            in each stream; the others are padding, or come before the output delay has passed.
        begins: ``[N]``, streams whose piece is the first of its target. It may come a chunk later
            than the utterance's first input frame, by the output delay.
        ends: ``[N]``, streams whose piece is the last of its target.
    """

    pieces: list[Target | None]
    mask: npt.NDArray[np.bool_]
    begins: npt.NDArray[np.bool_]
    ends: npt.NDArray[np.bool_]


@dataclass
class ChunkLoss:
    """A criterion's value on one chunk.

    Attributes:
        loss: summed over the chunk (natural log), differentiable.
        units: what it is normalised by, such as the number of output frames.
        counts: further sums, one for each of the criterion's `Criterion.counts`.
        state: of the criterion, after the chunk and detached.
    """

    loss: Tensor
    units: float
    counts: tuple[float, ...] = ()
    state: State = field(default_factory=list)


@dataclass(frozen=True)
class Sums:
    """What was added up over chunks.

    Attributes:
        loss: natural log.
        units: what it is normalised by.
        frames: input frames of the utterances whose outputs were trained on.
        counts: by name, see `Criterion.counts`.
    """

    loss: float
    units: float
    frames: int
    counts: Mapping[str, float]

    def plus(self, other: Sums) -> Sums:
        """Both together."""
        return Sums(
            self.loss + other.loss,
            self.units + other.units,
            self.frames + other.frames,
            {name: value + other.counts[name] for name, value in self.counts.items()},
        )

    def values(self) -> list[float]:
        """As numbers in a row, see `Criterion.sums`."""
        return [self.loss, self.units, self.frames, *self.counts.values()]


class Criterion(nn.Module, ABC):
    """What training minimises.

    Attributes:
        target: kind of target that it compares outputs with.
        counts: names of the sums that it adds to the loss, which processes send each other.
        best_by: which of the `measures` chooses the best network; the highest does.
        whole_utterances: whether its chunks must be whole utterances.
    """

    target: ClassVar[type[Target]]
    counts: ClassVar[tuple[str, ...]] = ()
    best_by: ClassVar[str]
    whole_utterances: ClassVar[bool] = False

    def check_network(self, network: NetworkOptions) -> None:
        """Refuse a network that it cannot train, whatever the targets.

        Raises:
            SpeechError: says what the criterion expects.
        """
        return None

    def initial_state(self, streams: int) -> State:
        """What it remembers of N streams before their first utterances.

        Tensors whose first dimension are the streams; the others may change from chunk to chunk.
        """
        return []

    @abstractmethod
    def forward(self, outputs: NetworkOutputs, targets: ChunkTargets, state: State) -> ChunkLoss:
        """The loss of one chunk, summed.

        Args:
            outputs: of the network, ``[T, N, S]``, on the device of training.
            targets: what they are compared with, on the CPU.
            state: of the criterion before the chunk; rows of streams in `ChunkTargets.begins` are
                those of an utterance before.
        """

    @abstractmethod
    def measures(self, sums: Sums) -> dict[str, float]:
        """What logs, progress and evaluation print of sums with units, by name.

        The first is the mean loss. Names of shares of one end in "accuracy" or "share".
        """

    def fault(self, target: Target, frames: int, outputs: int) -> str:
        """Why an utterance cannot be trained on; "" if it can.

        Args:
            target: of the right kind.
            frames: output frames of the utterance.
            outputs: of the network, S.
        """
        return target.fault(outputs)

    def chunk_sums(self, result: ChunkLoss, frames: int) -> Sums:
        """The sums of one chunk with so many input frames; waits for the device."""
        return Sums(
            result.loss.item(),
            result.units,
            frames,
            dict(zip(self.counts, result.counts, strict=True)),
        )

    def sums(self, values: Sequence[float] | None = None) -> Sums:
        """The sums that `Sums.values` gave, or none yet."""
        loss, units, frames, *counts = values or [0.0] * (3 + len(self.counts))
        return Sums(loss, units, int(frames), dict(zip(self.counts, counts, strict=True)))
