"""The Neural Turing Machine of the paper as plain loops over numbers, to compare with.

Written from Graves, Wayne and Danihelka 2014, section 3, for one sequence; no code is shared with
`recognizer.lm.neural`. Weights come by name as a state dictionary of the network has them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Vector = list[float]
Weights = Mapping[str, npt.NDArray[np.float64]]


def logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def softmax(values: Sequence[float]) -> Vector:
    powers = [math.exp(value) for value in values]
    return [power / sum(powers) for power in powers]


def softplus(x: float) -> float:
    return math.log(1.0 + math.exp(x))


def linear(weights: Weights, name: str, x: Sequence[float]) -> Vector:
    matrix = weights[f"{name}.weight"]
    bias = weights.get(f"{name}.bias", np.zeros(len(matrix)))
    return [
        float(bias[row]) + sum(float(matrix[row, col]) * x[col] for col in range(len(x)))
        for row in range(len(matrix))
    ]


def cosine(u: Sequence[float], v: Sequence[float]) -> float:
    """Equation 6."""
    dot = sum(a * b for a, b in zip(u, v, strict=True))
    return dot / (math.sqrt(sum(a * a for a in u)) * math.sqrt(sum(b * b for b in v)))


def address(memory: list[Vector], previous: Vector, emitted: Sequence[float], reach: int) -> Vector:
    """Equations 5 to 9, of one head."""
    n, m = len(memory), len(memory[0])
    key = emitted[:m]
    shifts = softmax(emitted[m : m + 2 * reach + 1])
    gate, strength = logistic(emitted[-3]), softplus(emitted[-2])
    gamma = 1.0 + softplus(emitted[-1])
    content = softmax([strength * cosine(key, row) for row in memory])
    gated = [gate * content[i] + (1.0 - gate) * previous[i] for i in range(n)]
    moved = [0.0] * n
    for i in range(n):
        for j in range(n):
            for offset in range(-reach, reach + 1):
                if (i - j) % n == offset % n:
                    moved[i] += gated[j] * shifts[offset + reach]
    powers = [weight**gamma for weight in moved]
    return [power / sum(powers) for power in powers]


def run(
    weights: Weights,
    inputs: npt.NDArray[np.float64],
    *,
    lstm: bool,
    layers: int,
    units: int,
    read_heads: int,
    write_heads: int,
    reach: int,
) -> tuple[list[Vector], list[list[Vector]], list[Vector]]:
    """Logits of each step, weightings of each step and head, and the last memory.

    Args:
        weights: parameters and initial states by name.
        inputs: [T, inputs].
        lstm: whether the controller is one.
        layers: of the controller.
        units: of each.
        read_heads: number.
        write_heads: number.
        reach: range of shifts to either side.
    """
    memory = [list(map(float, row)) for row in weights["initial_memory"]]
    weighting = [softmax(list(map(float, row))) for row in weights["initial_weighting"]]
    read = [list(map(float, row)) for row in weights["initial_read"]]
    hidden = [list(map(float, row)) for row in weights["initial_hidden"]]
    cells = [list(map(float, row)) for row in weights["initial_cells"]]
    n, m, heads = len(memory), len(memory[0]), read_heads + write_heads
    logits, weightings = [], []
    for x in inputs:
        seen = [value for vector in read for value in vector]
        below = [
            a + b
            for a, b in zip(
                linear(weights, "from_input", x), linear(weights, "from_read", seen), strict=True
            )
        ]
        for layer in range(layers):
            if layer:
                below = linear(weights, f"deeper.{layer - 1}", top)  # noqa: F821
            if lstm:
                gates = [
                    a + b
                    for a, b in zip(
                        below, linear(weights, f"recurrent.{layer}", hidden[layer]), strict=True
                    )
                ]
                for u in range(units):
                    i, f, o = (logistic(gates[part * units + u]) for part in range(3))
                    cells[layer][u] = f * cells[layer][u] + i * math.tanh(gates[3 * units + u])
                    hidden[layer][u] = o * math.tanh(cells[layer][u])
                top = list(hidden[layer])
            else:
                top = [math.tanh(value) for value in below]
        emitted = linear(weights, "to_heads", top)
        size = m + 2 * reach + 4
        weighting = [
            address(memory, weighting[h], emitted[h * size : (h + 1) * size], reach)
            for h in range(heads)
        ]
        vectors = emitted[heads * size :]
        erase = [
            [logistic(v) for v in vectors[2 * m * h : 2 * m * h + m]] for h in range(write_heads)
        ]
        add = [vectors[2 * m * h + m : 2 * m * (h + 1)] for h in range(write_heads)]
        for i in range(n):
            for j in range(m):
                for h in range(write_heads):  # equation 3
                    memory[i][j] *= 1.0 - weighting[read_heads + h][i] * erase[h][j]
                for h in range(write_heads):  # equation 4
                    memory[i][j] += weighting[read_heads + h][i] * add[h][j]
        read = [
            [sum(weighting[h][i] * memory[i][j] for i in range(n)) for j in range(m)]
            for h in range(read_heads)
        ]  # equation 2
        out = top + [value for vector in read for value in vector]
        logits.append(linear(weights, "to_output", out))
        weightings.append(weighting)
    return logits, weightings, memory
