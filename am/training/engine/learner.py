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
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from recognizer.am.training.criteria.criterion import ChunkLoss, Sums
from recognizer.am.training.data.batching import Augment, Chunk, StreamBatcher
from recognizer.am.training.data.checked_data import TrainingUtterance
from recognizer.am.training.engine.checkpoint import take
from recognizer.am.training.engine.errors import DivergedError
from recognizer.am.training.engine.objective import Objective, StreamStates
from recognizer.am.training.engine.options import TrainingOptions

Position = tuple[bytes, dict[str, Any]]
"""How far streams have come: their states and torch's random generators in the form of safetensors,
and the state of their batcher. Bytes go from process to process; tensors would be shared memory."""


class Learner:
    """N streams of one network with their states.

    Args:
        model: network and criterion; their parameters get the gradients.
        utterances: to draw from.
        options: of the training.
        epochs: passes over the utterances.
        planned_frames: to train on, of all workers.
        augment: change of features on the fly.
    """

    def __init__(
        self,
        model: Objective,
        utterances: Sequence[TrainingUtterance],
        options: TrainingOptions,
        epochs: int,
        planned_frames: int,
        augment: Augment | None,
    ) -> None:
        self.model = model
        self._options = options
        self._planned_frames = planned_frames
        self.parameters: list[Tensor] = list(model.parameters())
        self.batcher = StreamBatcher(
            utterances,
            streams=options.streams,
            chunk=None if model.whole_utterances else options.chunk,
            delay=model.network.options.output_delay,
            epochs=epochs,
            seed=options.seed,
            augment=augment,
            shards_at_once=options.shards_at_once,
            processes=options.feature_processes,
            sorted_epochs=options.sorted_epochs,
            length_buckets=options.length_buckets,
            subsampling=model.network.options.subsampling,
        )
        self.states = model.initial_states(options.streams)
        self.epoch = 0
        self.objective: Callable[[Chunk, StreamStates], tuple[ChunkLoss, StreamStates]] = model

    def next_chunk(self) -> Chunk | None:
        """The next chunk; None once the utterances of all epochs are used up."""
        chunk = next(self.batcher, None)
        if chunk is not None:
            self.epoch = chunk.epoch
        return chunk

    def begin_step(self, frames: int) -> None:
        """Set what changes over a training; ``frames`` have been trained on, by all workers."""
        dropout = self._options.dropout_at(frames, self._planned_frames)
        self.model.network.dropout = dropout

    def end_step(self) -> None:
        """Bring the parameters, which have just moved, to what the network asks of them."""
        self.model.network.constrain()

    def forward(self, chunk: Chunk) -> tuple[ChunkLoss, Sums]:
        """Loss of a chunk; the states move on."""
        result, self.states = self.objective(chunk, self.states)
        return result, self.model.criterion.chunk_sums(result, chunk.frames)

    def gradients(self, result: ChunkLoss) -> list[Tensor]:
        """Gradients of the summed loss of a chunk, one for each parameter."""
        for parameter in self.parameters:
            parameter.grad = None
        result.loss.backward()  # type: ignore[no-untyped-call]
        return [p.grad if p.grad is not None else torch.zeros_like(p) for p in self.parameters]

    def position(self) -> Position:
        """How far the streams have come, to go on from."""
        tensors = {"rng": torch.get_rng_state()}
        if (device := self.model.network.device).type == "cuda":
            tensors["cuda_rng"] = torch.cuda.get_rng_state(device)
        for name, state in self.states._asdict().items():
            tensors |= {f"{name}.{index}": tensor.cpu() for index, tensor in enumerate(state)}
        return save(tensors), self.batcher.state()

    def go_to(self, position: Position, path: Path) -> None:
        """Go on from a `position`.

        Raises:
            SpeechError: it is of another network or other utterances; names ``path``.
        """
        tensors = load(position[0])
        own = self.states
        device = self.model.network.device
        self.states = StreamStates(
            [
                take(tensors, f"network.{index}", tensor, path).to(device, tensor.dtype).clone()
                for index, tensor in enumerate(own.network)
            ],
            # A criterion's tensors may have grown with its utterances.
            [tensors[f"criterion.{index}"].to(device) for index in range(len(own.criterion))],
        )
        torch.set_rng_state(tensors["rng"])
        if "cuda_rng" in tensors and device.type == "cuda":
            torch.cuda.set_rng_state(tensors["cuda_rng"], device)
        self.batcher.restore(position[1])


def check_finite(loss: float) -> None:
    """Stop before a step that would spoil every weight.

    Raises:
        DivergedError: the loss is not finite.
    """
    if not math.isfinite(loss):
        raise DivergedError(
            "training: the loss is not finite; lower the learning rate or set max_gradient_norm"
        )


def scale_gradients(
    gradients: list[Tensor], options: TrainingOptions, units: float, share: float = 1.0
) -> None:
    """Bring gradients of a summed loss to what the options ask for, in place.

    Args:
        gradients: of the loss summed over ``units``, times ``share``.
        options: "sum" or "mean", and the greatest norm.
        units: what the criterion normalises by, labelled frames for instance.
        share: what the gradients were multiplied with on their way here.
    """
    factor = 1.0 / share
    if options.reduction == "mean":
        factor /= units
    if factor != 1.0:
        torch._foreach_mul_(gradients, factor)
    if options.max_gradient_norm:
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        torch._foreach_mul_(gradients, (options.max_gradient_norm / (norm + 1e-6)).clamp(max=1.0))


def descend(parameters: list[Tensor], gradients: list[Tensor], rate: float) -> None:
    """One step of plain stochastic gradient descent, in place."""
    with torch.no_grad():
        torch._foreach_add_(parameters, gradients, alpha=-rate)
