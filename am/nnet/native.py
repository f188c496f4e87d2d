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
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from recognizer.am import _inference
from recognizer.am.nnet.folding import folded
from recognizer.am.nnet.inference import AcousticNetwork, Block, FloatArray
from recognizer.am.nnet.network_file import Network
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.options import to_table

Precision = Literal["float32", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

LEVEL_VARIABLE = "RECOGNIZER_CPU_LEVEL"
"""Environment variable that names the level of instructions; `cpu_levels` tells which there are."""


def cpu_levels() -> tuple[str, ...]:
    """Levels of instructions that run on this processor: "portable" first, the fastest last."""
    return tuple(_inference.levels())


class NativeNetwork(AcousticNetwork):
    """`recognizer.am.nnet.inference.AcousticNetwork` in native code.

    It may be used by several threads at once; the interpreter lock is released.

    Args:
        network: as `recognizer.am.nnet.network_file.read_network` returns it.
        precision: of the weights, one of `PRECISIONS`.
        threads: most threads that one call uses. They share out layers (or the two directions of
            one) and groups of streams, so a call must bring some dozens of frames to make use of
            more than one.
        level: one of `cpu_levels`; None is the environment's `LEVEL_VARIABLE`, or the fastest.

    Raises:
        UsageError: an unknown precision or level, an impossible number of threads, or a layered
            network with a layer of both directions.
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
        options.check_native()
        try:
            self._native = _inference.Network(
                _tensors(network, "input.") | _tensors(network, "output."),
                _layers(network, "layers"),
                precision == "int8",
                level,
                reverse_layers=_layers(network, "reverse_layers") if options.bidirectional else [],
                subsampling=options.subsampling,
                mean_window=options.mean_window,
                mean_prior=options.mean_prior,
            )
        except ValueError as error:
            raise SpeechError(f"network: {error}") from None

    def _initial_state(self) -> FloatArray:
        return np.zeros(self._native.state_size, dtype=np.float32)

    def _run(self, blocks: Sequence[Block]) -> list[FloatArray]:
        results: list[FloatArray] = self._native.run(
            [block.features for block in blocks],
            [block.state for block in blocks],
            [block.skip for block in blocks],
            self.threads,
        )
        return results


def _layers(network: Network, direction: str) -> list[dict[str, FloatArray | float | str]]:
    """Tensors and options of each layer as the native module names them."""
    options = network.options
    described: list[tuple[str, Mapping[str, float | str]]]
    if options.kind == "dnn":
        dense: dict[str, float | str]
        dense = {"kind": "tdnn", "left": 0, "right": 0, "dilation": 1, "stride": 1, "bypass": 0.0}
        layer = {**dense, "activation": options.activation}
        lowest = {**layer, "left": options.left_context, "right": options.right_context}
        described = [(f"layers.{n}.", layer if n else lowest) for n in range(options.depth)]
        if options.projection:
            described.append(("projection.", {**dense, "activation": "none"}))
    else:
        stack = options.stack or (options.lstmp,) * options.depth
        described = [(f"{direction}.{n}.", to_table(layer)) for n, layer in enumerate(stack)]
    return [{**folded(_tensors(network, prefix)), **facts} for prefix, facts in described]


def _tensors(network: Network, prefix: str) -> dict[str, FloatArray]:
    """The tensors whose names begin so, under the rest of their names."""
    return {
        name.removeprefix(prefix): np.ascontiguousarray(tensor)
        for name, tensor in network.tensors.items()
        if name.startswith(prefix)
    }
