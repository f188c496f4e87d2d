"""Words added to HCL at run time against HCL that was built with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest

from graph_toys import SMALL_SILENCE, Toy, all_paths, random_toy
from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import HmmState, Topology
from recognizer.data.errors import SpeechError
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.graph.hcl import build_hcl
from recognizer.decoding.graph.options import GraphOptions
from recognizer.decoding.search.on_the_fly import BackoffMode, OnTheFlyDecoder
from recognizer.decoding.search.search import SearchOptions
from recognizer.decoding.vocabulary.extension import AddedWord, ExtendableGraph
from recognizer.lm.automaton.automaton import NgramAutomaton

Paths = dict[tuple[tuple[int, ...], tuple[str, ...]], float]
ADDED = (
    ("aye",),
    ("bay",),
    ("bab",),
    ("bay", "eye"),
    ("aye", "eye"),
    ("baba", "unused"),
    ("bab", "baba", "bay", "aye"),
)


def added(toy: Toy, words: tuple[str, ...]) -> list[AddedWord]:
    entries = [entry for word in words for entry in toy.lexicon[word]]
    return [AddedWord(e.word, e.phones, -log(e.probability)) for e in entries]


def graphs(
    toy: Toy, words: tuple[str, ...], options: GraphOptions
) -> tuple[DecodingGraph, ExtendableGraph]:
    """HCL of all words, and one that the given words can be added to."""
    parts = (toy.lexicon, toy.phones, toy.tree, toy.transitions)
    rest = [word for word in toy.lexicon.words if word not in words]
    part = build_hcl(*parts, rest, options)
    extendable = ExtendableGraph(part, toy.tree, toy.transitions, options)
    return build_hcl(*parts, options=options), extendable


def named_paths(graph: DecodingGraph, most: int) -> Paths:
    paths = all_paths(graph.to_arrays(), most)
    return {(tids, tuple(graph.words[w] for w in ws)): cost for (tids, ws), cost in paths.items()}


def one_state(phones: PhoneTable) -> Topology:
    """Phones of one state, and a silence whose states lead to each other."""
    return Topology((HmmState(((0, 0.6), (1, 0.4))),), SMALL_SILENCE, phones.silence)


# With these topologies a phone may be one frame: short paths hold several words.
@pytest.mark.parametrize(
    ("make_topology", "frames", "silence"),
    [
        (Topology.chain, 4, 0.0),
        (Topology.chain, 4, 0.8),
        (one_state, 4, 0.2),
        (one_state, 4, 0.5),
    ],
)
@pytest.mark.parametrize("words", ADDED, ids="-".join)
def test_all_paths_and_costs_are_those_of_the_whole_graph(
    words: tuple[str, ...],
    make_topology: Callable[[PhoneTable], Topology],
    frames: int,
    silence: float,
    tmp_path: Path,
) -> None:
    toy = random_toy(len(words) + frames, tmp_path, make_topology=make_topology)
    options = GraphOptions(silence_probability=silence)
    whole, extendable = graphs(toy, words, options)
    expected = named_paths(whole, frames)
    found = named_paths(extendable.extend(added(toy, words)).graph.to_graph(), frames)
    assert set(words) <= {word for _, said in expected for word in said}
    assert found.keys() == expected.keys()
    assert [found[key] for key in expected] == pytest.approx(list(expected.values()), abs=1e-3)


@pytest.mark.parametrize("mode", ["exact", "epsilon"])
@pytest.mark.parametrize("seed", range(3))
def test_the_search_finds_what_it_finds_in_the_whole_graph(
    seed: int, mode: BackoffMode, tmp_path: Path
) -> None:
    toy = random_toy(seed, tmp_path, order=3)
    words = ("bab", "eye")
    whole, extendable = graphs(toy, words, GraphOptions())
    extended = extendable.extend(
        [AddedWord(w.word, w.phones, w.cost, w.word) for w in added(toy, words)]
    )
    options = SearchOptions(beam=50.0, lattice_beam=5.0, max_active=10**6, acoustic_scale=0.5)
    automaton = NgramAutomaton.from_model(toy.model)
    scores = np.random.default_rng(seed).normal(0, 2, (20, toy.tree.num_pdfs)).astype(np.float32)
    one = OnTheFlyDecoder(whole, toy.transitions.pdf, automaton, options, mode)
    other = OnTheFlyDecoder(
        extended.graph,
        None,
        automaton,
        options,
        mode,
        lm_words=extended.scored_as,
        num_own_words=extended.num_own_words,
    )
    expected, found = one.decode_best(scores), other.decode_best(scores)
    assert found.words == expected.words
    assert found.tids.tolist() == expected.tids.tolist()
    assert found.cost(0.5) == pytest.approx(expected.cost(0.5), abs=1e-3)


def test_several_words_may_be_scored_as_one(tmp_path: Path) -> None:
    toy = random_toy(1, tmp_path, order=2)
    words = ("bab", "baba")
    _, extendable = graphs(toy, words, GraphOptions())
    weights = {"bab": -4.0, "baba": -3.5}
    extended = extendable.extend(
        [AddedWord(w.word, w.phones, weights[w.word], "bay") for w in added(toy, words)]
    )
    names = dict(zip(extended.graph.words, extended.scored_as, strict=True))
    assert (names["bab"], names["baba"], names["aye"]) == ("bay", "bay", "aye")
    automaton = NgramAutomaton.from_model(toy.model)
    decoder = OnTheFlyDecoder(
        extended.graph,
        None,
        automaton,
        SearchOptions(beam=1e9, lattice_beam=1e9, max_active=10**6, acoustic_scale=0.5),
        lm_words=extended.scored_as,
        num_own_words=extended.num_own_words,
    )
    scores = np.zeros((6, toy.tree.num_pdfs), np.float32)
    costs: dict[tuple[str, ...], float] = {}
    for (tids, said), cost in named_paths(extended.graph.to_graph(), len(scores)).items():
        if len(tids) < len(scores):
            continue
        state, total = automaton.start(), cost
        for word in said:
            log_prob, state = automaton.score(state, names[word])
            total -= log_prob
        total -= automaton.final(state)
        costs[said] = min(costs.get(said, np.inf), total)
    best = min(costs, key=lambda said: costs[said])
    assert {"bab", "baba"} & set(best)
    found = decoder.decode_best(scores)
    assert found.words == best
    assert found.cost(0.5) == pytest.approx(costs[best], abs=1e-3)


def test_the_graph_itself_stays_as_it_is(tmp_path: Path) -> None:
    toy = random_toy(3, tmp_path)
    _, extendable = graphs(toy, ("bab", "eye"), GraphOptions())
    first = extendable.extend(added(toy, ("bab",))).graph
    extendable.extend(added(toy, ("eye",)))
    again = extendable.extend(added(toy, ("bab",))).graph
    assert first.words == again.words
    for name, array in first.arrays.items():
        assert np.array_equal(array, again.arrays[name]), name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([AddedWord("new", ("A", "X"))], "word 'new'.*found 'X_E'"),
        (
            [AddedWord("new", ("A",), 0.0, "bay"), AddedWord("new", ("B",), 0.0, "aye")],
            "word 'new': expected one class, found 'bay' and 'aye'",
        ),
    ],
)
def test_words_that_do_not_fit_are_refused(
    words: list[AddedWord], message: str, tmp_path: Path
) -> None:
    _, extendable = graphs(random_toy(0, tmp_path), ("bab",), GraphOptions())
    with pytest.raises(SpeechError, match=message):
        extendable.extend(words)


def test_what_is_no_word_is_refused() -> None:
    for word, phones, cost in (("", ("A",), 0.0), ("a b", ("A",), 0.0), ("a", (), 0.0)):
        with pytest.raises(SpeechError):
            AddedWord(word, phones, cost)
    with pytest.raises(SpeechError, match="finite"):
        AddedWord("a", ("A",), np.inf)


def test_a_graph_without_labels_before_last_phones_is_refused(tmp_path: Path) -> None:
    toy = random_toy(0, tmp_path)
    whole, _ = graphs(toy, ("bab",), GraphOptions())
    silent = replace(whole, olabels=np.zeros_like(whole.olabels))
    with pytest.raises(SpeechError, match="expected the labels of words before their last phones"):
        ExtendableGraph(silent, toy.tree, toy.transitions)
