"""How the rest of the system asks an acoustic network for posteriors: numpy in, numpy out.

Engines: `recognizer.am.nnet.native.NativeNetwork`, which recognition uses and which needs no torch,
and `recognizer.am.torch.inference.TorchNetwork`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from recognizer.am.nnet.network_file import Network, read_network
from recognizer.am.nnet.options import NetworkOptions
from recognizer.data.errors import SpeechError, UsageError

if TYPE_CHECKING:
    from typing_extensions import Self

FloatArray = npt.NDArray[np.float32]


class AcousticSession(Protocol):
    """One utterance on its way through the network.

    What comes out does not depend on how the frames were cut into calls.
    """

    def advance(self, features: npt.ArrayLike) -> FloatArray:
        """Feed frames.

        Args:
            features: raw features ``[T, D]``, T >= 0; they are normalised inside.

        Returns:
            Log posteriors ``[T', S]`` float32, natural log, of the next T' frames; the output
            delay makes T' smaller than T at first.

        Raises:
            SpeechError: wrong shape, NaN or inf, or the session has ended.
        """
        ...

    def finish(self) -> FloatArray:
        """End the utterance: log posteriors of the frames that are still due ``[T'', S]``."""
        ...


class AcousticModel(Protocol):
    """A trained network."""

    @property
    def num_pdfs(self) -> int:
        """S, number of outputs."""
        ...

    @property
    def output_delay(self) -> int:
        """Frames by which outputs come late."""
        ...

    @property
    def input_dim(self) -> int:
        """D, features per frame."""
        ...

    @property
    def log_priors(self) -> FloatArray:
        """Log prior of each output ``[S]``, natural log."""
        ...

    def start(self) -> AcousticSession:
        """Begin an utterance with zero states.

        Raises:
            UsageError: the network is bidirectional.
        """
        ...

    def log_posteriors(self, features: Sequence[npt.ArrayLike]) -> list[FloatArray]:
        """Log posteriors ``[T, S]`` of whole utterances ``[T, D]``, any number of them at once."""
        ...


def log_posteriors(model: AcousticModel, features: npt.ArrayLike) -> FloatArray:
    """Log posteriors ``[T, S]`` (natural log) of a whole utterance ``[T, D]``."""
    return model.log_posteriors([features])[0]


def scaled_log_likelihoods(model: AcousticModel, features: npt.ArrayLike) -> FloatArray:
    """``log p(s|x) - log p(s)`` ``[T, S]`` of a whole utterance: what the search takes."""
    result = log_posteriors(model, features)
    result -= model.log_priors
    return result


def checked_features(features: npt.ArrayLike, input_dim: int) -> FloatArray:
    """The frames as a block ``[T, D]``.

    Raises:
        SpeechError: wrong shape, NaN or inf.
    """
    block = np.ascontiguousarray(features, dtype=np.float32)
    if block.ndim != 2 or block.shape[1] != input_dim:
        raise SpeechError(f"features: expected [T, {input_dim}], found {list(block.shape)}")
    if not np.isfinite(block).all():
        raise SpeechError("features: expected finite numbers, found NaN or inf")
    return block


class NetworkModel:
    """What the engines have in common: the network's facts. Its weights are theirs to keep.

    Args:
        network: as `recognizer.am.nnet.network_file.read_network` returns it.
    """

    def __init__(self, network: Network) -> None:
        self.options: NetworkOptions = network.options
        self._log_priors = network.tensors.get("log_priors")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a network's file."""
        return cls(read_network(path))

    @property
    def num_pdfs(self) -> int:
        """S, number of outputs."""
        return self.options.outputs

    @property
    def output_delay(self) -> int:
        """Frames by which outputs come late."""
        return self.options.output_delay

    @property
    def input_dim(self) -> int:
        """D, features per frame."""
        return self.options.input_dim

    @property
    def log_priors(self) -> FloatArray:
        """Log prior of each output ``[S]``, natural log.

        Raises:
            SpeechError: the network has none (training has not ended).
        """
        if self._log_priors is None:
            raise SpeechError("network: expected a tensor log_priors, found none")
        return self._log_priors

    def require_streaming(self) -> None:
        """Raises a `UsageError` if the network is bidirectional."""
        if not self.options.streaming:
            raise UsageError(
                "the network is bidirectional: it cannot stream, only take whole utterances"
            )


class DelayedSession:
    """Output delay and checks, common to the engines.

    The network's output at frame t + d is about frame t: the first d outputs are dropped, and at
    the end the last frame is fed d more times.
    """

    def __init__(self, options: NetworkOptions) -> None:
        self._input_dim = options.input_dim
        self._outputs = options.outputs
        self._delay = options.output_delay
        self._to_drop = options.output_delay
        self._last: FloatArray | None = None
        self._ended = False

    def _run(self, features: FloatArray, drop: int) -> FloatArray:
        """Log posteriors of a block ``[T, D]``, T >= 1, without the first ``drop`` rows."""
        raise NotImplementedError

    def advance(self, features: npt.ArrayLike) -> FloatArray:
        """See `AcousticSession.advance`."""
        return self._run_if_any(*self._take(self._checked(features)))

    def finish(self) -> FloatArray:
        """See `AcousticSession.finish`."""
        return self._run_if_any(*self._end())

    def _checked(self, features: npt.ArrayLike) -> FloatArray:
        """The frames as a block ``[T, D]``, or a `SpeechError`; nothing is changed."""
        if self._ended:
            raise SpeechError("acoustic session: frames after its end")
        return checked_features(features, self._input_dim)

    def _take(self, block: FloatArray) -> tuple[FloatArray, int]:
        """The block, and how many of its first outputs are to be dropped."""
        if len(block):
            self._last = block[-1:].copy()
        drop = min(self._to_drop, len(block))
        self._to_drop -= drop
        return block, drop

    def _end(self) -> tuple[FloatArray, int]:
        """The frames that bring the last outputs out, and how many of theirs to drop."""
        if self._ended:
            raise SpeechError("acoustic session: ended twice")
        self._ended = True
        if self._last is None:
            return np.empty((0, self._input_dim), dtype=np.float32), 0
        return self._take(np.repeat(self._last, self._delay, axis=0))

    def _run_if_any(self, block: FloatArray, drop: int) -> FloatArray:
        if len(block) == 0:
            return np.empty((0, self._outputs), dtype=np.float32)
        return self._run(block, drop)
