"""The LSTMP network in numpy alone, one stream: recognition without torch.

Layer by layer over the block that a caller advances by: the input products of the block are one
matrix product, the recurrence is two matrix-vector products and a dozen vector operations for
each frame, all into preallocated memory. A call into numpy costs half a microsecond to two, so
the loop is written to make few of them.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from am.inference import DelayedSession, FloatArray, NetworkModel
from am.network_file import Network

# Longest block that is run at once; it bounds memory, not results.
_BLOCK = 256


class _OneThread:
    """Keeps BLAS to one thread while any session runs, in whichever thread.

    A matrix-vector product of a frame is too short to share: on cores that are not idle, threads
    that wait for each other make the loop many times slower. The setting is the whole process's,
    so the first session to run makes it and the last one takes it back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._limit: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if self._running == 0:
                self._limit = ThreadpoolController().limit(limits=1, user_api="blas")
            self._running += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._running -= 1
            if self._running == 0:
                self._limit.restore_original_limits()


_ONE_THREAD = _OneThread()


class _Layer:
    """Weights of one layer, arranged for the loop.

    Sigmoids are taken as (1 + tanh(x / 2)) / 2: the halves are folded into the weights, so that
    one tanh over ``[i/2, f/2, g]`` serves three gates.
    """

    def __init__(self, network: Network, layer: int) -> None:
        tensors = network.tensors
        prefix = f"layers.{layer}."
        C = network.options.cells
        half = np.full(4 * C, 0.5, dtype=np.float32)
        half[2 * C : 3 * C] = 1.0
        self.cells = C
        self.projection = network.options.projection
        self.clip = np.float32(network.options.cell_clip)
        self.w_x_t = np.ascontiguousarray((tensors[prefix + "w_x"] * half[:, None]).T)
        self.bias = tensors[prefix + "bias"] * half
        self.w_r = np.ascontiguousarray(tensors[prefix + "w_r"] * half[:, None])
        self.peep_if = 0.5 * np.stack((tensors[prefix + "peep_i"], tensors[prefix + "peep_f"]))
        self.peep_o = 0.5 * tensors[prefix + "peep_o"]
        # m = o tanh(c) = 0.5 (1 + tanh(.)) tanh(c): the 0.5 goes into the projection.
        self.w_p_half = np.ascontiguousarray(0.5 * tensors[prefix + "w_p"])


class _LayerState:
    """Recurrent state of one layer and its scratch memory."""

    def __init__(self, layer: _Layer) -> None:
        self._layer = layer
        C = layer.cells
        self._c = np.zeros(C, dtype=np.float32)
        self._r = np.zeros(layer.projection, dtype=np.float32)
        self._gates = np.empty(4 * C, dtype=np.float32)
        self._peep = np.empty((2, C), dtype=np.float32)
        self._tanh_c = np.empty(C, dtype=np.float32)

    def run(self, x: FloatArray) -> FloatArray:
        """Projected outputs ``[T, P]`` of inputs ``[T, D]``."""
        layer = self._layer
        C = layer.cells
        pre = x @ layer.w_x_t
        pre += layer.bias
        out = np.empty((len(x), layer.projection), dtype=np.float32)
        gates, peep, c, tanh_c = self._gates, self._peep, self._c, self._tanh_c
        gates_if = gates[: 2 * C].reshape(2, C)
        i, f, ifg = gates[:C], gates[C : 2 * C], gates[: 3 * C]
        gates_if_flat, g, o = gates[: 2 * C], gates[2 * C : 3 * C], gates[3 * C :]
        w_r, w_p, peep_if, peep_o = layer.w_r, layer.w_p_half, layer.peep_if, layer.peep_o
        low, high = -layer.clip, layer.clip
        half, one = np.float32(0.5), np.float32(1.0)
        dot, add, multiply, tanh = np.dot, np.add, np.multiply, np.tanh
        maximum, minimum = np.maximum, np.minimum
        r = self._r
        for t in range(len(x)):
            dot(w_r, r, out=gates)
            add(gates, pre[t], out=gates)
            multiply(peep_if, c, out=peep)
            add(gates_if, peep, out=gates_if)
            tanh(ifg, out=ifg)
            add(gates_if_flat, one, out=gates_if_flat)
            multiply(g, i, out=g)
            multiply(c, f, out=c)
            add(c, g, out=c)
            multiply(c, half, out=c)
            maximum(c, low, out=c)
            minimum(c, high, out=c)
            multiply(peep_o, c, out=tanh_c)
            add(o, tanh_c, out=o)
            tanh(o, out=o)
            add(o, one, out=o)
            tanh(c, out=tanh_c)
            multiply(o, tanh_c, out=tanh_c)
            r = out[t]
            dot(w_p, tanh_c, out=r)
        self._r = r.copy()
        return out


class NumpyLstmp(NetworkModel):
    """`am.inference.AcousticModel` in numpy, float32.

    Args:
        network: as `am.network_file.read_network` returns it.
    """

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self.mean = network.tensors["input.mean"]
        self.inv_std = network.tensors["input.inv_std"]
        self.layers = [_Layer(network, layer) for layer in range(network.options.layers)]
        self.output_weight_t = np.ascontiguousarray(network.tensors["output.weight"].T)
        self.output_bias = network.tensors["output.bias"]

    def start(self) -> NumpySession:
        """Begin an utterance with zero states."""
        return NumpySession(self)


class NumpySession(DelayedSession):
    """One utterance, see `am.inference.AcousticSession`."""

    def __init__(self, model: NumpyLstmp) -> None:
        super().__init__(model.options)
        self._model = model
        self._states = [_LayerState(layer) for layer in model.layers]

    def _run(self, features: FloatArray, drop: int) -> FloatArray:
        with _ONE_THREAD:
            return self._run_blocks(features, drop)

    def _run_blocks(self, features: FloatArray, drop: int) -> FloatArray:
        model = self._model
        result = np.empty((len(features) - drop, self._outputs), dtype=np.float32)
        for begin in range(0, len(features), _BLOCK):
            x = (features[begin : begin + _BLOCK] - model.mean) * model.inv_std
            for state in self._states:
                x = state.run(x)
            skip = max(drop - begin, 0)
            if skip >= len(x):
                continue
            rows = result[begin + skip - drop : begin + len(x) - drop]
            np.dot(x[skip:], model.output_weight_t, out=rows)
            rows += model.output_bias
            _log_softmax(rows)
        return result


def _log_softmax(rows: FloatArray) -> None:
    """Log softmax of each row in place."""
    rows -= rows.max(axis=1, keepdims=True)
    rows -= np.log(np.exp(rows).sum(axis=1, keepdims=True))
