"""Lattices whose words have several ids, against enumeration of their paths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.decoding.lattice.relabelling import first_labels, relabelled
from rescore_toys import compact_of
from search_toys import SCALE, SYMBOLS, best_by_words, compact_paths


def test_the_first_label_of_each_word() -> None:
    assert first_labels(("<eps>", "a", "b")) is None
    found = first_labels(("<eps>", "a", "b", "a", "b", "a"))
    assert found is not None
    assert found.tolist() == [0, 1, 2, 1, 2, 1]


@given(st.integers(0, 2**32 - 1))
def test_of_paths_with_the_same_words_the_best_remains(seed: int) -> None:
    lattice, paths = compact_of(seed)
    labels = np.arange(len(SYMBOLS), dtype=np.int32)
    labels[2] = 1
    found = relabelled(lattice, labels, SCALE)
    expected = best_by_words(
        path._replace(words=tuple(int(labels[word]) for word in path.words))
        for path in paths.values()
    )
    new = {path.words: path for path in compact_paths(found)}
    assert new.keys() == expected.keys()
    for words, path in expected.items():
        assert new[words].cost == pytest.approx(path.cost, abs=1e-3)
    assert (found.reached_final, found.symbols) == (lattice.reached_final, lattice.symbols)


def test_a_lattice_without_such_words_stays_as_it_is() -> None:
    lattice, _ = compact_of(1)
    assert relabelled(lattice, np.arange(len(SYMBOLS), dtype=np.int32), SCALE) is lattice
