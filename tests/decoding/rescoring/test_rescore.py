"""Rescoring with models that are Python objects, against enumeration."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.paths import best_path, n_best
from recognizer.decoding.rescoring.rescore import Rescorer, RescoringLimits, RescoringOptions
from rescore_toys import (
    RandomModel,
    Settings,
    chain,
    compact_of,
    expanded_by_hand,
    log_prob,
    rescore_lattice,
    rescored_by_hand,
)
from search_toys import SCALE, SYMBOLS, compact_paths, ladder

seeds = st.integers(0, 2**32 - 1)

OPTIONS = [
    Settings(SCALE, beam=inf),
    Settings(SCALE, lm_scale=0.75, word_insertion_penalty=0.5, beam=inf),
    Settings(SCALE, lm_scale=0.0, word_insertion_penalty=-1.0, beam=inf),
]


@settings(max_examples=150, deadline=None)
@given(seeds, st.integers(1, 3), st.integers(1, 4), st.sampled_from(OPTIONS))
def test_every_path_is_rescored_as_by_hand(
    seed: int, old_order: int, new_order: int, options: Settings
) -> None:
    compact, paths = compact_of(seed)
    old, new = RandomModel(seed, old_order), RandomModel(seed + 1, new_order)
    expected = rescored_by_hand(paths, old, new, options)
    rescored = rescore_lattice(compact, old, new, options)
    found = list(compact_paths(rescored.lattice))
    assert len({path.words for path in found}) == len(found)
    assert {path.words: path for path in found} == expected  # all numbers are exact here
    best = min(path.cost for path in expected.values())
    assert rescored.best.cost(SCALE) == best
    assert best_path(rescored.lattice, SCALE).cost(SCALE) == best
    chosen = expected[tuple(rescored.best.word_ids.tolist())]
    assert chosen.tids == tuple(rescored.best.tids.tolist())
    assert (chosen.graph, chosen.acoustic) == (
        rescored.best.graph_cost,
        rescored.best.acoustic_cost,
    )
    assert (rescored.beam, rescored.num_dropped) == (inf, 0)


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_a_model_for_itself_changes_nothing(seed: int) -> None:
    compact, paths = compact_of(seed)
    model = RandomModel(seed, 3)
    rescored = rescore_lattice(compact, model, model, Settings(SCALE, beam=inf))
    assert {path.words: path for path in compact_paths(rescored.lattice)} == paths


@settings(max_examples=100, deadline=None)
@given(seeds, st.sampled_from([0.25, 1.0, 4.0, inf]), st.booleans())
def test_a_beam_drops_histories_and_counts_them(
    seed: int, beam: float, reached_final: bool
) -> None:
    compact, paths = compact_of(seed)
    compact = replace(compact, reached_final=reached_final)
    old, new = RandomModel(seed, 1), RandomModel(seed + 1, 3)
    options = Settings(SCALE, lm_scale=1.5, word_insertion_penalty=-0.25, beam=beam)
    expected = rescored_by_hand(paths, old, new, options, end=reached_final)
    rescored = rescore_lattice(compact, old, new, options)
    found = {path.words: path for path in compact_paths(rescored.lattice)}
    assert all(expected[words] == path for words, path in found.items())
    if not rescored.num_dropped:
        assert found == expected
        assert rescored.lattice.beam == compact.beam
    reference = expanded_by_hand(compact, old, new, options)
    assert rescored.num_states == reference.num_states
    assert rescored.num_arcs == reference.num_arcs
    assert rescored.num_dropped == reference.num_dropped
    assert rescored.best.cost(SCALE) == reference.cost
    assert (rescored.beam, rescored.hit_max_arcs) == (beam, False)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_paths_that_do_not_end_are_not_charged_for_the_end(seed: int) -> None:
    compact, paths = compact_of(seed)
    compact = replace(compact, reached_final=False)
    old, new = RandomModel(seed, 2), RandomModel(seed + 1, 3)
    options = Settings(SCALE, beam=inf)
    expected = rescored_by_hand(paths, old, new, options, end=False)
    rescored = rescore_lattice(compact, old, new, options)
    assert {path.words: path for path in compact_paths(rescored.lattice)} == expected
    assert not rescored.best.complete


def test_an_arc_limit_makes_the_beam_smaller_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    compact = determinize(ladder(6), SCALE, inf)
    old, new = RandomModel(1, 1), RandomModel(2, 4)
    everything = rescore_lattice(compact, old, new, Settings(SCALE, beam=inf))
    limit = everything.lattice.num_arcs - 1
    enough = Settings(SCALE, beam=inf, max_arcs=limit + 1)
    assert not rescore_lattice(compact, old, new, enough).hit_max_arcs
    assert not caplog.text
    options = Settings(SCALE, beam=inf, max_arcs=limit)
    rescored = rescore_lattice(compact, old, new, options)
    assert rescored.hit_max_arcs
    assert rescored.beam in [16.0 / 2**n for n in range(12)]
    assert rescored.num_dropped > 0
    assert rescored.num_arcs <= limit
    # Twice the beam would have been too much.
    wider = replace(options, beam=2 * rescored.beam, max_arcs=10**6)
    assert rescore_lattice(compact, old, new, wider).num_arcs > limit
    narrow = replace(options, beam=rescored.beam)
    assert rescore_lattice(compact, old, new, narrow).best.words == rescored.best.words
    assert f"limit of {limit} arcs" in caplog.text


def test_an_arc_limit_below_the_lattice_keeps_one_history_of_each_state() -> None:
    compact = determinize(ladder(6), SCALE, inf)
    old, new = RandomModel(1, 1), RandomModel(2, 4)
    rescored = rescore_lattice(compact, old, new, Settings(SCALE, max_arcs=1))
    assert rescored.hit_max_arcs
    assert rescored.beam == 1e-3
    assert rescored.num_states == compact.num_states
    assert rescored.num_arcs == compact.num_arcs
    # What is left is one path with its alternatives; they have true scores.
    options = Settings(SCALE)
    paths = {path.words: path for path in compact_paths(compact)}
    expected = rescored_by_hand(paths, old, new, options)
    for path in compact_paths(rescored.lattice):
        assert path == expected[path.words]


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_many_options_at_once_are_each_of_them(seed: int) -> None:
    compact, _ = compact_of(seed)
    old, new = RandomModel(seed, 2), CountingModel(seed + 1, 3)
    rescorer = Rescorer(old, new, SYMBOLS)
    options = [
        RescoringOptions(lm_scale, penalty)
        for lm_scale in (0.0, 1.0, 3.0)
        for penalty in (-3.0, 2.0)
    ]
    for acoustic_scale, beam in ((0.0, 0.5), (0.0, inf), (0.5, 0.5), (0.5, inf)):
        limits = RescoringLimits(beam)
        new.asked.clear()
        found = rescorer.best_paths(compact, acoustic_scale, options, limits)
        assert max(new.asked.values(), default=0) == 1
        for path, one in zip(found, options, strict=True):
            alone = rescorer.rescore(compact, acoustic_scale, one, limits).best
            assert (path.words, path.graph_cost, path.acoustic_cost) == (
                alone.words,
                alone.graph_cost,
                alone.acoustic_cost,
            )
    assert rescorer.best_paths(compact, SCALE, []) == []


class CountingModel(RandomModel):
    def __init__(self, seed: int, order: int) -> None:
        super().__init__(seed, order)
        self.asked: Counter[tuple[object, str]] = Counter()

    def score(self, state: tuple[str, ...], word: str) -> tuple[float, tuple[str, ...]]:
        self.asked[state, word] += 1
        return super().score(state, word)


def test_a_path_without_words_has_only_an_end() -> None:
    old, new = RandomModel(1, 2), RandomModel(2, 3)
    options = Settings(SCALE, lm_scale=0.5, word_insertion_penalty=100.0)
    for words in ([], [1, 2]):
        rescored = rescore_lattice(chain(words), old, new, options)
        assert rescored.best.words == ()
        end = old.final(old.start()) - 0.5 * new.final(new.start())
        # The end without words is the last state where there are none, and has its cost.
        assert rescored.best.graph_cost == (2.5 if words else 0.5) + end


def test_arcs_without_words_are_no_business_of_the_models() -> None:
    old, new = RandomModel(1, 2), RandomModel(2, 3)
    options = Settings(SCALE, lm_scale=2.0, word_insertion_penalty=-10.0)
    rescored = rescore_lattice(chain([1, 0, 2, 0]), old, new, options).best
    assert rescored.word_ids.tolist() == [1, 0, 2, 0]
    words = ("a", "b")
    expected = 4.0 + 0.5 + log_prob(old, words) - 2.0 * log_prob(new, words) - 20.0
    assert rescored.graph_cost == expected


def test_rescored_lattices_can_be_listed_and_rescored_again() -> None:
    compact, paths = compact_of(5)
    one, two = RandomModel(1, 2), RandomModel(2, 3)
    options = Settings(SCALE, beam=inf)
    there = rescore_lattice(compact, one, two, options).lattice
    back = rescore_lattice(there, two, one, options).lattice
    assert {path.words: path for path in compact_paths(back)} == paths
    costs = [path.cost(SCALE) for path in islice(n_best(back, SCALE), 3)]
    assert costs == sorted(path.cost for path in paths.values())[:3]


class NoEnd(RandomModel):
    def final(self, state: tuple[str, ...]) -> float:
        return -inf


class NoWords(RandomModel):
    def score(self, state: tuple[str, ...], word: str) -> tuple[float, tuple[str, ...]]:
        return -inf, state


def test_a_model_without_finite_scores_is_an_error() -> None:
    compact, _ = compact_of(3)
    good = RandomModel(0, 1)
    with pytest.raises(SpeechError, match=r"finite scores of the sentence end, found .* -inf"):
        rescore_lattice(compact, good, NoEnd(0, 1), Settings(SCALE))
    with pytest.raises(SpeechError, match=r"finite scores of '\w+', found .* -inf"):
        rescore_lattice(compact, good, NoWords(0, 1), Settings(SCALE))


class Broken(RandomModel):
    def score(self, state: tuple[str, ...], word: str) -> tuple[float, tuple[str, ...]]:
        raise LookupError(f"no {word}")


def test_what_a_model_raises_is_passed_on() -> None:
    compact, _ = compact_of(3)
    good = RandomModel(0, 1)
    for old, new in ((good, Broken(0, 1)), (Broken(0, 1), good)):
        with pytest.raises(LookupError, match=r"^no \w$"):
            rescore_lattice(compact, old, new, Settings(SCALE))


def test_lattices_that_are_none_are_refused() -> None:
    compact, _ = compact_of(3)
    model = RandomModel(0, 1)
    rescorer = Rescorer(model, model, SYMBOLS)
    arcs, states = compact.num_arcs, compact.num_states
    for changes, message in (
        ({"words": np.full(arcs, 9, np.int32)}, "arc 0: expected a word below 5, found 9"),
        ({"targets": np.zeros(arcs, np.int32)}, "arc 0: expected a target above its source 0"),
        ({"targets": np.full(arcs, states, np.int32)}, f"and below {states}, found {states}"),
        ({"graph_costs": np.full(arcs, np.nan)}, "arc 0: expected finite costs"),
        ({"acoustic_costs": np.zeros(arcs + 1)}, f"acoustic_costs: expected float64 .{arcs}."),
        ({"final_graph_costs": np.full(states, np.nan)}, "state 0: expected final costs"),
        ({"final_graph_costs": np.full(states, inf)}, "expected a path from the start"),
        ({"final_graph_costs": np.zeros(0)}, "state_frames: expected int32 .0."),
        ({"symbols": ("<eps>", "b", "a", "c", "d")}, "words that the rescorer was made for"),
    ):
        with pytest.raises(SpeechError, match=message):
            Settings(SCALE).rescore(rescorer, replace(compact, **changes))


@pytest.mark.parametrize(
    "options",
    [
        {"acoustic_scale": -1.0},
        {"acoustic_scale": inf},
        {"acoustic_scale": nan},
        {"lm_scale": inf},
        {"lm_scale": -0.5},
        {"word_insertion_penalty": nan},
        {"beam": 0.0},
        {"beam": nan},
        {"max_arcs": 0},
    ],
)
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    compact, _ = compact_of(1)
    model = RandomModel(1, 2)
    with pytest.raises(UsageError, match=next(iter(options))):
        rescore_lattice(compact, model, model, Settings(**options))  # type: ignore[arg-type]
