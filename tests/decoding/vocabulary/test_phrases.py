"""Phrases with a bonus: what a word sequence is worth, and the search with them."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_toys import random_toy
from recognizer.data.errors import SpeechError
from recognizer.decoding.graph.hcl import build_hcl
from recognizer.decoding.search.on_the_fly import BackoffMode, OnTheFlyDecoder
from recognizer.decoding.search.search import SearchOptions
from recognizer.decoding.vocabulary.phrases import WeightedPhrase, native_phrases
from recognizer.lm.automaton.automaton import NgramAutomaton
from search_toys import lattice_paths

SYMBOLS = ("<eps>", "a", "b", "c")
WORDS = st.sampled_from(SYMBOLS[1:])
PHRASES = st.lists(
    st.builds(
        WeightedPhrase,
        st.lists(WORDS, min_size=1, max_size=4).map(tuple),
        st.sampled_from([0.5, 1.0, 3.0, -2.0]),
    ),
    min_size=1,
    max_size=5,
)


def worth(phrases: Sequence[WeightedPhrase], words: Sequence[str]) -> float:
    """The bonus of every occurrence of every phrase."""
    total = 0.0
    for phrase in phrases:
        length = len(phrase.words)
        for first in range(len(words) - length + 1):
            total += phrase.bonus * (tuple(words[first : first + length]) == phrase.words)
    return total


@given(PHRASES, st.lists(WORDS, max_size=12))
def test_a_sentence_is_worth_the_phrases_in_it(
    phrases: list[WeightedPhrase], words: list[str]
) -> None:
    native = native_phrases(phrases, SYMBOLS)
    node, total = 0, 0.0
    for number, word in enumerate(words, start=1):
        node, bonus = native.next(node, SYMBOLS.index(word))
        total += bonus
        # What is given in advance is all that differs from what is complete.
        expected = worth(phrases, words[:number])
        assert total - native.advance(node) == pytest.approx(expected, abs=1e-4)


def test_the_bonus_is_spread_over_the_phrase_and_taken_back() -> None:
    native = native_phrases([WeightedPhrase(("a", "b", "c"), 3.0)], SYMBOLS)
    node, first = native.next(0, 1)
    node, second = native.next(node, 2)
    complete, third = native.next(node, 3)
    _, back = native.next(node, 1)  # "a" may begin it again
    assert (first, second, third) == pytest.approx((1.0, 1.0, 1.0))
    assert native.advance(complete) == 0.0
    assert back == pytest.approx(-1.0)


def test_words_that_the_graph_lacks_are_named() -> None:
    with pytest.raises(SpeechError, match=r"phrase 'a zzz': expected words .*found 'zzz'"):
        native_phrases([WeightedPhrase(("a", "zzz"), 1.0)], SYMBOLS)


@pytest.mark.parametrize("mode", ["exact", "epsilon"])
@pytest.mark.parametrize("seed", range(3))
def test_all_paths_of_the_search_have_the_bonuses_of_their_words(
    seed: int, mode: BackoffMode, tmp_path: Path
) -> None:
    toy = random_toy(seed, tmp_path, order=3)
    graph = build_hcl(toy.lexicon, toy.phones, toy.tree, toy.transitions)
    phrases = [
        WeightedPhrase(("bay", "aye"), 2.5),
        WeightedPhrase(("aye",), -0.75),
        WeightedPhrase(("aye", "aye", "eye"), 4.0),
        WeightedPhrase(("eye", "bay"), 1.25),
    ]
    options = SearchOptions(
        beam=inf, lattice_beam=inf, max_active=10**6, min_active=0, acoustic_scale=0.5
    )
    automaton = NgramAutomaton.from_model(toy.model)
    scores = np.random.default_rng(seed).normal(0, 2, (5, toy.tree.num_pdfs)).astype(np.float32)

    def costs(given: list[WeightedPhrase]) -> dict[tuple[tuple[int, ...], tuple[str, ...]], float]:
        pdfs = toy.transitions.pdf
        decoder = OnTheFlyDecoder(graph, pdfs, automaton, options, mode, phrases=given)
        lattice = decoder.decode(scores)
        found: dict[tuple[tuple[int, ...], tuple[str, ...]], float] = {}
        for path in lattice_paths(lattice):
            key = (path.tids, tuple(lattice.symbols[word] for word in path.words))
            found[key] = min(found.get(key, inf), path.graph)
        return found

    without, found = costs([]), costs(phrases)
    assert found.keys() == without.keys()
    assert len(found) > 20
    assert any(worth(phrases, words) for _, words in found)
    for (tids, words), cost in found.items():
        expected = without[tids, words] - worth(phrases, words)
        assert cost == pytest.approx(expected, abs=1e-3)
