"""Frame accuracy and cross-entropy of a network, on held-out data and while training."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from am.batching import StreamBatcher, TrainingUtterance
from am.network_module import NetworkModule, State, reset_state

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Evaluation:
    """Measurement on utterances that were not trained on.

    Attributes:
        frames: labelled frames.
        cross_entropy: mean over frames, natural log.
        accuracy: share of frames whose best output is the label.
    """

    frames: int
    cross_entropy: float
    accuracy: float


@torch.no_grad()
def evaluate(
    model: NetworkModule,
    utterances: Sequence[TrainingUtterance],
    *,
    streams: int = 32,
    precision: str = "float32",
) -> Evaluation:
    """Cross-entropy and frame accuracy on the first versions of utterances."""
    was_training = model.training
    model.eval()
    model.precision = PRECISIONS[precision]
    batcher = StreamBatcher(
        utterances,
        streams=min(streams, len(utterances)),
        chunk=50,
        delay=model.options.output_delay,
        shuffle=False,
    )
    state: State | None = None
    loss, frames, correct = 0.0, 0, 0
    for chunk in batcher:
        if state is None:
            state = model.initial_state(len(chunk.fresh))
        reset_state(state, torch.from_numpy(chunk.fresh))
        result = model.chunk_loss(
            torch.from_numpy(chunk.features), torch.from_numpy(chunk.labels), state
        )
        state = result.state
        loss += float(result.loss)
        frames += result.frames
        correct += result.correct
    model.train(was_training)
    return Evaluation(frames, loss / frames, correct / frames)


class RecentSums:
    """Sums since the last measurement."""

    def __init__(self) -> None:
        self._loss, self._correct, self._frames = 0.0, 0, 0
        self._started = time.monotonic()

    def add(self, loss: float, correct: int, frames: int) -> None:
        """Count one chunk."""
        self._loss += loss
        self._correct += correct
        self._frames += frames

    def loss(self) -> float:
        """Mean cross-entropy of a frame."""
        return self._loss / max(self._frames, 1)

    def accuracy(self) -> float:
        """Share of frames whose best output was the label."""
        return self._correct / max(self._frames, 1)

    def speed(self) -> float:
        """Labelled frames per second."""
        return self._frames / max(time.monotonic() - self._started, 1e-9)
