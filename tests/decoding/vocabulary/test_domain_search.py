"""A mixed language model, and classes of words: the search against HCLG built with them."""

from __future__ import annotations

from math import log
from pathlib import Path

import numpy as np
import pytest

from graph_toys import random_ngrams, random_toy
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation
from recognizer.decoding.graph.build import build_graph
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.graph.hcl import build_hcl
from recognizer.decoding.search.on_the_fly import OnTheFlyDecoder
from recognizer.decoding.search.search import Decoder, SearchOptions
from recognizer.decoding.vocabulary.extension import AddedWord, ExtendableGraph, ExtendedGraph
from recognizer.decoding.vocabulary.phrases import WeightedPhrase, native_phrases
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.model.interpolate import interpolate_ngrams
from recognizer.lm.ngram.model import NgramModel

OPTIONS = SearchOptions(beam=1e9, lattice_beam=5.0, max_active=10**6, acoustic_scale=0.5)
OWN = ["aye", "bay", "eye"]


def best_paths(
    whole: DecodingGraph, extended: ExtendedGraph, pdfs: np.ndarray, model: NgramModel, seed: int
) -> None:
    """The best path of the search equals that of HCLG: transition-ids, words, costs."""
    rng = np.random.default_rng(seed)
    static = Decoder(whole, pdfs, OPTIONS)
    found = OnTheFlyDecoder(
        extended.graph,
        None,
        NgramAutomaton.from_model(model),
        OPTIONS,
        "epsilon",
        lm_words=extended.scored_as,
        num_own_words=extended.num_own_words,
    )
    for _ in range(3):
        scores = rng.normal(0, 2, (16, int(pdfs.max()) + 1)).astype(np.float32)
        one, other = static.decode_best(scores), found.decode_best(scores)
        scored_as = [extended.scored_as[word] for word in other.word_ids]
        assert scored_as == list(one.words)
        assert other.tids.tolist() == one.tids.tolist()
        assert other.cost(0.5) == pytest.approx(one.cost(0.5), abs=2e-3)


@pytest.mark.parametrize("seed", range(4))
def test_a_domain_with_words_of_its_own(seed: int, tmp_path: Path) -> None:
    toy = random_toy(seed, tmp_path)
    own = random_ngrams(seed, OWN, 3, tmp_path / "own.arpa")
    domain = random_ngrams(seed + 50, ["bay", "bab", "baba"], 2, tmp_path / "domain.arpa")
    mixed = interpolate_ngrams([own, domain], (0.6, 0.4))
    parts = (toy.phones, toy.tree, toy.transitions)
    whole = build_graph(toy.lexicon, *parts, mixed, allow_missing_words=True)
    extendable = ExtendableGraph(build_hcl(toy.lexicon, *parts, OWN), toy.tree, toy.transitions)
    added = [
        AddedWord(e.word, e.phones, -log(e.probability), e.word)
        for word in ("bab", "baba")
        for e in toy.lexicon[word]
    ]
    best_paths(whole, extendable.extend(added), toy.transitions.pdf, mixed, seed)


@pytest.mark.parametrize("seed", range(4))
def test_a_class_with_a_new_word_and_one_that_the_graph_has(seed: int, tmp_path: Path) -> None:
    toy = random_toy(seed, tmp_path)
    model = random_ngrams(seed, [*OWN, "<town>"], 3, tmp_path / "classes.arpa")
    parts = (toy.phones, toy.tree, toy.transitions)
    # In HCLG, the words of a class are pronunciations of it.
    of_class = [(word, e) for word in ("bay", "baba") for e in toy.lexicon[word]]
    share = {"bay": 1.0, "baba": 0.25}
    lexicon = toy.lexicon.restricted_to(OWN).merged_with(
        Lexicon(
            Pronunciation("<town>", e.phones, share[word] * e.probability) for word, e in of_class
        )
    )
    whole = build_graph(lexicon, *parts, model)
    extendable = ExtendableGraph(build_hcl(toy.lexicon, *parts, OWN), toy.tree, toy.transitions)
    extended = extendable.extend(
        [AddedWord(w, e.phones, -log(share[w] * e.probability), "<town>") for w, e in of_class]
    )
    assert extended.graph.words.count("bay") == 2
    assert extended.scored_as[extended.num_own_words :] == ("<town>", "<town>")
    best_paths(whole, extended, toy.transitions.pdf, model, seed)


def test_phrases_count_for_all_labels_of_a_word() -> None:
    symbols = ("<eps>", "bay", "aye", "bay")
    native = native_phrases([WeightedPhrase(("bay", "aye"), 2.0)], symbols)
    for bay in (1, 3):
        node, first = native.next(0, bay)
        _, second = native.next(node, 2)
        assert first + second == pytest.approx(2.0)
