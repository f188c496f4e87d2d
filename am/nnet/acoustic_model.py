"""The acoustic model as search, alignment and evaluation see it: features in, scores out.

Scores are natural logs, higher is better, one row for each output frame; the search takes them as
they are. The output frames have a shift of their own, `AcousticModel.output_frame_shift`, which is
the only number that turns output frames into seconds.

The kind of a model says what its outputs stand for, and so which other parts a model directory
needs: `HybridModel`, states of HMMs, or `CtcModel`, characters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

import numpy.typing as npt

from recognizer.am.features.fbank import FbankOptions
from recognizer.am.nnet.ctc import CtcPruning
from recognizer.am.nnet.inference import AcousticNetwork, FloatArray, NetworkSession
from recognizer.data.errors import SpeechError


class AcousticSession:
    """One utterance on its way through an acoustic model; `AcousticModel.start` makes it.

    What comes out does not depend on how the frames were cut into calls.
    """

    def __init__(self, model: AcousticModel, session: NetworkSession) -> None:
        self.model = model
        self.network_session = session

    def advance(self, features: npt.ArrayLike) -> FloatArray:
        """Feed frames.

        Args:
            features: ``[T, D]``, T >= 0, of the model's `AcousticModel.features`.

        Returns:
            Scores ``[T', S]`` float32 of the next T' output frames.

        Raises:
            SpeechError: wrong shape, NaN or inf, or the session has ended.
        """
        return self.model.advance_all([self], [features])[0]

    def finish(self) -> FloatArray:
        """End the utterance: scores of the output frames that are still due ``[T'', S]``.

        Raises:
            SpeechError: the session has ended before.
        """
        return self.model.finish_all([self])[0]


class AcousticModel(ABC):
    """A network and what its outputs mean. It may be used by several threads at once.

    Args:
        network: gives log posteriors.
        features: options of the filter bank that the network takes.

    Raises:
        SpeechError: the network takes another number of features.
    """

    kind: ClassVar[str]
    """Name of the kind in ``model.toml``."""

    parts: ClassVar[tuple[str, ...]]
    """The parts of a model directory that say what the outputs are, such as "tree"."""

    def __init__(self, network: AcousticNetwork, features: FbankOptions) -> None:
        if network.input_dim != features.num_bins:
            raise SpeechError(
                f"network: input_dim: expected {features.num_bins}, the number of mel bins, "
                f"found {network.input_dim}"
            )
        self.network = network
        self.features = features

    @property
    def num_outputs(self) -> int:
        """S, scores of each output frame."""
        return self.network.num_outputs

    @property
    def output_frame_shift(self) -> float:
        """Seconds from one output frame to the next: output frame t begins at t times this."""
        return self.features.frame_shift * self.network.subsampling

    @property
    def streaming(self) -> bool:
        """Whether scores can be had before the utterance has ended."""
        return self.network.streaming

    def start(self) -> AcousticSession:
        """Begin an utterance.

        Raises:
            UsageError: the model takes whole utterances only.
        """
        return AcousticSession(self, self.network.start())

    def advance_all(
        self, sessions: Sequence[AcousticSession], features: Sequence[npt.ArrayLike]
    ) -> list[FloatArray]:
        """`AcousticSession.advance` of several sessions of this model in one batch.

        Args:
            sessions: each at most once.
            features: for each session a block ``[T, D]``; lengths may differ and be 0.

        Returns:
            For each session what its own ``advance`` would have returned, bit for bit.

        Raises:
            SpeechError: a wrong block; no session has then advanced.
            UsageError: lists of different lengths, a session twice or of another model.
        """
        inner = [session.network_session for session in sessions]
        return [self._scores(rows) for rows in self.network.advance_all(inner, features)]

    def finish_all(self, sessions: Sequence[AcousticSession]) -> list[FloatArray]:
        """`AcousticSession.finish` of several sessions in one batch."""
        inner = [session.network_session for session in sessions]
        return [self._scores(rows) for rows in self.network.finish_all(inner)]

    def scores(self, features: npt.ArrayLike) -> FloatArray:
        """Scores of a whole utterance: the rows of a session's calls, bit for bit.

        Args:
            features: ``[T, D]``.

        Returns:
            ``[T', S]``; T' is T divided by the network's subsampling, rounded up.

        Raises:
            SpeechError: wrong shape, NaN or inf.
        """
        return self._scores(self.network.log_posteriors([features])[0])

    @abstractmethod
    def _scores(self, log_posteriors: FloatArray) -> FloatArray:
        """What the search takes, of log posteriors ``[T, S]``, which may be changed in place."""


class HybridModel(AcousticModel):
    """A hybrid of HMM and network: outputs are the tied states (pdf-ids) of a decision tree.

    Scores are scaled log-likelihoods, ``log p(s|x) - log p(s)`` (Bourlard and Morgan 1994,
    "Connectionist Speech Recognition: A Hybrid Approach"). Nothing else subtracts priors.

    Raises:
        SpeechError: the network has no log priors.
    """

    kind = "hybrid"
    parts = ("tree", "phones", "transitions")

    def __init__(self, network: AcousticNetwork, features: FbankOptions) -> None:
        super().__init__(network, features)
        self._log_priors = network.log_priors

    def _scores(self, log_posteriors: FloatArray) -> FloatArray:
        log_posteriors -= self._log_priors
        return log_posteriors


class CtcModel(AcousticModel):
    """A network that was trained with CTC: outputs are a blank and characters.

    Scores are the log posteriors themselves: what a language model adds is a matter of scales, as
    in Amodei et al. 2015, section 3.8.

    Args:
        network: gives log posteriors.
        features: options of the filter bank that the network takes.
        pruning: which outputs of a frame the search considers; None for all.
    """

    kind = "ctc"
    parts = ("characters",)

    def __init__(
        self, network: AcousticNetwork, features: FbankOptions, pruning: CtcPruning | None = None
    ) -> None:
        super().__init__(network, features)
        self.pruning = pruning

    def _scores(self, log_posteriors: FloatArray) -> FloatArray:
        if self.pruning is not None and len(log_posteriors):
            self.pruning.prune(log_posteriors)
        return log_posteriors


KINDS: Mapping[str, type[AcousticModel]] = MappingProxyType(
    {kind.kind: kind for kind in (HybridModel, CtcModel)}
)
"""The kinds of acoustic models that this version reads, by name."""
