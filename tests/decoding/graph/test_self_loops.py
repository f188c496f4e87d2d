"""Self-loops after forward transitions, and states split between them."""

from __future__ import annotations

from math import inf
from pathlib import Path

import numpy as np
import pytest

from graph_toys import Toy, all_paths, random_toy
from recognizer.decoding.graph.fst_arrays import FstArrays
from recognizer.decoding.graph.self_loops import add_self_loops


def random_forward_fst(toy: Toy, seed: int) -> FstArrays:
    """Any transducer over forward transition-ids, dense enough that states must be split."""
    rng = np.random.default_rng(seed)
    forward = np.flatnonzero(~toy.transitions.is_self_loop)[1:]
    states, arcs = int(rng.integers(2, 7)), int(rng.integers(2, 24))
    sources, targets = rng.integers(0, states, arcs), rng.integers(0, states, arcs)
    epsilon = (rng.random(arcs) < 0.2) & (sources < targets)
    return FstArrays.from_arcs(
        sources,
        np.where(epsilon, 0, rng.choice(forward, arcs)),
        rng.integers(0, 3, arcs),
        rng.integers(0, 64, arcs) / 8,
        targets,
        np.where(rng.random(states) < 0.5, rng.integers(0, 64, states) / 8, inf),
    )


@pytest.mark.parametrize("seed", range(25))
def test_any_path_may_stay_in_each_of_its_states(seed: int, tmp_path: Path) -> None:
    toy = random_toy(0, tmp_path)
    fst = random_forward_fst(toy, seed)
    costs = -toy.transitions.scaled_log_probs(0.3, 0.7).astype(np.float64)
    length = 3
    expected: dict[tuple[tuple[int, ...], tuple[int, ...]], float] = {}

    def stay(inputs: tuple[int, ...], rest: tuple[int, ...], said: tuple[int, ...]) -> None:
        """All ways to put self-loops after the forward transitions."""
        if not rest:
            cost = base + costs[list(inputs)].sum()
            expected[inputs, said] = min(cost, expected.get((inputs, said), inf))
            return
        for stays in range(length - len(inputs) - len(rest) + 1):
            loops = (int(toy.transitions.self_loop[rest[0]]),) * stays
            stay((*inputs, rest[0], *loops), rest[1:], said)

    for (forward, outputs), base in all_paths(fst, length).items():  # noqa: B007 (stay uses it)
        stay((), forward, outputs)
    found = all_paths(add_self_loops(fst, toy.transitions, 0.3, 0.7), length)
    assert set(found) == set(expected)
    for key, cost in expected.items():
        assert found[key] == pytest.approx(cost, abs=1e-4)


@pytest.mark.parametrize("fan_out", [1, 4, 5, 9])
def test_states_of_many_arcs_are_not_repeated(fan_out: int, tmp_path: Path) -> None:
    toy = random_toy(0, tmp_path)
    loops = toy.transitions.self_loop
    forward = np.flatnonzero(~toy.transitions.is_self_loop)[1:]
    one = int(forward[0])
    other = int(next(tid for tid in forward if loops[tid] != loops[one]))
    sources = [0, 0, *[1] * fan_out]
    targets = [1, 1, *[2] * fan_out]
    labels = [one, other, *[one] * fan_out]
    words = [0, 0, *range(fan_out)]
    fst = FstArrays.from_arcs(sources, labels, words, np.zeros(2 + fan_out), targets, [inf, inf, 0])
    result = add_self_loops(fst, toy.transitions, 0.1, 1.0)
    epsilons = int((result.ilabels == 0).sum())
    repeated = fan_out <= 4
    assert epsilons == (0 if repeated else 2)
    self_loops = 3
    assert result.num_arcs == 2 + (2 * fan_out if repeated else fan_out + 2) + self_loops
