"""Word classes and look-ahead against their definitions."""

from __future__ import annotations

from itertools import pairwise
from math import inf, isnan
from pathlib import Path

import numpy as np
import pytest

from graph_toys import random_toy
from recognizer.decoding import _search
from recognizer.decoding.graph.hcl import build_hcl
from recognizer.decoding.graph.mapped_graph import MappedGraph
from recognizer.lm.automaton.automaton import NgramAutomaton

ANYTHING = 0


def composed(
    seed: int, tmp_path: Path, order: int = 3
) -> tuple[MappedGraph, NgramAutomaton, np.ndarray, _search.ComposedGraph]:
    toy = random_toy(seed, tmp_path, order=order)
    hcl = build_hcl(toy.lexicon, toy.phones, toy.tree, toy.transitions)
    graph = MappedGraph.from_graph(hcl, toy.transitions.pdf)
    automaton = NgramAutomaton.from_model(toy.model)
    words = automaton.word_ids(graph.words)
    words[0] = -1
    arrays = dict(graph.arrays)
    native = _search.ComposedGraph(
        graph.start, len(words), arrays, automaton.arrays, words, len(words), len(words)
    )
    return graph, automaton, words, native


def first_words(graph: MappedGraph) -> list[set[int]]:
    """The words that can come next in each state; 0 is the end of the sentence."""
    plain = graph.to_graph()
    sources = plain.to_arrays().sources.tolist()
    arcs = list(zip(sources, plain.olabels.tolist(), plain.next_states.tolist(), strict=True))
    found: list[set[int]] = [{0} if cost < inf else set() for cost in plain.final_costs]
    changed = True
    while changed:
        changed = False
        for source, word, target in arcs:
            more = {word} if word else found[target]
            if not more <= found[source]:
                found[source] |= more
                changed = True
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("most", [1, 3, 100])
def test_classes_are_the_words_that_can_come_next(seed: int, most: int, tmp_path: Path) -> None:
    graph, _, _, native = composed(seed, tmp_path)
    of_state, offsets, members, order = _search.word_classes(native, most)
    bounds = offsets.astype(np.int64)
    assert sorted(order.tolist()) == list(range(1, len(graph.words)))
    sets = [members[a:b].tolist() for a, b in pairwise(bounds)]
    assert sets[ANYTHING] == []
    kinds = set()
    for state, expected in enumerate(first_words(graph)):
        found = of_state[state]
        kinds.add(int(found))
        if 0 in expected or len(expected) > most:
            assert found == ANYTHING
        else:
            assert found != ANYTHING
            assert sets[found] == sorted(expected)
    # Equal sets are one class.
    assert len({tuple(words) for words in sets[1:]}) == len(sets) - 1
    assert kinds | {ANYTHING} == set(range(len(sets)))
    assert most == 1 or len(kinds) > 1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("max_bytes", [0, 1 << 20])
def test_look_ahead_is_the_cost_of_the_best_word(seed: int, max_bytes: int, tmp_path: Path) -> None:
    graph, automaton, words, native = composed(seed, tmp_path, order=1 + seed)
    of_state, offsets, members, _ = _search.word_classes(native, len(words))
    bounds = offsets.astype(np.int64)
    look_ahead = _search.LookAhead(native, max_bytes)
    states = automaton.arrays["states"]
    backoffs = (states[:, 1] & 0xFFFFFFFF).astype(np.uint32).view(np.float32).tolist()
    shorter = (states[:, 1] >> 32).tolist()
    explicit: list[dict[int, float]] = []
    arcs = automaton.arrays["arcs"]
    for first, last in zip(states[:, 0].tolist(), states[1:, 0].tolist(), strict=False):
        costs = -arcs[first:last, 1].copy().view(np.float32)
        explicit.append(dict(zip(arcs[first:last, 0].tolist(), costs.tolist(), strict=True)))
    ends = automaton.arrays["finals"].tolist()

    def chain(state: int) -> list[tuple[int, float]]:
        """The state and those that it backs off to, with the cost of getting there."""
        found = [(state, 0.0)]
        while state:
            found.append((shorter[state], found[-1][1] - backoffs[state]))
            state = shorter[state]
        return found

    checked = 0
    for state in range(automaton.num_states):
        for of_class in range(len(offsets) - 1):
            target, backoff, best = look_ahead.find(state, of_class)
            paid = dict(chain(state))
            assert backoff == pytest.approx(paid[target], abs=1e-5)
            inside = {
                int(words[word])
                for word in members[bounds[of_class] : bounds[of_class + 1]].tolist()
                if words[word] >= 0
            }
            skipped = [one for one, _ in chain(state)][: [*paid].index(target)]
            if of_class == ANYTHING:
                assert best == 0.0
                assert all(not explicit[one] and isnan(ends[one]) for one in skipped)
                continue
            assert not any(inside & set(explicit[one]) for one in skipped)
            if not inside:
                assert best == inf
                continue
            costs = {
                word: min(cost + explicit[one].get(word, inf) for one, cost in chain(state))
                for word in inside
            }
            assert backoff + best == pytest.approx(min(costs.values()), abs=1e-5)
            exact = [-automaton.score(state, automaton.words[word])[0] for word in sorted(inside)]
            assert backoff + best <= min(exact) + 1e-5
            assert inside & set(explicit[target])
            checked += 1
    assert checked > 3
    assert graph.num_states == len(of_state)
