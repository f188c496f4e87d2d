"""H and the physical units of triphones."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np

from graph_toys import all_paths, forward_paths, random_toy
from recognizer.decoding.graph.hmm_fst import context_labels, hmm_fst


def test_units_are_phones_with_equal_pdfs(tmp_path: Path) -> None:
    toy = random_toy(0, tmp_path)
    phones = len(toy.phones)
    triphones = [[*context] for context in product(range(phones), range(1, phones), range(phones))]
    contexts = [[], [0], [-20], *triphones[:50], [-21], *triphones[50:]]
    labels = context_labels(contexts, toy.tree)
    assert labels.relabel[0] == 0
    assert labels.num_disambiguation == 3
    units = len(labels.units)
    assert labels.relabel[[1, 2, 53]].tolist() == [units + 1, units + 2, units + 3]
    for context, label in zip(contexts, labels.relabel.tolist(), strict=True):
        if len(context) == 3:
            assert labels.units[label - 1] == (context[1], toy.tree.pdfs(*context))
    assert len(set(labels.units)) == units < len(triphones)


def test_paths_of_h_are_the_hmms_without_self_loops(tmp_path: Path) -> None:
    toy = random_toy(1, tmp_path)
    contexts = [[], [-20], [0, 3, 1], [3, 1, 7], [1, 7, 0]]
    labels = context_labels(contexts, toy.tree)
    fst = hmm_fst(labels, toy.transitions)
    assert not fst.costs.any()
    symbol = toy.transitions.num_transition_ids + 1
    relabel = labels.relabel.tolist()
    # The three triphones are those of one utterance.
    said = (relabel[2], relabel[3], relabel[4])
    expected = {(path, said) for path in forward_paths(toy, (3, 1, 7), 7)}
    found = {pair for pair in all_paths(fst, 7) if pair[1] == said}
    assert found == expected
    assert len(expected) > 2
    assert ((symbol,), (relabel[1],)) in all_paths(fst, 1)
    assert not np.isin(fst.ilabels, np.flatnonzero(toy.transitions.is_self_loop)).any()
