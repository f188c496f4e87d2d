"""The Neural Turing Machine: a controller with read and write heads on a memory.

Graves, Wayne and Danihelka 2014. What the paper leaves open is decided as follows. The controller
sees the input and what the heads read in the step before. Heads are addressed by the memory as the
step before left it; then the writing heads write; then the reading heads read, so that equation 2
reads the memory of the same time as it says. The logits are a linear function of the controller's
last hidden layer and of what was read. Keys and add vectors are linear, key strengths are softplus,
gates and erase vectors logistic, shifts softmax, and sharpening exponents 1 + softplus.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from recognizer.lm.neural.memory_step import emitted_size, memory_step
from recognizer.lm.neural.options import NtmOptions

CONSTANT_MEMORY = 1e-6
"""What a constant initial memory holds (Collier and Beel 2018, section 3.1)."""


class NtmState(NamedTuple):
    """What a step leaves to the next, for B sequences.

    Attributes:
        memory: [B, N, M].
        weighting: [B, H, N], of the reading heads, then of the writing heads.
        read: [B, R, M], what the R reading heads read.
        hidden: [layers, B, U], outputs of the controller's LSTM layers; [0, B, U] if it is
            feed-forward.
        cells: the same of their cells.
    """

    memory: Tensor
    weighting: Tensor
    read: Tensor
    hidden: Tensor
    cells: Tensor


@dataclass
class NtmTrace:
    """What happened inside, step by step, for pictures.

    Attributes:
        weightings: each [B, H, N], of the reading heads, then of the writing heads.
        added: each [B, W, M], what the writing heads added.
        read: each [B, R, M], what the reading heads read.
        memories: each [B, N, M], after the step.
    """

    weightings: list[Tensor] = field(default_factory=list)
    added: list[Tensor] = field(default_factory=list)
    read: list[Tensor] = field(default_factory=list)
    memories: list[Tensor] = field(default_factory=list)


class NeuralTuringMachine(nn.Module):
    """Reads sequences of vectors and predicts logits at each step.

    Args:
        options: its shape.
    """

    initial_memory: Tensor
    initial_weighting: Tensor
    initial_read: Tensor
    initial_hidden: Tensor
    initial_cells: Tensor

    def __init__(self, options: NtmOptions) -> None:
        super().__init__()
        self.options = options
        n, m, units = options.slots, options.width, options.units
        heads = options.read_heads + options.write_heads
        lstm = options.controller == "lstm"
        gates = 4 * units if lstm else units
        self.from_input = nn.Linear(options.inputs, gates)
        self.from_read = nn.Linear(options.read_heads * m, gates, bias=False)
        self.recurrent = nn.ModuleList(
            nn.Linear(units, gates, bias=False) for _ in range(options.layers if lstm else 0)
        )
        self.deeper = nn.ModuleList(nn.Linear(units, gates) for _ in range(options.layers - 1))
        self.to_heads = nn.Linear(units, emitted_size(options))
        self.to_output = nn.Linear(units + options.read_heads * m, options.outputs)

        states = (options.layers if lstm else 0, units)
        memory = torch.full((n, m), CONSTANT_MEMORY)
        at_slot_0 = torch.full((heads, n), -torch.inf)
        at_slot_0[:, 0] = 0.0
        if options.initial_state == "learned":
            nn.init.uniform_(memory, -1.0 / m**0.5, 1.0 / m**0.5)
            at_slot_0 = torch.zeros(heads, n)
        initial = {
            "memory": memory,
            "weighting": at_slot_0,
            "read": torch.zeros(options.read_heads, m),
            "hidden": torch.zeros(states),
            "cells": torch.zeros(states),
        }
        for name, value in initial.items():
            if options.initial_state == "learned" and value.numel():
                self.register_parameter(f"initial_{name}", nn.Parameter(value))
            else:
                self.register_buffer(f"initial_{name}", value)

    def initial_state(self, batch: int) -> NtmState:
        """The state before the first input of ``batch`` sequences."""
        weighting = torch.softmax(self.initial_weighting, dim=1)
        hidden, cells = (
            value.unsqueeze(1).expand(-1, batch, -1)
            for value in (self.initial_hidden, self.initial_cells)
        )
        memory, weighting, read = (
            value.expand(batch, -1, -1)
            for value in (self.initial_memory, weighting, self.initial_read)
        )
        return NtmState(memory, weighting, read, hidden, cells)

    def forward(
        self, inputs: Tensor, state: NtmState | None = None, trace: NtmTrace | None = None
    ) -> tuple[Tensor, NtmState]:
        """Logits of all steps, and the state after the last.

        Args:
            inputs: [T, B, inputs].
            state: before the first step; None: the initial state.
            trace: takes what happens inside, if it is given.

        Returns:
            Logits [T, B, outputs], and the state.
        """
        if state is None:
            state = self.initial_state(inputs.shape[1])
        seen = []
        for projected in self.from_input(inputs).unbind(0):
            hidden, states, cells = self._control(projected, state)
            emitted = self.to_heads(hidden)
            memory, weighting, read = memory_step(
                self.options, emitted, state.memory, state.weighting
            )
            state = NtmState(memory, weighting, read, states, cells)
            seen.append(torch.cat([hidden, read.flatten(1)], dim=1))
            if trace is not None:
                trace.weightings.append(weighting)
                vectors = emitted[:, -2 * self.options.write_heads * self.options.width :]
                trace.added.append(vectors.unflatten(1, (self.options.write_heads, 2, -1))[:, :, 1])
                trace.read.append(read)
                trace.memories.append(memory)
        return self.to_output(torch.stack(seen)), state

    def _control(self, projected: Tensor, state: NtmState) -> tuple[Tensor, Tensor, Tensor]:
        """The controller's last layer [B, U], and hidden and cell states of all its layers."""
        below = torch.addmm(projected, state.read.flatten(1), self.from_read.weight.t())
        if self.options.controller == "feed-forward":
            hidden = torch.tanh(below)
            for layer in self.deeper:
                hidden = torch.tanh(layer(hidden))
            return hidden, state.hidden, state.cells
        states: list[Tensor] = []
        cells: list[Tensor] = []
        for index, recurrent in enumerate(self.recurrent):
            if index:
                below = self.deeper[index - 1](states[-1])
            assert isinstance(recurrent, nn.Linear)
            gates = torch.addmm(below, state.hidden[index], recurrent.weight.t())
            hidden, cell = lstm_cell(gates, state.cells[index])
            states.append(hidden)
            cells.append(cell)
        if len(states) == 1:
            return states[0], states[0].unsqueeze(0), cells[0].unsqueeze(0)
        return states[-1], torch.stack(states), torch.stack(cells)


def lstm_cell(gates: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs and new cells [B, U] of LSTM cells without peepholes.

    Args:
        gates: [B, 4 U], before the non-linearities: input, forget, output gate, cell input.
        cells: [B, U] of the step before.
    """
    units = cells.shape[1]
    logistic, candidate = gates.split_with_sizes((3 * units, units), dim=1)
    entering, kept, leaving = torch.sigmoid(logistic).chunk(3, dim=1)
    cells = torch.addcmul(kept * cells, entering, torch.tanh(candidate))
    return leaving * torch.tanh(cells), cells
