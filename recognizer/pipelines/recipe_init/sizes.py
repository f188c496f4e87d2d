"""How large a model and how long a training suit an amount of speech.

The rules go through what shipped recipes and published experiments use: 2,400 leaves, two layers
of 512 cells and 15 passes for 10.5 hours (`mini_librispeech.toml`), a flat start on 5.6 hours of
these (the defaults of `FlatStartOptions`), about 300 leaves for half an hour
(docs/results/experiments.md).
"""

from __future__ import annotations

from dataclasses import dataclass

_LEAVES, _LEAVES_HOURS = 2400, 10.5
_PASSES, _PASSES_HOURS = 15, 10.5
_FLAT_START_HOURS, _FLAT_START_MOST_HOURS = 5.6, 10.0

_NETWORKS = (
    (1.0, (1, 256, 128)),
    (4.0, (2, 256, 128)),
    (30.0, (2, 512, 256)),
    (150.0, (3, 512, 256)),
    (float("inf"), (3, 1024, 512)),
)
"""Below so many hours: layers, cells and projection."""

_STREAMS = ((1.0, 16), (4.0, 32), (float("inf"), 64))
"""Below so many hours: utterances side by side."""

_FRAMES_PER_HOUR = 360_000


@dataclass(frozen=True)
class FlatStartSize:
    """Gaussians and leaves of one model of the flat start; 0 leaves for monophones."""

    gaussians: int
    leaves: int = 0


@dataclass(frozen=True)
class RecipeSizes:
    """What of a recipe depends on the amount of speech.

    Attributes:
        leaves: of the decision tree.
        layers: of the network, LSTM with projection.
        cells: of each layer.
        projection: width of each layer's.
        epochs: passes of the network's training.
        streams: utterances that it takes side by side.
        warmup_frames: during which the learning rate grows.
        average_frames: over which the final weights are averaged.
        held_out_fraction: of the training utterances, to measure the network on.
        monophones: of the flat start.
        triphones: the models after it.
        flat_start_utterances: the flat start's triphones are trained on so many of the shortest
            utterances; 0: on all.
    """

    leaves: int
    layers: int
    cells: int
    projection: int
    epochs: int
    streams: int
    warmup_frames: int
    average_frames: int
    held_out_fraction: float
    monophones: FlatStartSize
    triphones: tuple[FlatStartSize, ...]
    flat_start_utterances: int

    @classmethod
    def of(cls, hours: float, utterances: int) -> RecipeSizes:
        """What suits so many hours of speech, in so many utterances, to train on.

        Args:
            hours: above 0.
            utterances: at least one.
        """
        layers, cells, projection = next(size for below, size in _NETWORKS if hours < below)
        epochs = _between(5, round(_PASSES * (_PASSES_HOURS / hours) ** (1 / 3)), 50)
        frames = round(hours * _FRAMES_PER_HOUR)
        used = min(hours, _FLAT_START_MOST_HOURS)
        scale = (used / _FLAT_START_HOURS) ** (2 / 3)
        return cls(
            leaves=_between(100, _round(_LEAVES * (hours / _LEAVES_HOURS) ** (2 / 3)), 6000),
            layers=layers,
            cells=cells,
            projection=projection,
            epochs=epochs,
            streams=next(number for below, number in _STREAMS if hours < below),
            warmup_frames=min(100_000, _round(frames / 2)),
            average_frames=_round(frames * epochs / 40),
            held_out_fraction=0.05 if hours < 5 else 0.02,
            # They learn from the shortest utterances alone, at most about an hour of them.
            monophones=FlatStartSize(
                _between(200, _round(1000 * min(hours, 1.0) ** (2 / 3)), 1000)
            ),
            triphones=tuple(
                FlatStartSize(max(400, _round(gaussians * scale)), max(60, _round(leaves * scale)))
                for gaussians, leaves in ((8000, 1200), (14000, 2000))
            ),
            flat_start_utterances=round(utterances * used / hours) if used < hours else 0,
        )


def _between(least: int, value: int, most: int) -> int:
    return min(max(value, least), most)


def _round(value: float) -> int:
    """To two digits, as nobody needs more."""
    digits: int = 10 ** max(len(str(int(value))) - 2, 0)
    return max(round(value / digits) * digits, 1)
