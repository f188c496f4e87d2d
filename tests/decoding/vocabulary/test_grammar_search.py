"""The search with a grammar, against HCLG of the same grammar with what lies outside of it."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from pathlib import Path

import numpy as np
import pytest

from graph_toys import Toy, random_toy
from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.graph.build import compose_graph
from recognizer.decoding.graph.fst_arrays import FstArrays
from recognizer.decoding.graph.hcl import build_hcl
from recognizer.decoding.graph.options import GraphOptions
from recognizer.decoding.lattice.lattice import Lattice
from recognizer.decoding.rescoring.rescore import Rescorer
from recognizer.decoding.search.on_the_fly import OnTheFlyDecoder
from recognizer.decoding.search.search import Decoder
from recognizer.decoding.vocabulary.grammar import grammar_automaton
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.grammar.acceptor import Acceptor, determinize
from recognizer.lm.grammar.jsgf import parse_grammar
from recognizer.lm.grammar.network import GrammarNetwork, make_network
from search_toys import EVERYTHING, lattice_paths

GRAMMARS = [
    "aye bay\naye bab\nbay aye\nbaba",
    "#JSGF V1.0; grammar g; public <s> = /3/ aye <t>* {tag} | /1/ bay; <t> = [eye] bab | baba;",
    "#JSGF V1.0; grammar g; public <s> = [aye | bay+]; public <t> = bay <t> | baba;",
]
COST = 0.75
Paths = dict[tuple[tuple[int, ...], tuple[str, ...]], float]


def compiled(text: str) -> tuple[GrammarNetwork, Acceptor]:
    network = make_network(parse_grammar(text, "g"))
    return network, determinize(network, "g")


def whole_acceptor(
    acceptor: Acceptor, lm: NgramAutomaton, words: list[str], ids: Mapping[str, int]
) -> FstArrays:
    """Grammar and language model with an arc for every word in every state."""
    grammar, histories = acceptor.num_states, lm.num_states
    empty = grammar  # state 0 of the language model
    rows: list[tuple[int, int, float, int]] = []
    finals = np.zeros(grammar + histories, np.float32)
    for history in range(histories):
        finals[grammar + history] = -lm.final(history)
        for word in words:
            log_prob, after = lm.score(history, word)
            rows.append((grammar + history, ids[word], -log_prob, grammar + after))
    for state in range(grammar):
        of_grammar = np.isfinite(acceptor.final_costs[state])
        finals[state] = acceptor.final_costs[state] if of_grammar else COST - lm.final(0)
        arcs = range(acceptor.offsets[state], acceptor.offsets[state + 1])
        explicit = {acceptor.words[acceptor.labels[arc]]: arc for arc in arcs}
        for word in words:
            if word in explicit:
                arc = explicit[word]
                cost, after = float(acceptor.costs[arc]), int(acceptor.next_states[arc])
            else:
                log_prob, after = lm.score(0, word)
                cost, after = COST - log_prob, empty + after
            rows.append((state, ids[word], cost, after))
    rows.sort(key=lambda row: row[0])
    labels = np.array([row[1] for row in rows], np.int32)
    return FstArrays.from_arcs(
        np.array([row[0] for row in rows], np.int32),
        labels,
        labels,
        np.array([row[2] for row in rows], np.float32),
        np.array([row[3] for row in rows], np.int32),
        finals,
        start=0,
    )


def paths(lattice: Lattice) -> Paths:
    found: Paths = {}
    for path in lattice_paths(lattice):
        key = (path.tids, tuple(lattice.symbols[word] for word in path.words))
        found[key] = min(found.get(key, inf), path.graph)
    return found


def scores_for(toy: Toy, seed: int, frames: int = 5) -> np.ndarray[tuple[int, int], np.dtype]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 2, (frames, toy.tree.num_pdfs)).astype(np.float32)


@pytest.mark.parametrize(("seed", "text"), list(enumerate(GRAMMARS)))
def test_all_paths_have_the_costs_of_the_explicit_graph(
    seed: int, text: str, tmp_path: Path
) -> None:
    toy = random_toy(seed, tmp_path, order=3)
    parts = (toy.lexicon, toy.phones, toy.tree, toy.transitions)
    network, acceptor = compiled(text)
    lm = NgramAutomaton.from_model(toy.model)
    hcl = build_hcl(*parts)
    own = [word for word in hcl.words[1:] if word in lm]
    static = compose_graph(
        *parts,
        ("<eps>", *own),
        lambda ids, _: whole_acceptor(acceptor, lm, own, ids),
        GraphOptions(),
    )
    # Words of the graph that the language model lacks are in no path of the other one.
    automaton = grammar_automaton(acceptor, lm, ["<eps>", *own], COST)
    scores = scores_for(toy, seed)
    pdfs = toy.transitions.pdf
    searched = OnTheFlyDecoder(hcl, pdfs, automaton, EVERYTHING).decode(scores)
    found = paths(searched)
    expected = paths(Decoder(static, pdfs, EVERYTHING).decode(scores))
    assert found.keys() == expected.keys()
    for key, cost in found.items():
        assert cost == pytest.approx(expected[key], abs=1e-3)
    inside = [words for _, words in found if network.tags(words) is not None]
    assert 0 < len(inside) < len(found)
    # Rescoring with the grammar for the grammar changes nothing.
    compact = OnTheFlyDecoder(hcl, pdfs, automaton, EVERYTHING).decode_compact(scores)
    rescored = Rescorer(automaton, automaton, hcl.words).rescore(compact, EVERYTHING.acoustic_scale)
    one = OnTheFlyDecoder(hcl, pdfs, automaton, EVERYTHING).decode_best(scores)
    assert rescored.best.words == one.words
    assert rescored.best.graph_cost == pytest.approx(one.graph_cost, abs=1e-3)


def test_the_cost_of_rejection_decides(tmp_path: Path) -> None:
    toy = random_toy(1, tmp_path, order=2)
    network, acceptor = compiled(GRAMMARS[0])
    lm = NgramAutomaton.from_model(toy.model)
    hcl = build_hcl(toy.lexicon, toy.phones, toy.tree, toy.transitions)
    for cost, inside in ((50.0, True), (-50.0, False)):
        automaton = grammar_automaton(acceptor, lm, hcl.words, cost)
        decoder = OnTheFlyDecoder(hcl, toy.transitions.pdf, automaton, EVERYTHING)
        for seed in range(5):
            words = decoder.decode_best(scores_for(toy, seed, frames=12)).words
            assert (network.tags(words) is not None) is inside


def test_words_that_the_language_model_lacks_are_in_the_automaton(tmp_path: Path) -> None:
    toy = random_toy(2, tmp_path, order=2)
    lm = NgramAutomaton.from_model(toy.model)
    _, acceptor = compiled("aye unused\nunused")
    automaton = grammar_automaton(acceptor, lm, ("<eps>", *toy.words, "unused"), COST)
    assert automaton.words == (*lm.words, "unused")
    start = automaton.start()
    log_prob, after = automaton.score(start, "unused")
    assert log_prob == pytest.approx(-np.log(2), abs=1e-4)
    assert automaton.final(after) == 0.0
    # Outside, it is scored as <unk>, and what follows in the language model is as it was.
    outside, empty = automaton.score(start, "bab")
    assert outside == pytest.approx(lm.score(0, "bab")[0] - COST, abs=1e-5)
    assert automaton.score(empty, "unused")[0] == pytest.approx(
        lm.score(lm.score(0, "bab")[1], "<unk>")[0], abs=1e-5
    )
    with pytest.raises(SpeechError, match=r"grammar: expected words .*found 'unused'"):
        grammar_automaton(acceptor, lm, ("<eps>", *toy.words), COST)
    for cost in (inf, -inf, float("nan")):
        with pytest.raises(UsageError, match="rejection_cost: expected a finite number"):
            grammar_automaton(acceptor, lm, ("<eps>", *toy.words, "unused"), cost)
