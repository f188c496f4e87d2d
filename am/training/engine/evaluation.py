"""Frame accuracy and cross-entropy of a network, on held-out data and while training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from recognizer.am.torch.network_module import NetworkModule, State, reset_state
from recognizer.am.training.engine.batching import StreamBatcher
from recognizer.am.training.engine.data import TrainingUtterance

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
    if model.whole_utterances:
        streams = min(streams, 8)  # their posteriors are kept for all frames at once
    batcher = StreamBatcher(
        utterances,
        streams=min(streams, len(utterances)),
        chunk=None if model.whole_utterances else 50,
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
