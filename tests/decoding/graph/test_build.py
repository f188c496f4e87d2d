"""The whole graph against enumeration of words, pronunciations, silences and HMM states."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from math import inf
from pathlib import Path

import numpy as np
import pytest

from graph_toys import (
    Spoken,
    Toy,
    all_paths,
    approx,
    forward_paths,
    lm_cost,
    path_cost,
    random_path,
    random_toy,
    random_tree,
    small_topology,
    ways_to_say,
)
from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation
from recognizer.decoding.graph.build import build_graph
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.graph.options import GraphOptions


def build(
    toy: Toy, options: GraphOptions | None = None, *, allow_missing_words: bool = True
) -> DecodingGraph:
    parts = (toy.lexicon, toy.phones, toy.tree, toy.transitions, toy.model)
    return build_graph(*parts, options, allow_missing_words=allow_missing_words)


def spoken(toy: Toy, most_words: int, options: GraphOptions) -> list[Spoken]:
    return [
        way
        for length in range(most_words + 1)
        for words in product(toy.words, repeat=length)
        for way in ways_to_say(toy, words, options.silence_probability)
    ]


def expected_cost(toy: Toy, way: Spoken, tids: tuple[int, ...], options: GraphOptions) -> float:
    scaled = toy.transitions.scaled_log_probs(options.self_loop_scale, options.transition_scale)
    return way.cost + lm_cost(toy.model, way.words) - float(scaled[list(tids)].sum())


@pytest.mark.parametrize(
    ("seed", "frames", "topology"),
    [(0, 6, small_topology), (1, 6, small_topology), (2, 6, small_topology),
     (3, 6, small_topology), (0, 4, Topology.chain), (3, 4, Topology.chain)],
)  # fmt: skip
def test_graph_has_exactly_the_paths_and_costs_of_enumeration(
    seed: int, frames: int, topology: Callable[[PhoneTable], Topology], tmp_path: Path
) -> None:
    toy = random_toy(seed, tmp_path, 1 + seed, topology)
    chain = topology == Topology.chain
    options = GraphOptions(
        self_loop_scale=1.0 if chain else 0.1 + 0.2 * seed,
        silence_probability=(0.5, 0.2, 0.0, 0.7)[seed],
    )
    graph = build(toy, options)
    expected: dict[tuple[tuple[int, ...], tuple[int, ...]], float] = {}
    # Every word takes two frames at least, and one frame in the chain topology.
    for way in spoken(toy, frames if chain else frames // 2, options):
        outputs = tuple(graph.words.index(word) for word in way.words)
        for tids in forward_paths(toy, way.phones, frames):
            cost = expected_cost(toy, way, tids, options)
            expected[tids, outputs] = min(cost, expected.get((tids, outputs), inf))
    loops = frozenset(np.flatnonzero(toy.transitions.is_self_loop).tolist())
    found = all_paths(graph.to_arrays(), frames, loops)
    assert set(found) == set(expected)
    assert len(found) > 40
    for labels, cost in expected.items():
        assert found[labels] == approx(cost)


@pytest.mark.parametrize(
    ("seed", "topology"),
    [(0, small_topology), (1, Topology.standard), (2, Topology.standard), (3, Topology.chain)],
)
@pytest.mark.parametrize("self_loop_scale", [0.1, 1.0])
def test_random_sentences_with_self_loops(
    seed: int,
    topology: Callable[[PhoneTable], Topology],
    self_loop_scale: float,
    tmp_path: Path,
) -> None:
    toy = random_toy(10 + seed, tmp_path, 5, topology)
    options = GraphOptions(self_loop_scale=self_loop_scale)
    graph = build(toy, options)
    fst = graph.to_arrays()
    rng = np.random.default_rng(seed)
    for _ in range(40):
        words = tuple(rng.choice(toy.words, int(rng.integers(0, 6))).tolist())
        ways = list(ways_to_say(toy, words, 0.5))
        way = ways[int(rng.integers(len(ways)))]
        tids = random_path(toy, way.phones, rng)
        outputs = tuple(graph.words.index(word) for word in words)
        assert path_cost(fst, tids, outputs) == approx(expected_cost(toy, way, tids, options))


def test_homophones_and_prefixes_differ_by_the_language_model_alone(tmp_path: Path) -> None:
    toy = random_toy(3, tmp_path, order=2)
    graph = build(toy)
    fst = graph.to_arrays()
    tids = next(forward_paths(toy, toy.phones.word_phones(("A",)), 10))
    cost = {
        word: path_cost(fst, tids, (graph.words.index(word),)) for word in ("aye", "eye", "bay")
    }
    difference = lm_cost(toy.model, ("eye",)) + np.log(2) - lm_cost(toy.model, ("aye",))
    assert cost["eye"] - cost["aye"] == approx(difference)
    assert cost["bay"] == inf


def test_triphones_that_share_pdfs_share_arcs(tmp_path: Path) -> None:
    toy = random_toy(5, tmp_path, order=3)
    phones, topology = toy.phones, toy.transitions.topology
    without_context = random_tree(0, phones, topology, splits=0)
    transitions = TransitionModel(topology, phones, without_context.tuples())
    small = build(replace(toy, tree=without_context, transitions=transitions))
    assert small.num_arcs < 0.85 * build(toy).num_arcs


def test_each_state_has_one_self_loop_and_only_arcs_that_ask_for_it(tmp_path: Path) -> None:
    toy = random_toy(1, tmp_path, make_topology=Topology.standard)
    fst = build(toy).to_arrays()
    is_loop = fst.sources == fst.next_states
    assert np.array_equal(is_loop, toy.transitions.is_self_loop[fst.ilabels])
    loop_of = np.zeros(fst.num_states, dtype=np.int64)
    assert len(np.unique(fst.sources[is_loop])) == is_loop.sum()
    loop_of[fst.sources[is_loop]] = fst.ilabels[is_loop]
    assert np.array_equal(toy.transitions.self_loop[fst.ilabels], loop_of[fst.next_states])
    assert loop_of[fst.start] == 0


def test_words_without_unigram_or_pronunciation_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    toy = random_toy(2, tmp_path)
    assert build(toy).words == ("<eps>", "aye", "bab", "baba", "bay", "eye")
    without = replace(toy, lexicon=Lexicon(p for p in toy.lexicon if p.word != "bay"))
    with caplog.at_level(logging.WARNING):
        graph = build(without)
    assert graph.words == ("<eps>", "aye", "bab", "baba", "eye")
    assert "1 of the language model's 5 words are left out" in caplog.text
    with pytest.raises(SpeechError, match="found none for 1 of 5, such as 'bay'"):
        build(without, allow_missing_words=False)
    nothing = replace(toy, lexicon=Lexicon([Pronunciation("other", ("A",))]))
    with pytest.raises(SpeechError, match="found none of the language model's 5 words"):
        build(nothing)


def test_parts_that_do_not_go_together(tmp_path: Path) -> None:
    toy = random_toy(2, tmp_path)
    foreign = Lexicon([*toy.lexicon, Pronunciation("bay", ("B", "Q"))])
    with pytest.raises(SpeechError, match=r"lexicon: word 'bay': .* found 'Q_E'"):
        build(replace(toy, lexicon=foreign))
    phones = PhoneTable.from_base(["A", "B", "C"])
    with pytest.raises(SpeechError, match="expected tree and transitions of the 14 phones"):
        build(replace(toy, phones=phones))
    topology = small_topology(toy.phones)
    other_tree = random_tree(99, toy.phones, topology, splits=30)
    with pytest.raises(SpeechError, match=r"expected a known \(phone, state, pdf\)"):
        build(replace(toy, tree=other_tree))


@pytest.mark.parametrize(
    "bad", [{"self_loop_scale": -1}, {"transition_scale": -0.1}, {"silence_probability": 1.0}]
)
def test_impossible_options(bad: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=f"GraphOptions: {next(iter(bad))}"):
        GraphOptions(**bad)  # type: ignore[arg-type]


def test_building_twice_gives_the_same_graph(tmp_path: Path) -> None:
    toy = random_toy(4, tmp_path)
    one, two = build(toy).to_arrays(), build(toy).to_arrays()
    for field in dataclasses.fields(one):
        assert np.array_equal(getattr(one, field.name), getattr(two, field.name))
