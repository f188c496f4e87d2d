"""Words, classes, phrases and a grammar in one search, against the best path of their HCLG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log
from pathlib import Path

import numpy as np
import pytest

from graph_toys import Toy, random_ngrams, random_toy
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation
from recognizer.decoding.graph.build import compose_graph
from recognizer.decoding.graph.fst_arrays import FstArrays
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.graph.hcl import build_hcl
from recognizer.decoding.graph.options import GraphOptions
from recognizer.decoding.search.on_the_fly import OnTheFlyDecoder
from recognizer.decoding.search.search import Decoder, SearchOptions
from recognizer.decoding.vocabulary.extension import AddedWord, ExtendableGraph, ExtendedGraph
from recognizer.decoding.vocabulary.grammar import grammar_automaton
from recognizer.decoding.vocabulary.phrases import WeightedPhrase, native_phrases
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.grammar.acceptor import determinize
from recognizer.lm.grammar.jsgf import parse_grammar
from recognizer.lm.grammar.network import make_network

OPTIONS = SearchOptions(beam=1e9, lattice_beam=5.0, max_active=10**6, acoustic_scale=0.5)
OWN = ["aye", "bay", "eye"]
# A word, as what it is scored, and its cost. The graph has the first ones already.
ADDED = (("bab", "<unk>", 0.5), ("baba", "<town>", 0.25), ("bay", "<town>", 1.0))
PHRASES = [
    WeightedPhrase(("bab", "aye"), 2.5),
    WeightedPhrase(("bay", "baba"), 1.75),
    WeightedPhrase(("eye", "bay", "aye"), 4.0),
    WeightedPhrase(("eye",), -0.75),
]
GRAMMAR = "#JSGF V1.0; grammar g; public <s> = /2/ aye (bab | bay)+ | /1/ [eye] bab aye;"


def extended(toy: Toy, added: Sequence[tuple[str, str, float]]) -> ExtendedGraph:
    parts = (toy.phones, toy.tree, toy.transitions)
    extendable = ExtendableGraph(build_hcl(toy.lexicon, *parts, OWN), toy.tree, toy.transitions)
    return extendable.extend(
        [
            AddedWord(word, entry.phones, cost - log(entry.probability), scored_as)
            for word, scored_as, cost in added
            for entry in toy.lexicon[word]
        ]
    )


def whole_graph(
    toy: Toy,
    graph: ExtendedGraph,
    lm: NgramAutomaton,
    scored_as: Sequence[str],
    costs: np.ndarray,
    phrases: Sequence[WeightedPhrase],
) -> DecodingGraph:
    """HCLG with an arc for every word in every state of language model and phrases."""
    words = graph.graph.words
    native = native_phrases(phrases, words)
    # A word that has two labels has two entries.
    labels = [f"{word}#{label}" for label, word in enumerate(words)]
    lexicon = Lexicon(
        Pronunciation(labels[label], entry.phones, entry.probability)
        for label in range(1, len(words))
        for entry in toy.lexicon[words[label]]
    )

    def acceptor(ids: Mapping[str, int], _: int) -> FstArrays:
        numbers = {(lm.start(), 0): 0}
        rows: list[tuple[int, int, float, int]] = []
        finals: list[float] = []
        for state, node in (waiting := list(numbers)):
            finals.append(native.advance(node) - lm.final(state))
            for label in range(1, len(words)):
                log_prob, next_state = lm.score(state, scored_as[label])
                next_node, bonus = native.next(node, label)
                after = (next_state, next_node)
                if after not in numbers:
                    numbers[after] = len(numbers)
                    waiting.append(after)
                cost = float(costs[label]) - log_prob - bonus
                rows.append((numbers[state, node], ids[labels[label]], cost, numbers[after]))
        return FstArrays.from_arcs(
            np.array([row[0] for row in rows], np.int32),
            np.array([row[1] for row in rows], np.int32),
            np.array([row[1] for row in rows], np.int32),
            np.array([row[2] for row in rows], np.float32),
            np.array([row[3] for row in rows], np.int32),
            np.array(finals, np.float32),
            start=0,
        )

    parts = (toy.phones, toy.tree, toy.transitions)
    return compose_graph(lexicon, *parts, ("<eps>", *labels[1:]), acceptor, GraphOptions())


@pytest.mark.parametrize("given", ["language model", "grammar"])
@pytest.mark.parametrize("seed", range(3))
def test_the_best_path_is_that_of_the_whole_graph(seed: int, given: str, tmp_path: Path) -> None:
    toy = random_toy(seed, tmp_path)
    lm = NgramAutomaton.from_model(random_ngrams(seed, [*OWN, "<town>"], 3, tmp_path / "lm.arpa"))
    added = ADDED if given == "language model" else ADDED[:1]
    graph = extended(toy, added)
    words = graph.graph.words
    phrases = [phrase for phrase in PHRASES if set(words) >= set(phrase.words)]
    costs = np.zeros(len(words))
    costs[len(words) - len(added) :] = [cost for _, _, cost in added]
    scored_as: Sequence[str] = graph.scored_as
    lm_words: Sequence[str] | None = scored_as
    if given == "grammar":
        accepted = determinize(make_network(parse_grammar(GRAMMAR, "g")), "g")
        lm = grammar_automaton(accepted, lm, words, 1.0)
        scored_as, lm_words = words, None
    pdfs = toy.transitions.pdf
    static = Decoder(whole_graph(toy, graph, lm, scored_as, costs, phrases), pdfs, OPTIONS)
    search = OnTheFlyDecoder(
        graph.graph,
        None,
        lm,
        OPTIONS,
        lm_words=lm_words,
        num_own_words=graph.num_own_words,
        phrases=phrases,
    )
    rng = np.random.default_rng(seed)
    said: set[str] = set()
    for _ in range(6):
        scores = rng.normal(0, 2, (16, toy.tree.num_pdfs)).astype(np.float32)
        expected, found = static.decode_best(scores), search.decode_best(scores)
        assert [f"{words[label]}#{label}" for label in found.word_ids] == list(expected.words)
        assert found.tids.tolist() == expected.tids.tolist()
        assert found.cost(0.5) == pytest.approx(expected.cost(0.5), abs=2e-3)
        said.update(found.words)
    assert said & {word for word, _, _ in added}
