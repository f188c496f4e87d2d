"""The Neural Turing Machine against the paper's equations as plain loops, and its gradients."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ntm_loop
from recognizer.data.errors import UsageError
from recognizer.lm.neural import addressing
from recognizer.lm.neural.ntm import CONSTANT_MEMORY, NeuralTuringMachine, NtmTrace
from recognizer.lm.neural.options import NtmOptions, StackedLstmOptions
from recognizer.lm.neural.stacked_lstm import StackedLstm

SHAPES = {
    "one head each": NtmOptions(3, 2, "lstm", 1, 4, slots=5, width=3),
    "feed-forward": NtmOptions(3, 2, "feed-forward", 2, 4, slots=4, width=2, read_heads=2),
    "many heads": NtmOptions(2, 1, "lstm", 2, 3, 6, 2, read_heads=2, write_heads=3, shift_range=2),
    "constant": NtmOptions(2, 2, "lstm", 1, 3, 4, 3, shift_range=0, initial_state="constant"),
}


def machine(options: NtmOptions, seed: int = 0) -> NeuralTuringMachine:
    """In double precision, with weights that make every part of it matter."""
    torch.manual_seed(seed)
    network = NeuralTuringMachine(options).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.uniform_(-1.0, 1.0)
    return network


@pytest.mark.parametrize("name", SHAPES)
def test_a_machine_does_what_the_equations_say(name: str) -> None:
    options = SHAPES[name]
    network = machine(options)
    inputs = np.random.default_rng(0).normal(size=(6, 2, options.inputs))
    trace = NtmTrace()
    with torch.no_grad():
        logits, state = network(torch.from_numpy(inputs), trace=trace)
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    for sequence in range(inputs.shape[1]):
        expected, weightings, memory = ntm_loop.run(
            weights,
            inputs[:, sequence],
            lstm=options.controller == "lstm",
            layers=options.layers,
            units=options.units,
            read_heads=options.read_heads,
            write_heads=options.write_heads,
            reach=options.shift_range,
        )
        np.testing.assert_allclose(logits[:, sequence], expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(state.memory[sequence], memory, rtol=1e-9, atol=1e-12)
        found = torch.stack(trace.weightings)[:, sequence]
        np.testing.assert_allclose(found, weightings, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", SHAPES)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    network = machine(SHAPES[name], seed=1)
    names = [name for name, _ in network.named_parameters()]
    inputs = torch.randn(3, 2, SHAPES[name].inputs, dtype=torch.float64)

    def logits(*values: torch.Tensor) -> torch.Tensor:
        found = torch.func.functional_call(network, dict(zip(names, values, strict=True)), inputs)
        output: torch.Tensor = found[0]
        return output

    values = tuple(parameter.detach().requires_grad_() for parameter in network.parameters())
    assert torch.autograd.gradcheck(logits, values, fast_mode=True)


def test_a_sequence_may_come_in_pieces() -> None:
    network = machine(SHAPES["many heads"])
    inputs = torch.randn(7, 3, 2, dtype=torch.float64)
    whole, last = network(inputs)
    first, state = network(inputs[:4])
    second, end = network(inputs[4:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    for one, other in zip(last, end, strict=True):
        torch.testing.assert_close(one, other)


def test_sequences_of_a_batch_do_not_mix() -> None:
    network = machine(SHAPES["one head each"])
    inputs = torch.randn(5, 3, 3, dtype=torch.float64)
    together, _ = network(inputs)
    for sequence in range(3):
        alone, _ = network(inputs[:, sequence : sequence + 1])
        torch.testing.assert_close(alone[:, 0], together[:, sequence])


def test_a_constant_initial_state_is_not_trained() -> None:
    network = NeuralTuringMachine(SHAPES["constant"])
    assert not any(name.startswith("initial") for name, _ in network.named_parameters())
    state = network.initial_state(2)
    assert torch.all(state.memory == CONSTANT_MEMORY)
    assert torch.equal(state.weighting, torch.eye(4)[:1].expand(2, 2, 4))
    learned = NeuralTuringMachine(SHAPES["many heads"])
    initial = {name for name, _ in learned.named_parameters() if name.startswith("initial")}
    assert len(initial) == 5


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 9), st.integers(0, 3), st.integers(0, 2**31))
def test_weightings_stay_distributions(slots: int, reach: int, seed: int) -> None:
    reach = min(reach, (slots - 1) // 2)
    torch.manual_seed(seed)
    weighting = torch.softmax(5 * torch.randn(2, 3, slots), dim=2)
    shifts = torch.softmax(5 * torch.randn(2, 3, 2 * reach + 1), dim=2)
    shifted = addressing.shift(weighting, shifts)
    torch.testing.assert_close(shifted.sum(2), torch.ones(2, 3))
    sharp = addressing.sharpen(shifted, 1 + 100 * torch.rand(2, 3, 1))
    torch.testing.assert_close(sharp.sum(2), torch.ones(2, 3))
    assert torch.equal(sharp.argmax(2), shifted.argmax(2))


def test_a_shift_goes_to_the_side_that_it_says() -> None:
    weighting = torch.eye(5)[2].expand(1, 1, 5)
    for offset in range(-2, 3):
        shifts = torch.eye(5)[offset + 2].expand(1, 1, 5)
        assert addressing.shift(weighting, shifts).argmax() == 2 + offset


def test_a_memory_of_zeros_can_be_addressed() -> None:
    keys = torch.randn(1, 1, 3, requires_grad=True)
    weighting = addressing.content_weighting(torch.zeros(1, 4, 3), keys, torch.ones(1, 1, 1))
    torch.testing.assert_close(weighting, torch.full((1, 1, 4), 0.25))
    weighting[0, 0, 0].backward()
    assert keys.grad is not None
    assert torch.all(torch.isfinite(keys.grad))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slots": 0}, "slots: expected a number above 0, found 0"),
        ({"width": 0}, "width: expected a number above 0, found 0"),
        ({"read_heads": 0}, "read_heads: expected a number above 0, found 0"),
        ({"controller": "gru"}, "controller: expected lstm or feed-forward, found 'gru'"),
        ({"initial_state": "zero"}, "initial_state: expected learned or constant, found 'zero'"),
        ({"slots": 4, "shift_range": 2}, "shift_range: expected 0 to 1, so that the 4 slots"),
    ],
)
def test_impossible_shapes_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        NtmOptions(**{**asdict(SHAPES["one head each"]), **change})  # type: ignore[arg-type]


def test_every_layer_of_lstm_cells_sees_the_input_and_reaches_the_output() -> None:
    torch.manual_seed(0)
    network = StackedLstm(StackedLstmOptions(3, 2, layers=3, units=4)).double()
    inputs = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    hidden = torch.zeros(3, 2, 4, dtype=torch.float64)
    cells = torch.zeros(3, 2, 4, dtype=torch.float64)
    expected = []
    for step in inputs:
        outputs: list[torch.Tensor] = []
        for index, layer in enumerate(network.layers):
            below = torch.cat([step, *outputs[-1:]], dim=1)
            gates = below @ layer.weight_ih_l0.T + hidden[index] @ layer.weight_hh_l0.T
            i, f, g, o = (gates + layer.bias_ih_l0).chunk(4, dim=1)
            new = torch.sigmoid(f) * cells[index] + torch.sigmoid(i) * torch.tanh(g)
            outputs.append(torch.sigmoid(o) * torch.tanh(new))
            cells = torch.cat([cells[:index], new[None], cells[index + 1 :]])
        hidden = torch.stack(outputs)
        expected.append(network.to_output(torch.cat(outputs, dim=1)))
    torch.testing.assert_close(network(inputs), torch.stack(expected))


@pytest.mark.parametrize(
    ("inputs", "outputs", "units", "paper"),
    [(8, 6, 256, 1_344_518), (1, 1, 128, 331_905), (8, 7, 512, 5_312_007), (10, 9, 256, 1_352_969)],
)
def test_lstm_networks_have_as_many_parameters_as_in_the_paper(
    inputs: int, outputs: int, units: int, paper: int
) -> None:
    with torch.device("meta"):
        network = StackedLstm(StackedLstmOptions(inputs, outputs, 3, units))
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == paper
