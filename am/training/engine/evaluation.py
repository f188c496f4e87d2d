"""Measures the criterion of a network on utterances that were not trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from recognizer.am.training.data.batching import StreamBatcher, round_up
from recognizer.am.training.data.checked_data import TrainingUtterance
from recognizer.am.training.engine.objective import Objective, StreamStates

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}

_CHUNK = 150


@dataclass(frozen=True)
class Measurement:
    """What a criterion says about held-out utterances.

    Attributes:
        frames: input frames measured on.
        measures: by name, the mean loss (natural log) first; see `Criterion.measures`.
    """

    frames: int
    measures: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.measures[name]

    @property
    def loss(self) -> float:
        """The mean loss (natural log)."""
        return next(iter(self.measures.values()))

    def to_table(self) -> dict[str, float]:
        """Plain values by name, "frames" among them."""
        return {"frames": self.frames, **self.measures}

    @classmethod
    def of_table(cls, table: Mapping[str, float]) -> Measurement:
        """What `to_table` gave."""
        measures = {name: value for name, value in table.items() if name != "frames"}
        return cls(int(table["frames"]), measures)


@torch.no_grad()
def evaluate(
    objective: Objective,
    utterances: Sequence[TrainingUtterance],
    *,
    streams: int = 32,
    precision: str = "float32",
) -> Measurement:
    """Measure a network on the first versions of utterances.

    Args:
        objective: the network, and the criterion that measures it.
        utterances: that have passed `recognizer.am.training.data.checked_data.CheckedData`.
        streams: utterances beside each other.
        precision: of the matrix products, one of `PRECISIONS`.
    """
    was_training = objective.training
    objective.eval()
    network, criterion = objective.network, objective.criterion
    network.precision = PRECISIONS[precision]
    if objective.whole_utterances:
        streams = min(streams, 8)  # their posteriors are kept for all frames at once
    streams = min(streams, len(utterances))
    subsampling = network.options.subsampling
    batcher = StreamBatcher(
        utterances,
        streams=streams,
        chunk=None if objective.whole_utterances else round_up(_CHUNK, subsampling),
        delay=network.options.output_delay,
        shuffle=False,
        subsampling=subsampling,
    )
    states: StreamStates = objective.initial_states(streams)
    sums = criterion.sums()
    for chunk in batcher:
        result, states = objective(chunk, states)
        sums = sums.plus(criterion.chunk_sums(result, chunk.frames))
    objective.train(was_training)
    return Measurement(sums.frames, criterion.measures(sums))
