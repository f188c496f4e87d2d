"""Rescoring under many options at once finds what rescoring one by one finds."""

from __future__ import annotations

import numpy as np
import pytest

from data.errors import UsageError
from decoding.lattice import CompactLattice
from decoding.rescore import RescoreOptions, rescore_lattice
from decoding.rescore_grid import rescore_grid

SYMBOLS = ("<eps>", "a", "b", "c", "d")


class Bigrams:
    """Random log probabilities of each word after each word; the state is the word before."""

    def __init__(self, rng: np.random.Generator) -> None:
        words = ("<s>", *SYMBOLS[1:], "</s>")
        table = rng.uniform(-4.0, -0.1, (len(words), len(words)))
        self._scores = {
            (one, two): float(table[i, j])
            for i, one in enumerate(words)
            for j, two in enumerate(words)
        }

    def start(self) -> str:
        return "<s>"

    def score(self, state: str, word: str) -> tuple[float, str]:
        return self._scores[state, word], word

    def final(self, state: str) -> float:
        return self._scores[state, "</s>"]

    def __contains__(self, word: object) -> bool:
        return word in SYMBOLS


def random_lattice(
    rng: np.random.Generator, num_states: int, *, reached_final: bool
) -> CompactLattice:
    """States 0 .. N-1; from each, some distinct words to later states; some states are final."""
    arcs = [
        (source, int(rng.integers(source + 1, num_states)), int(word))
        for source in range(num_states - 1)
        for word in sorted(rng.choice(4, size=rng.integers(1, 4), replace=False) + 1)
    ]
    sources, targets, words = np.array(arcs, dtype=np.int32).T
    finals = np.where(rng.random(num_states) < 0.3, rng.uniform(0, 3, num_states), np.inf)
    finals[-1] = 0.5
    return CompactLattice(
        state_frames=np.arange(num_states, dtype=np.int32),
        sources=sources,
        targets=targets,
        words=words,
        graph_costs=rng.uniform(0, 6, len(arcs)),
        acoustic_costs=rng.uniform(-30, 60, len(arcs)),
        tid_offsets=np.arange(len(arcs) + 1),
        tids=np.ones(len(arcs), dtype=np.int32),
        final_graph_costs=finals,
        final_acoustic_costs=np.where(np.isfinite(finals), rng.uniform(-5, 5, num_states), 0.0),
        final_tid_offsets=np.zeros(num_states + 1, dtype=np.int64),
        final_tids=np.zeros(0, dtype=np.int32),
        beam=float("inf"),
        reached_final=reached_final,
        symbols=SYMBOLS,
    )


@pytest.mark.parametrize("reached_final", [True, False])
@pytest.mark.parametrize("seed", range(10))
def test_the_grid_is_each_of_its_points(seed: int, reached_final: bool) -> None:
    rng = np.random.default_rng(seed)
    lattice = random_lattice(rng, int(rng.integers(2, 12)), reached_final=reached_final)
    old, new = Bigrams(rng), Bigrams(rng)
    options = [
        RescoreOptions(0.1, lm_scale, penalty, beam=float("inf"))
        for lm_scale in (0.0, 0.5, 1.0, 3.0)
        for penalty in (-3.0, 0.0, 2.0)
    ]
    found = rescore_grid(lattice, old, new, options)
    assert found == [rescore_lattice(lattice, old, new, one).best.words for one in options]


def test_the_options_matter() -> None:
    rng = np.random.default_rng(3)
    lattice = random_lattice(rng, 11, reached_final=True)
    old, new = Bigrams(rng), Bigrams(rng)
    options = [RescoreOptions(0.1, lm_scale, 0.0) for lm_scale in (0.0, 1.0, 5.0)]
    assert len(set(rescore_grid(lattice, old, new, options))) > 1


def test_the_grid_has_one_acoustic_scale() -> None:
    rng = np.random.default_rng(0)
    lattice = random_lattice(rng, 4, reached_final=True)
    model = Bigrams(rng)
    for options in ([], [RescoreOptions(0.1), RescoreOptions(0.2)]):
        with pytest.raises(UsageError, match="options of one acoustic scale"):
            rescore_grid(lattice, model, model, options)
