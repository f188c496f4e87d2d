"""How the rest of the system asks a trained network for log posteriors: numpy in, numpy out.

Engines: `recognizer.am.nnet.native.NativeNetwork`, which recognition uses and which needs no torch,
and `recognizer.am.torch.inference.TorchNetwork`. Search and alignment take scores, which
`recognizer.am.nnet.acoustic_model` makes of log posteriors.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recognizer.am.nnet.network_file import Network, read_network
from recognizer.am.nnet.options import NetworkOptions
from recognizer.data.errors import SpeechError, UsageError

if TYPE_CHECKING:
    from typing_extensions import Self

FloatArray = npt.NDArray[np.float32]


class Block(NamedTuple):
    """What one call does for one stream, or for a whole utterance of a bidirectional network.

    Attributes:
        features: frames ``[T, D]``, checked.
        skip: outputs before the first that is wanted; of the others every n-th is, where n is the
            network's subsampling.
        state: the engine's, from the frame before the block; brought to its last frame in place.
    """

    features: FloatArray
    skip: int
    state: Any


class NetworkSession:
    """One utterance on its way through a network; `AcousticNetwork.start` makes it.

    What comes out does not depend on how the frames were cut into calls. A session may be used by
    one thread at a time.

    With an output delay d, the output at frame t + d is about frame t: the first d outputs are
    dropped, and at the end the last frame is fed d more times. With a subsampling n, only the
    outputs about the frames 0, n, 2n, ... are kept: ``ceil(T / n)`` of T frames, as in Kaldi.
    Layered networks take frames in groups of n: frames wait until theirs is whole, which at the end
    the last frame makes it.
    """

    def __init__(self, network: AcousticNetwork, state: Any) -> None:
        self.network = network
        self._state = state
        self._fed = 0
        self._last: FloatArray | None = None
        self._waiting = np.empty((0, network.input_dim), dtype=np.float32)
        self._ended = False

    def advance(self, features: npt.ArrayLike) -> FloatArray:
        """Feed frames.

        Args:
            features: raw features ``[T, D]``, T >= 0; they are normalised inside.

        Returns:
            Log posteriors ``[T', S]`` float32, natural log, of the next T' output frames.

        Raises:
            SpeechError: wrong shape, NaN or inf, or the session has ended.
        """
        return self.network.advance_all([self], [features])[0]

    def finish(self) -> FloatArray:
        """End the utterance: log posteriors of the output frames that are still due ``[T'', S]``.

        Raises:
            SpeechError: the session has ended before.
        """
        return self.network.finish_all([self])[0]

    def check(self, features: npt.ArrayLike) -> FloatArray:
        """The frames as a block ``[T, D]``; nothing is changed.

        Raises:
            SpeechError: wrong shape, NaN or inf, or the session has ended.
        """
        if self._ended:
            raise SpeechError("acoustic session: frames after its end")
        return checked_features(features, self.network.input_dim)

    def feed(self, features: FloatArray) -> Block:
        """Count the frames ``[T, D]`` as fed: what the engine has to do for them."""
        if len(features):
            self._last = features[-1:].copy()
        options = self.network.options
        if options.frame_group > 1:
            features = np.concatenate([self._waiting, features])
            whole = len(features) - len(features) % options.frame_group
            features, self._waiting = features[:whole], features[whole:].copy()
        about = self._fed - options.output_delay
        self._fed += len(features)
        skip = -about if about < 0 else -about % options.subsampling
        return Block(features, min(skip, len(features)), self._state)

    def end(self) -> Block:
        """Mark the session as ended: what the engine has to do for the last outputs.

        Raises:
            SpeechError: the session has ended before.
        """
        if self._ended:
            raise SpeechError("acoustic session: ended twice")
        self._ended = True
        if self._last is None:
            return self.feed(np.empty((0, self.network.input_dim), dtype=np.float32))
        options = self.network.options
        missing = -len(self._waiting) % options.frame_group
        return self.feed(np.repeat(self._last, missing + options.output_delay, axis=0))


class AcousticNetwork(ABC):
    """A trained network behind its engine.

    Args:
        network: as `recognizer.am.nnet.network_file.read_network` returns it. Its weights are the
            engine's to keep.
    """

    def __init__(self, network: Network) -> None:
        self.options: NetworkOptions = network.options
        self._log_priors = network.tensors.get("log_priors")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a network's file."""
        return cls(read_network(path))

    @property
    def num_outputs(self) -> int:
        """S, number of outputs."""
        return self.options.outputs

    @property
    def output_delay(self) -> int:
        """Frames by which outputs come late."""
        return self.options.output_delay

    @property
    def subsampling(self) -> int:
        """Frames from one output to the next."""
        return self.options.subsampling

    @property
    def input_dim(self) -> int:
        """D, features per frame."""
        return self.options.input_dim

    @property
    def streaming(self) -> bool:
        """Whether outputs can be had before the utterance has ended."""
        return self.options.streaming

    @property
    def log_priors(self) -> FloatArray:
        """Log prior of each output ``[S]``, natural log.

        Raises:
            SpeechError: the network has none (training has not ended).
        """
        if self._log_priors is None:
            raise SpeechError("network: expected a tensor log_priors, found none")
        return self._log_priors

    def start(self) -> NetworkSession:
        """Begin an utterance with the state before its first frame.

        Raises:
            UsageError: the network is bidirectional.
        """
        if not self.streaming:
            raise UsageError(
                "the network is bidirectional: it cannot stream, only take whole utterances"
            )
        return NetworkSession(self, self._initial_state())

    def advance_all(
        self, sessions: Sequence[NetworkSession], features: Sequence[npt.ArrayLike]
    ) -> list[FloatArray]:
        """`NetworkSession.advance` of several sessions of this network at once.

        Args:
            sessions: each at most once.
            features: for each session a block ``[T, D]``; lengths may differ and be 0.

        Returns:
            For each session what its own ``advance`` would have returned, bit for bit.

        Raises:
            SpeechError: a wrong block; no session has then advanced.
            UsageError: lists of different lengths, a session twice or of another network.
        """
        self._check_sessions(sessions)
        if len(features) != len(sessions):
            raise UsageError(f"features: expected {len(sessions)} blocks, found {len(features)}")
        blocks = [s.check(block) for s, block in zip(sessions, features, strict=True)]
        return self._run([s.feed(block) for s, block in zip(sessions, blocks, strict=True)])

    def finish_all(self, sessions: Sequence[NetworkSession]) -> list[FloatArray]:
        """`NetworkSession.finish` of several sessions at once."""
        self._check_sessions(sessions)
        return self._run([session.end() for session in sessions])

    def log_posteriors(self, features: Sequence[npt.ArrayLike]) -> list[FloatArray]:
        """Log posteriors ``[ceil(T / n), S]`` (natural log) of whole utterances ``[T, D]``.

        Args:
            features: any number of utterances; n is the network's subsampling.

        Raises:
            SpeechError: wrong shape, NaN or inf.
        """
        if not self.streaming:
            return self._run([self._whole(utterance) for utterance in features])
        sessions = [self.start() for _ in features]
        first = self.advance_all(sessions, features)
        rest = self.finish_all(sessions)
        return [np.concatenate(parts) for parts in zip(first, rest, strict=True)]

    def _whole(self, features: npt.ArrayLike) -> Block:
        """What there is to do for a whole utterance at once, see `NetworkSession`."""
        block, options = checked_features(features, self.input_dim), self.options
        if len(block):
            added = -len(block) % options.frame_group + options.output_delay
            block = np.concatenate([block, np.repeat(block[-1:], added, axis=0)])
        return Block(block, min(options.output_delay, len(block)), self._initial_state())

    @abstractmethod
    def _initial_state(self) -> Any:
        """The engine's state of a stream before its first frame; empty if bidirectional."""

    @abstractmethod
    def _run(self, blocks: Sequence[Block]) -> list[FloatArray]:
        """Log posteriors ``[ceil((T - skip) / n), S]`` of each block, arrays of their own."""

    def _check_sessions(self, sessions: Sequence[NetworkSession]) -> None:
        if len({id(session) for session in sessions}) != len(sessions):
            raise UsageError("sessions: expected each once, found one twice")
        if any(session.network is not self for session in sessions):
            raise UsageError("sessions: expected sessions of this model, found another's")


def log_posteriors(network: AcousticNetwork, features: npt.ArrayLike) -> FloatArray:
    """Log posteriors ``[ceil(T / n), S]`` (natural log) of a whole utterance ``[T, D]``."""
    return network.log_posteriors([features])[0]


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
