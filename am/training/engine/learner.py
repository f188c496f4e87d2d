"""The step that all ways of training share: from the next chunk of N streams to a gradient.

What then becomes of the gradient is the whole difference between them: an optimiser takes it here
(`recognizer.am.training.parallel.synchronous`), after an all-reduce over processes (the same, with
`recognizer.am.training.parallel.ddp`), it is added to memory that processes share
(`recognizer.am.training.parallel.asynchronous`), or sent to parameter servers
(`recognizer.am.training.parallel.ray_training`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load, save
from torch import Tensor

from recognizer.am.torch.network_module import ChunkLoss, NetworkModule, State, reset_state
from recognizer.am.training.engine.batching import Augment, Chunk, StreamBatcher
from recognizer.am.training.engine.checkpoint import take
from recognizer.am.training.engine.data import TrainingUtterance
from recognizer.am.training.engine.errors import DivergedError
from recognizer.am.training.engine.options import TrainingOptions

Place = tuple[bytes, dict[str, Any]]
"""Where streams are: their states and torch's random generator in the form of safetensors, and the
state of their batcher. Bytes go from process to process; tensors would be shared memory."""


class Sums(NamedTuple):
    """Of one chunk or many: loss (natural log), frames whose best output is the label, frames."""

    loss: float = 0.0
    correct: int = 0
    frames: int = 0

    def plus(self, other: Sums) -> Sums:
        """Both together."""
        return Sums(
            self.loss + other.loss, self.correct + other.correct, self.frames + other.frames
        )


class Learner:
    """N streams of one network with their recurrent states.

    Args:
        model: its parameters get the gradients.
        utterances: to draw from.
        options: of the training.
        epochs: passes over the utterances.
        augment: change of features on the fly.
    """

    def __init__(
        self,
        model: NetworkModule,
        utterances: Sequence[TrainingUtterance],
        options: TrainingOptions,
        epochs: int,
        augment: Augment | None,
    ) -> None:
        self.model = model
        self.parameters: list[Tensor] = list(model.parameters())
        self.batcher = StreamBatcher(
            utterances,
            streams=options.streams,
            chunk=None if model.whole_utterances else options.chunk,
            delay=model.options.output_delay,
            epochs=epochs,
            seed=options.seed,
            augment=augment,
            shards_at_once=options.shards_at_once,
        )
        self.state: State = model.initial_state(options.streams)
        self.epoch = 0
        self.loss_function: Callable[[Tensor, Tensor, State], ChunkLoss] = model.chunk_loss
        self._options = options

    def next_chunk(self) -> Chunk | None:
        """The next chunk; None once the utterances of all epochs are used up."""
        chunk = next(self.batcher, None)
        if chunk is not None:
            self.epoch = chunk.epoch
        return chunk

    def forward(self, chunk: Chunk) -> tuple[ChunkLoss, Sums]:
        """Loss of a chunk; the states move on."""
        reset_state(self.state, torch.from_numpy(chunk.fresh))
        result = self.loss_function(
            torch.from_numpy(chunk.features), torch.from_numpy(chunk.labels), self.state
        )
        self.state = result.state
        return result, Sums(result.loss.item(), result.correct, result.frames)

    def gradients(self, result: ChunkLoss) -> list[Tensor]:
        """Gradients of the summed loss of a chunk, one for each parameter."""
        for parameter in self.parameters:
            parameter.grad = None
        result.loss.backward()  # type: ignore[no-untyped-call]
        return [p.grad if p.grad is not None else torch.zeros_like(p) for p in self.parameters]

    def place(self) -> Place:
        """Where the streams are, to go on from."""
        tensors = {f"state.{index}": tensor for index, tensor in enumerate(self.state)}
        return save({**tensors, "rng": torch.get_rng_state()}), self.batcher.state()

    def go_to(self, place: Place, path: Path) -> None:
        """Go on from a `place`.

        Raises:
            SpeechError: it is of another network or other utterances; names ``path``.
        """
        tensors = load(place[0])
        self.state = [
            take(tensors, f"state.{index}", own, path).to(own.dtype).clone()
            for index, own in enumerate(self.state)
        ]
        torch.set_rng_state(tensors["rng"])
        self.batcher.restore(place[1])


def check_finite(sums: Sums) -> None:
    """Stop before a step that would spoil every weight.

    Raises:
        DivergedError: the loss is not finite.
    """
    if not math.isfinite(sums.loss):
        raise DivergedError(
            "training: the loss is not finite; lower the learning rate or set max_gradient_norm"
        )


def scale_gradients(
    gradients: list[Tensor], options: TrainingOptions, frames: int, share: float = 1.0
) -> None:
    """Bring gradients of a summed loss to what the options ask for, in place.

    Args:
        gradients: of the sum over ``frames`` labelled frames, times ``share``.
        options: "sum" or "mean", and the greatest norm.
        frames: labelled frames.
        share: what the gradients were multiplied with on their way here.
    """
    factor = 1.0 / share
    if options.reduction == "mean":
        factor /= frames
    if factor != 1.0:
        torch._foreach_mul_(gradients, factor)
    if options.max_gradient_norm:
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        torch._foreach_mul_(gradients, (options.max_gradient_norm / (norm + 1e-6)).clamp(max=1.0))


def descend(parameters: list[Tensor], gradients: list[Tensor], rate: float) -> None:
    """One step of plain stochastic gradient descent, in place."""
    with torch.no_grad():
        torch._foreach_add_(parameters, gradients, alpha=-rate)
