from __future__ import annotations

from dataclasses import replace
from math import inf

import kaldialign
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_toys import arc_paths, compact, path_words, timed_lattice
from recognizer.data.errors import SpeechError
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.oracle import density, oracle
from recognizer.decoding.lattice.paths import best_path
from search_toys import SYMBOLS, ladder

seeds = st.integers(0, 2**32 - 1)
references = st.lists(st.sampled_from([*SYMBOLS[1:], "elsewhere"]), max_size=6)


def distance(reference: list[str], words: tuple[str, ...]) -> int:
    return int(kaldialign.edit_distance(reference, list(words))["total"])


@given(seeds, references, st.booleans())
def test_no_path_is_nearer_to_the_reference(seed: int, reference: list[str], raw: bool) -> None:
    lattice = timed_lattice(seed) if raw else compact(seed)
    paths = {path_words(lattice, path) for path in arc_paths(lattice)}
    found = oracle(lattice, reference)
    assert found.words in paths
    assert found.errors == min(distance(reference, words) for words in paths)
    assert found.errors == distance(reference, found.words)
    assert len(found.words) - len(reference) == found.insertions - found.deletions
    assert min(found.substitutions, found.insertions, found.deletions) >= 0


@given(seeds, references)
def test_determinisation_loses_no_word_sequence(seed: int, reference: list[str]) -> None:
    assert oracle(timed_lattice(seed), reference).errors == oracle(compact(seed), reference).errors


def test_the_best_of_many_paths_is_found() -> None:
    lattice = ladder(40)
    reference = ["a", "b", "b", "a"] * 10
    found = oracle(lattice, reference)
    assert (found.words, found.errors) == (tuple(reference), 0)
    assert oracle(lattice, []).insertions == 40
    missing = oracle(lattice, [*reference, "c", "d"])
    assert (missing.deletions, missing.substitutions, missing.errors) == (2, 0, 2)


def test_density_counts_the_arcs_over_a_frame() -> None:
    assert density(ladder(5)) == 2.0
    assert density(determinize(ladder(5), 1.0, inf)) == 2.0
    lattice = timed_lattice(3)
    assert density(lattice) == np.count_nonzero(lattice.tids) / 4
    # Of a single path, all frames are covered once, by arcs or by what the end holds.
    short = determinize(lattice, 1.0, 1e-9)
    assert len(best_path(short, 1.0).tids) == 4
    assert density(short) == 1.0


def test_lattices_without_paths_or_frames_are_refused() -> None:
    lattice = ladder(2)
    with pytest.raises(SpeechError, match="expected a path from the start to a final state"):
        oracle(replace(lattice, final_costs=np.full(3, inf, np.float32)), ["a"])
    with pytest.raises(SpeechError, match="expected frames, found none"):
        density(replace(lattice, state_frames=np.zeros(3, np.int32)))
