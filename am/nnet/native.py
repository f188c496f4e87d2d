"""Networks of every kind in native code: float32 or int8 weights, one stream or many.

The kernels (``am/csrc``) exist for several levels of a processor's instructions; the fastest that
the processor has is chosen when a model is made. What a stream's frames give does not depend, bit
for bit, on how they were cut into calls, on the other streams of a batch, or on the number of
threads. Levels differ from each other by rounding.

In int8 each row of weights has a scale, and the activations of each stream and frame have one; both
are rounded to integers of at most 127 and multiplied exactly. The products of the features (of a
window of them in a DNN) and all sums outside of the matrix products stay in float32.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from recognizer.am import _inference
from recognizer.am.nnet.inference import DelayedSession, FloatArray, NetworkModel, checked_features
from recognizer.am.nnet.network_file import Network
from recognizer.data.errors import SpeechError, UsageError

Precision = Literal["float32", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

LEVEL_VARIABLE = "RECOGNIZER_CPU_LEVEL"
"""Environment variable that names the level of instructions; `cpu_levels` tells which there are."""


def cpu_levels() -> tuple[str, ...]:
    """Levels of instructions that run on this processor: "portable" first, the fastest last."""
    return tuple(_inference.levels())


class NativeNetwork(NetworkModel):
    """`recognizer.am.nnet.inference.AcousticModel` in native code.

    A model may be used by several threads at once, a session by one at a time; the interpreter lock
    is released.

    Args:
        network: as `recognizer.am.nnet.network_file.read_network` returns it.
        precision: of the weights, one of `PRECISIONS`.
        threads: most threads that one call uses. They share out layers (or the two directions of
            one) and groups of streams, so a call must bring some dozens of frames to make use of
            more than one.
        level: one of `cpu_levels`; None is the environment's `LEVEL_VARIABLE`, or the fastest.

    Raises:
        UsageError: an unknown precision or level, or an impossible number of threads.
        SpeechError: a tensor of another shape or type, or with NaN or inf.
    """

    def __init__(
        self,
        network: Network,
        precision: str = "float32",
        threads: int = 1,
        *,
        level: str | None = None,
    ) -> None:
        super().__init__(network)
        if precision not in PRECISIONS:
            raise UsageError(f"precision: expected one of {PRECISIONS}, found {precision!r}")
        if not isinstance(threads, int) or not 1 <= threads <= 1024:
            raise UsageError(f"threads: expected 1 to 1024, found {threads!r}")
        level = level or os.environ.get(LEVEL_VARIABLE) or cpu_levels()[-1]
        if level not in cpu_levels():
            raise UsageError(f"level: expected one of {cpu_levels()}, found {level!r}")
        self.precision = precision
        self.threads = threads
        self.level = level
        options = network.options
        layers = _layers(network, "layers")
        if "projection.weight" in network.tensors:
            layers.append(_tensors(network, "projection."))
        try:
            self._native = _inference.Network(
                _tensors(network, "input.") | _tensors(network, "output."),
                layers,
                options.cell_clip,
                precision == "int8",
                level,
                reverse_layers=_layers(network, "reverse_layers"),
                history=options.window - 1 if options.kind == "dnn" else 0,
                activation=options.activation,
            )
        except ValueError as error:
            raise SpeechError(f"network: {error}") from None

    def start(self) -> NativeSession:
        """See `recognizer.am.nnet.inference.AcousticModel.start`."""
        self.require_streaming()
        return NativeSession(self)

    def advance_all(
        self, sessions: Sequence[NativeSession], features: Sequence[npt.ArrayLike]
    ) -> list[FloatArray]:
        """`NativeSession.advance` of several sessions of this model at once.

        Args:
            sessions: each at most once.
            features: for each session a block ``[T, D]``; lengths may differ and be 0.

        Returns:
            For each session what its own ``advance`` would have returned, bit for bit.

        Raises:
            SpeechError: a wrong block; no session has then advanced.
            UsageError: lists of different lengths, a session twice or of another model.
        """
        self._check_sessions(sessions)
        if len(features) != len(sessions):
            raise UsageError(f"features: expected {len(sessions)} blocks, found {len(features)}")
        blocks = [s._checked(block) for s, block in zip(sessions, features, strict=True)]
        return self._run_all(
            sessions, [s._take(block) for s, block in zip(sessions, blocks, strict=True)]
        )

    def finish_all(self, sessions: Sequence[NativeSession]) -> list[FloatArray]:
        """`NativeSession.finish` of several sessions at once."""
        self._check_sessions(sessions)
        return self._run_all(sessions, [session._end() for session in sessions])

    def log_posteriors(self, features: Sequence[npt.ArrayLike]) -> list[FloatArray]:
        """See `recognizer.am.nnet.inference.AcousticModel.log_posteriors`."""
        if not self.options.streaming:
            blocks = [checked_features(utterance, self.input_dim) for utterance in features]
            none = np.empty(0, dtype=np.float32)
            return self._run([(block, 0) for block in blocks], [none] * len(blocks))
        sessions = [self.start() for _ in features]
        first = self.advance_all(sessions, features)
        rest = self.finish_all(sessions)
        return [np.concatenate(parts) for parts in zip(first, rest, strict=True)]

    def _check_sessions(self, sessions: Sequence[NativeSession]) -> None:
        if len({id(session) for session in sessions}) != len(sessions):
            raise UsageError("sessions: expected each once, found one twice")
        if any(session._model is not self for session in sessions):
            raise UsageError("sessions: expected sessions of this model, found another's")

    def _run_all(
        self, sessions: Sequence[NativeSession], blocks: Sequence[tuple[FloatArray, int]]
    ) -> list[FloatArray]:
        return self._run(blocks, [session._state for session in sessions])

    def _run(
        self, blocks: Sequence[tuple[FloatArray, int]], states: list[FloatArray]
    ) -> list[FloatArray]:
        results: list[FloatArray] = self._native.run(
            [block for block, _ in blocks], states, [drop for _, drop in blocks], self.threads
        )
        return results


class NativeSession(DelayedSession):
    """One utterance, see `recognizer.am.nnet.inference.AcousticSession`."""

    def __init__(self, model: NativeNetwork) -> None:
        super().__init__(model.options)
        self._model = model
        self._state = np.zeros(model._native.state_size, dtype=np.float32)

    def _run(self, features: FloatArray, drop: int) -> FloatArray:
        return self._model._run_all([self], [(features, drop)])[0]


def _layers(network: Network, direction: str) -> list[dict[str, FloatArray]]:
    layers = (_tensors(network, f"{direction}.{n}.") for n in range(network.options.layers))
    return [layer for layer in layers if layer]


def _tensors(network: Network, prefix: str) -> dict[str, FloatArray]:
    """The tensors whose names begin so, under the rest of their names."""
    return {
        name.removeprefix(prefix): np.ascontiguousarray(tensor)
        for name, tensor in network.tensors.items()
        if name.startswith(prefix)
    }
