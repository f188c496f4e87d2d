"""What a comparison of networks compares: kinds, depths and sizes of the paper, at any scale.

Sak, Senior and Beaufays 2014 compare DNNs, LSTMs and LSTMPs of equal numbers of parameters
(tables 1 and 2). Here everything but the network is that of an existing model: labels, lexicon,
graph, language models and scales. `recognizer.experiments.run` trains and measures,
`recognizer.experiments.report` writes the tables.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Literal

from recognizer.am.nnet.options import NetworkOptions, NetworkShape
from recognizer.am.training.engine.options import TrainingOptions
from recognizer.data.errors import UsageError
from recognizer.decoding.search.search import SearchOptions
from recognizer.model.files import DEFAULT_MODEL
from recognizer.pipelines.acoustic.options import AcousticOptions
from recognizer.pipelines.model_labels import check_fixed, check_sets
from recognizer.pipelines.recipe import TrainingSet

Kind = Literal["dnn", "lstm", "lstmp"]


@dataclass(frozen=True)
class Candidate:
    """One network of the comparison.

    Attributes:
        kind: "dnn", "lstm" or "lstmp".
        size: number of parameters that it should have.
        shape: its shape.
        parameters: number that it has, biases included.
    """

    kind: Kind
    size: int
    shape: NetworkShape
    parameters: int

    @property
    def name(self) -> str:
        """Of its directories: kind, layers x cells, projection."""
        projection = f"-{self.shape.projection}" if self.shape.projection else ""
        return f"{self.kind}-{self.shape.depth}x{self.shape.cells}{projection}"


@dataclass(frozen=True)
class TablesExperiment:
    """What a file of `recognizer experiment tables` says.

    Attributes:
        training: corpora to train on.
        dev: sets on which frame accuracy and word error rate are measured.
        model: the model directory that gives all but the network; "english" is that of this
            package.
        kinds: of networks.
        sizes: numbers of parameters.
        depths: numbers of hidden layers.
        learning_rates: each shape is trained a little with each of them, and then to the end with
            the one of the best held-out accuracy; where that is the highest or the lowest, up to
            three more are tried beyond it. The final rate keeps its ratio to the first.
        search_frames: how long these short trainings are.
        accuracy_utterances: frame accuracy on training data is measured on so many of them.
        acoustic: training, alike for all; it ends by `patience`, so that must be set, and so must
            `decay_frames`. What the model or the experiment gives must not be set: network, tree,
            features, precision, storage, `initial`, `realign`, `epochs` and `max_frames`.
        search: all search options in place of the model's, but for the acoustic scale; those not
            given are the defaults.
    """

    training: tuple[TrainingSet, ...]
    dev: tuple[str, ...]
    model: str = DEFAULT_MODEL.name
    kinds: tuple[Kind, ...] = ("dnn", "lstm", "lstmp")
    sizes: tuple[int, ...] = (600_000, 1_500_000)
    depths: tuple[int, ...] = (1, 2, 3, 5)
    learning_rates: tuple[float, ...] = (5e-4, 1e-3, 2e-3)
    search_frames: int = 500_000
    accuracy_utterances: int = 200
    acoustic: AcousticOptions = AcousticOptions(
        training=TrainingOptions(patience=2, decay_frames=5_000_000)
    )
    search: SearchOptions | None = None

    def __post_init__(self) -> None:
        for name in ("training", "dev", "kinds", "sizes", "depths", "learning_rates"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise UsageError(f"{name}: expected distinct values, at least one")
        for name in ("sizes", "depths", "learning_rates"):
            if not all(0 < value < math.inf for value in getattr(self, name)):
                raise UsageError(f"{name}: expected numbers above 0, found {getattr(self, name)}")
        for name in ("search_frames", "accuracy_utterances"):
            if getattr(self, name) <= 0:
                raise UsageError(f"{name}: expected a number above 0, found {getattr(self, name)}")
        check_fixed(self.acoustic, ("precision", "storage"))
        check_sets((*self.training, *self.dev_sets))
        if self.search is not None and self.search.acoustic_scale != SearchOptions.acoustic_scale:
            raise UsageError("search.acoustic_scale: expected nothing: it is the model's own")
        if self.acoustic.network != NetworkShape():
            raise UsageError("acoustic.network: expected nothing: the experiment makes its shapes")
        training = self.acoustic.training
        for name in ("patience", "decay_frames"):
            if not getattr(training, name):
                raise UsageError(f"acoustic.training.{name}: expected a number above 0, found 0")
        for name in ("epochs", "max_frames"):
            if getattr(training, name) != getattr(TrainingOptions(), name):
                raise UsageError(
                    f"acoustic.training.{name}: expected nothing: patience ends the training"
                )

    @property
    def dev_sets(self) -> tuple[TrainingSet, ...]:
        """The development sets as something to align."""
        return tuple(TrainingSet(name, licence="") for name in self.dev)

    def candidates(self, outputs: int, input_dim: int) -> tuple[Candidate, ...]:
        """All networks, size by size.

        Args:
            outputs: number of tied states.
            input_dim: features per frame.

        Raises:
            UsageError: a size that not even one cell a layer keeps below.
        """
        return tuple(
            make_candidate(kind, layers, size, outputs, input_dim)
            for size, kind, layers in product(self.sizes, self.kinds, self.depths)
        )


def make_candidate(kind: Kind, layers: int, size: int, outputs: int, input_dim: int) -> Candidate:
    """The network of a kind and depth whose number of parameters is closest to a size.

    An LSTMP's projection is half as wide as its cells are many, as in the paper's 1024/512.

    Raises:
        UsageError: a size that not even one cell a layer keeps below.
    """

    def shape(units: int) -> NetworkShape:
        if kind == "dnn":
            return NetworkShape(kind="dnn", layers=layers, cells=units, projection=0)
        if kind == "lstm":
            return NetworkShape(layers=layers, cells=units, projection=0)
        return NetworkShape(layers=layers, cells=2 * units, projection=units)

    def count(units: int) -> int:
        return NetworkOptions.of(shape(units), outputs, input_dim).parameter_count()

    if count(1) > size:
        raise UsageError(
            f"sizes: expected at least {count(1)} parameters for a {kind} of {layers} layers and "
            f"{outputs} states, found {size}"
        )
    low, high = 1, 2  # count(low) <= size
    while count(high) <= size:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= size else (low, middle)
    units = min((low, high), key=lambda units: abs(count(units) - size))
    return Candidate(kind, size, shape(units), count(units))
