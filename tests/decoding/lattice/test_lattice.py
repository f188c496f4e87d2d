from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise
from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lattice_toys import timed_lattice
from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.lattice import Lattice
from recognizer.decoding.lattice.paths import best_path, n_best, path_of_words
from search_toys import (
    SCALE,
    SYMBOLS,
    best_by_words,
    compact_paths,
    ladder,
    lattice_paths,
    random_lattice,
)

seeds = st.integers(0, 2**32 - 1)


def lattice_of(seed: int) -> Lattice:
    rng = np.random.default_rng(seed)
    return random_lattice(rng, states=int(rng.integers(2, 8)), arcs=int(rng.integers(1, 18)))


def complete_lattice_of(seed: int) -> Lattice:
    """One that has a path to the end."""
    while True:
        lattice = lattice_of(seed)
        if next(lattice_paths(lattice), None) is not None:
            return lattice
        seed += 1


@settings(max_examples=300, deadline=None)
@given(seeds)
def test_every_word_sequence_keeps_exactly_its_best_path(seed: int) -> None:
    lattice = complete_lattice_of(seed)
    expected = best_by_words(lattice_paths(lattice))
    compact = determinize(lattice, SCALE, inf)
    paths = list(compact_paths(compact))
    assert len({path.words for path in paths}) == len(paths)
    assert {path.words: path for path in paths} == expected
    assert compact.beam == inf


@settings(max_examples=200, deadline=None)
@given(seeds, st.floats(0.1, 4.0))
def test_a_beam_keeps_all_that_is_within_it(seed: int, beam: float) -> None:
    lattice = complete_lattice_of(seed)
    expected = best_by_words(lattice_paths(lattice))
    limit = min(path.cost for path in expected.values()) + beam
    found = {path.words: path for path in compact_paths(determinize(lattice, SCALE, beam))}
    assert all(expected[words] == path for words, path in found.items())
    assert {words for words, path in expected.items() if path.cost < limit - 1e-9} <= set(found)


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_the_smallest_beam_keeps_the_best_path(seed: int) -> None:
    lattice = timed_lattice(seed, frames=12)
    path = best_path(lattice, 0.1)
    short = best_path(determinize(lattice, 0.1, 1e-300), 0.1)
    assert short.tids.tolist() == path.tids.tolist()


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_the_order_of_arcs_does_not_matter(seed: int) -> None:
    lattice = complete_lattice_of(seed)
    order = np.random.default_rng(seed).permutation(lattice.num_arcs)
    order = order[np.argsort(lattice.sources[order], kind="stable")]
    names = ("sources", "targets", "tids", "words", "graph_costs", "acoustic_costs")
    shuffled = replace(lattice, **{name: getattr(lattice, name)[order] for name in names})
    one, two = (determinize(each, SCALE, 3.0) for each in (lattice, shuffled))
    assert {p.words: p for p in compact_paths(one)} == {p.words: p for p in compact_paths(two)}


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_best_path_of_either_lattice_is_the_best_of_all(seed: int) -> None:
    lattice = complete_lattice_of(seed)
    best = min(path.cost for path in lattice_paths(lattice))
    for each in (lattice, determinize(lattice, SCALE, inf)):
        path = best_path(each, SCALE)
        assert path.cost(SCALE) == best
        assert path.words == tuple(SYMBOLS[word] for word in path.word_ids)
        assert path.complete
        same = [p for p in lattice_paths(lattice) if p.tids == tuple(path.tids.tolist())]
        assert (path.graph_cost, path.acoustic_cost) in [(p.graph, p.acoustic) for p in same]


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_n_best_are_all_word_sequences_from_the_best_on(seed: int) -> None:
    lattice = complete_lattice_of(seed)
    expected = best_by_words(lattice_paths(lattice))
    found = list(n_best(determinize(lattice, SCALE, inf), SCALE))
    assert [path.cost(SCALE) for path in found] == sorted(p.cost for p in expected.values())
    assert {tuple(path.word_ids.tolist()) for path in found} == set(expected)
    assert all(
        tuple(path.tids.tolist()) == expected[tuple(path.word_ids.tolist())].tids for path in found
    )


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_compact_lattices_are_sorted_and_have_no_dead_ends(seed: int) -> None:
    compact = determinize(complete_lattice_of(seed), SCALE, 2.0)
    assert all(a <= b for a, b in pairwise(compact.sources))
    assert (compact.targets > compact.sources).all()
    assert len(compact.tid_offsets) == compact.num_arcs + 1
    assert len(compact.final_tid_offsets) == compact.num_states + 1
    assert set(compact.targets.tolist()) == set(range(1, compact.num_states))
    assert max(compact.backward_costs(SCALE)) < inf


def test_many_word_sequences_share_states() -> None:
    compact = determinize(ladder(100), SCALE, inf)
    assert (compact.num_states, compact.num_arcs) == (101, 200)
    assert [p.cost(SCALE) for p in islice(n_best(compact, SCALE), 102)] == [100.0] + [
        100.5
    ] * 100 + [101.0]


def test_states_know_their_frames() -> None:
    compact = determinize(ladder(7), SCALE, inf)
    assert compact.state_frames.tolist() == list(range(8))


def test_without_memory_the_beam_shrinks_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    lattice = ladder(30)
    compact = determinize(lattice, SCALE, 5.0, max_memory=0)
    assert compact.beam < 5.0
    assert [path.words for path in compact_paths(compact)] == [(1,) * 30]
    assert "memory limit" in caplog.text
    assert best_path(compact, SCALE).cost(SCALE) == best_path(lattice, SCALE).cost(SCALE)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=100, deadline=None)
@given(seeds, st.integers(0, 40_000))
def test_whatever_the_memory_the_beam_tells_what_is_there(seed: int, memory: int) -> None:
    lattice = timed_lattice(seed, frames=7)
    compact = determinize(lattice, SCALE, 4.0, max_memory=memory)
    expected = best_by_words(lattice_paths(lattice))
    found = {path.words: path for path in compact_paths(compact)}
    best = min(path.cost for path in expected.values())
    assert 0.0 < compact.beam <= 4.0
    for words, path in expected.items():
        if path.cost < best + compact.beam - 1e-3:
            assert found[words].tids == path.tids
            assert found[words].cost == pytest.approx(path.cost, abs=1e-3)


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_a_path_is_found_by_its_words(seed: int) -> None:
    lattice = complete_lattice_of(seed)
    compact = determinize(lattice, SCALE, 3.0)
    for path in n_best(compact, SCALE):
        found = path_of_words(compact, path.words)
        assert found is not None
        assert found.words == path.words
        assert found.tids.tolist() == path.tids.tolist()
        assert found.cost(SCALE) == path.cost(SCALE)
    assert path_of_words(compact, ["d"] * 9) is None
    assert path_of_words(compact, ["elsewhere"]) is None


def test_a_thousand_best_are_distinct_and_in_order() -> None:
    paths = list(islice(n_best(determinize(ladder(200), SCALE, inf), SCALE), 1000))
    costs = [path.cost(SCALE) for path in paths]
    assert costs == sorted(costs)
    assert len({path.words for path in paths}) == 1000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"final_costs": np.full(4, inf, np.float32)}, "a path from the start to a final state"),
        ({"targets": np.zeros(6, np.int32)}, "arc 0: expected a target above its source 0"),
        ({"targets": np.full(6, 4, np.int32)}, "arc 0: .* below 4, found 4"),
        ({"sources": np.array([0, 0, 0, 0, 2, 1], np.int32)}, "arc 5: expected arcs sorted by"),
        ({"words": np.zeros(5, np.int32)}, r"words: expected int32 \[6\], found int32 \[5\]"),
        ({"words": np.zeros(6, np.int64)}, r"words: expected int32 \[6\], found int64 \[6\]"),
        ({"graph_costs": np.full(6, np.nan, np.float32)}, "arc 0: expected finite costs"),
        ({"final_costs": np.full(4, np.nan, np.float32)}, "state 0: expected a final cost"),
        (
            {"final_costs": np.zeros(0, np.float32), "state_frames": np.zeros(0, np.int32)},
            "one state",
        ),
    ],
)
def test_broken_lattices_are_refused(changes: dict[str, Any], message: str) -> None:
    for use in (lambda bad: determinize(bad, SCALE, 1.0), lambda bad: best_path(bad, SCALE)):
        with pytest.raises(SpeechError, match=message) as caught:
            use(replace(ladder(3), **changes))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("words", np.zeros(5, np.int32), r"words: expected int32 \[6\], found int32 \[5\]"),
        ("graph_costs", np.zeros(6, np.float32), r"expected float64 \[6\], found float32 \[6\]"),
        ("tid_offsets", np.zeros(6, np.int64), r"tid_offsets: expected int64 \[7\]"),
        ("tids", np.zeros(5, np.int32), r"tids: expected int32 \[6\], found int32 \[5\]"),
        ("final_tids", np.zeros(1, np.int32), r"final_tids: expected int32 \[0\]"),
        ("sources", np.zeros(12, np.int32)[::2], r"sources: expected int32 \[6\]"),
    ],
)
def test_broken_compact_lattices_are_refused(name: str, array: np.ndarray, message: str) -> None:
    with pytest.raises(SpeechError, match=message):
        replace(determinize(ladder(3), SCALE, 9.0), **{name: array})


def test_impossible_options_are_refused() -> None:
    with pytest.raises(UsageError, match="beam: expected a number > 0, found 0"):
        determinize(ladder(1), SCALE, 0.0)
    with pytest.raises(UsageError, match="acoustic_scale: expected a finite number >= 0"):
        determinize(ladder(1), inf, 1.0)
    for lattice in (ladder(1), determinize(ladder(1), SCALE, 1.0)):
        with pytest.raises(UsageError, match="acoustic_scale: expected a finite number >= 0"):
            best_path(lattice, -1.0)
    with pytest.raises(UsageError, match="max_memory"):
        determinize(ladder(1), SCALE, 1.0, max_memory=-1)
