"""Options of everything that makes an acoustic model from aligned corpora."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recognizer.am.features.fbank import FbankOptions
from recognizer.am.nnet.native import Precision
from recognizer.am.nnet.network_file import Storage
from recognizer.am.nnet.options import NetworkShape
from recognizer.am.nnet.priors import (
    SILENCE_WEIGHT,
    PriorSource,
)
from recognizer.am.training.criteria.lfmmi_options import LfMmiOptions
from recognizer.am.training.engine.options import TrainingOptions
from recognizer.am.tree.growing import TreeOptions
from recognizer.data.augmentation.options import AugmentationOptions
from recognizer.data.errors import UsageError
from recognizer.lm.estimation.acceptor import AcceptorOptions
from recognizer.pipelines.acoustic.versions import Version, versions_of
from recognizer.pipelines.sequence.numerator import NumeratorOptions

NO_PRIORS: dict[str, Any] = {"source": "none", "silence_weight": 1.0}
"""What a network's file says where its outputs are scores, or characters, without priors."""


@dataclass(frozen=True)
class LfMmiTraining:
    """Lattice-free MMI: its graphs and its criterion.

    Attributes:
        phone_model: size of the phone language model of the denominator.
        numerator: how exactly the times of the alignments are taken.
        criterion: how it is regularised.
    """

    phone_model: AcceptorOptions = AcceptorOptions()
    numerator: NumeratorOptions = NumeratorOptions()
    criterion: LfMmiOptions = LfMmiOptions()


@dataclass(frozen=True)
class AcousticOptions:
    """Everything that determines an acoustic model, given aligned corpora.

    Attributes:
        tree: how the decision tree is grown.
        features: the network's input.
        speeds: versions of each recording of which every epoch draws one; must contain 1.0.
        augmentation: further changes of the recordings. Every epoch then draws the recording itself
            or one of its augmented copies, which have these speeds in turn. Patterns of noise start
            from the directory that the training sets' names start from.
        cache_features: keep the features of all versions in files; otherwise they are computed each
            time that an utterance is drawn, and copies are augmented anew in each epoch.
        network: its shape; its outputs are the tree's leaves, its inputs the mel bins.
        training: how it is trained.
        lf_mmi: train with lattice-free MMI instead of cross-entropy: with the chain topology, a
            tree of left biphones, and a network whose outputs are further apart than frames.
        initial: network whose hidden layers training starts from, below a new output layer: a
            network's file or a model directory (from the working directory), or "english", the
            model of this package.
        priors: what the states' priors are relative frequencies of: "labels" of training frames, or
            "posteriors" that the trained network gives them on average.
        silence_weight: divisor of the counts of silence states in the priors.
        precision: of the network's weights in recognition, "float32" or "int8"; by default float32,
            or that of the model whose network is trained anew.
        storage: of the weight matrices in the model's file, "float32" or "float16", half as large.
        realign: how often the trained network aligns its training sets anew and is trained on from
            there with these labels.
        realign_training: how it is trained then; by default as the first time.
    """

    tree: TreeOptions = TreeOptions()
    features: FbankOptions = FbankOptions()
    speeds: tuple[float, ...] = (1.0,)
    augmentation: AugmentationOptions | None = None
    cache_features: bool = True
    network: NetworkShape = NetworkShape()
    training: TrainingOptions = TrainingOptions()
    lf_mmi: LfMmiTraining | None = None
    initial: str | None = None
    priors: PriorSource = "labels"
    silence_weight: float = SILENCE_WEIGHT
    precision: Precision | None = None
    storage: Storage = "float32"
    realign: int = 0
    realign_training: TrainingOptions | None = None

    def __post_init__(self) -> None:
        self.network.check_native()
        if self.lf_mmi is not None:
            for name, expected in (("realign", 0), ("priors", "labels")):
                if (found := getattr(self, name)) != expected:
                    raise UsageError(f"{name}: expected nothing beside lf_mmi, found {found!r}")
            if self.tree.right_context:
                raise UsageError("tree: right_context: expected false beside lf_mmi, found true")
        elif self.priors == "none":
            raise UsageError("priors: expected labels or posteriors without lf_mmi, found 'none'")
        if self.realign < 0:
            raise UsageError(f"realign: expected a number of passes >= 0, found {self.realign}")
        if 1.0 not in self.speeds or len(set(self.speeds)) != len(self.speeds):
            raise UsageError(
                f"expected distinct speeds with 1.0 among them, found {list(self.speeds)}"
            )

    @property
    def recorded_priors(self) -> dict[str, Any]:
        """What the network's file and ``model.toml`` say of the priors.

        The outputs of lattice-free MMI are scores already, and have none.
        """
        if self.lf_mmi is not None:
            return NO_PRIORS
        return {"source": "labels", "silence_weight": self.silence_weight}

    @property
    def versions(self) -> tuple[Version, ...]:
        """The versions of each recording that are trained on, the recording itself first."""
        return versions_of(
            self.speeds, 0 if self.augmentation is None else self.augmentation.copies
        )
