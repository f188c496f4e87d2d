"""Shapes of recurrent networks that read one sequence of vectors and predict another; RMSProp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from recognizer.data.errors import UsageError

Controller = Literal["lstm", "feed-forward"]

InitialState = Literal["learned", "constant"]


@dataclass(frozen=True)
class NtmOptions:
    """Shape of a Neural Turing Machine.

    Attributes:
        inputs: dimension of an input vector.
        outputs: number of output logits of a time step.
        controller: "lstm", or "feed-forward": hidden layers of tanh units.
        layers: of the controller.
        units: of each of these layers.
        slots: rows of the memory, N in the paper.
        width: numbers in a row, M in the paper.
        read_heads: heads that read.
        write_heads: heads that erase and add.
        shift_range: a head moves by at most so many slots in a time step, to either side.
        initial_state: "learned": memory, weightings, read vectors and state of the controller
            before the first input are parameters; "constant": they are not trained, the memory is
            `recognizer.lm.neural.ntm.CONSTANT_MEMORY` everywhere, heads are at slot 0, and all
            else is 0.
    """

    inputs: int
    outputs: int
    controller: Controller = "lstm"
    layers: int = 1
    units: int = 100
    slots: int = 128
    width: int = 20
    read_heads: int = 1
    write_heads: int = 1
    shift_range: int = 1
    initial_state: InitialState = "learned"

    def __post_init__(self) -> None:
        counts = ("inputs", "outputs", "layers", "units", "slots", "width")
        for name in (*counts, "read_heads", "write_heads"):
            _check_positive(name, getattr(self, name))
        if self.controller not in ("lstm", "feed-forward"):
            raise UsageError(
                f"controller: expected lstm or feed-forward, found {self.controller!r}"
            )
        if self.initial_state not in ("learned", "constant"):
            raise UsageError(
                f"initial_state: expected learned or constant, found {self.initial_state!r}"
            )
        if not 0 <= self.shift_range <= (self.slots - 1) // 2:
            raise UsageError(
                f"shift_range: expected 0 to {(self.slots - 1) // 2}, so that the "
                f"{self.slots} slots hold all shifts apart, found {self.shift_range}"
            )


@dataclass(frozen=True)
class StackedLstmOptions:
    """Shape of layers of LSTM cells as in Graves 2013: all see the input, all reach the output.

    Attributes:
        inputs: dimension of an input vector.
        outputs: number of output logits of a time step.
        layers: number of hidden layers.
        units: cells of each.
    """

    inputs: int
    outputs: int
    layers: int = 3
    units: int = 256

    def __post_init__(self) -> None:
        for name in ("inputs", "outputs", "layers", "units"):
            _check_positive(name, getattr(self, name))


@dataclass(frozen=True)
class RmsPropOptions:
    """Constants of the updates; names of Graves 2013, equations 38 to 45, in parentheses.

    Attributes:
        learning_rate: (4th) factor of an update.
        decay: (1st) of the running means of gradients and of their squares.
        momentum: (2nd) share of the last update that is repeated.
        floor: (3rd) added to the variance of a gradient below the root.
        clip: gradient components are limited to -clip and clip first.
    """

    learning_rate: float = 1e-4
    decay: float = 0.95
    momentum: float = 0.9
    floor: float = 1e-4
    clip: float = 10.0

    def __post_init__(self) -> None:
        for name in ("learning_rate", "floor", "clip"):
            if getattr(self, name) <= 0:
                raise UsageError(f"{name}: expected a number above 0, found {getattr(self, name)}")
        for name in ("decay", "momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(
                    f"{name}: expected a number from 0 to below 1, found {getattr(self, name)}"
                )


def _check_positive(name: str, value: int) -> None:
    if value < 1:
        raise UsageError(f"{name}: expected a number above 0, found {value}")
