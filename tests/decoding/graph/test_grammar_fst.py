"""G against the language model's own best path over back-off epsilons."""

from __future__ import annotations

from itertools import product
from math import inf
from pathlib import Path

import numpy as np
import pytest

from graph_toys import approx, lm_cost, random_ngrams
from recognizer.decoding.graph.fst_arrays import FstArrays
from recognizer.decoding.graph.grammar_fst import grammar_fst
from recognizer.lm.arpa.files import read_arpa

WORDS = ["a", "b", "c"]
BACKOFF = 99


def sentence_cost(fst: FstArrays, labels: tuple[int, ...]) -> float:
    """Viterbi; back-off arcs are free to take, and words must come out as they went in."""
    costs = {fst.start: 0.0}

    def backed_off(costs: dict[int, float]) -> dict[int, float]:
        work = list(costs)
        while work:
            state = work.pop()
            for arc in np.flatnonzero((fst.sources == state) & (fst.ilabels == BACKOFF)):
                assert fst.olabels[arc] == 0
                to, cost = int(fst.next_states[arc]), costs[state] + float(fst.costs[arc])
                if cost < costs.get(to, inf):
                    costs[to] = cost
                    work.append(to)
        return costs

    for label in labels:
        following: dict[int, float] = {}
        for state, cost in backed_off(costs).items():
            for arc in np.flatnonzero((fst.sources == state) & (fst.ilabels == label)):
                assert fst.olabels[arc] == label
                to = int(fst.next_states[arc])
                following[to] = min(following.get(to, inf), cost + float(fst.costs[arc]))
        costs = following
    finals = fst.final_costs
    return min((c + float(finals[s]) for s, c in backed_off(costs).items()), default=inf)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sentences_cost_what_the_language_model_says(seed: int, order: int, tmp_path: Path) -> None:
    model = random_ngrams(seed, WORDS, order, tmp_path / "toy.arpa")
    ids = {word: index for index, word in enumerate(WORDS, start=1)}
    fst = grammar_fst(model, ids, BACKOFF)
    for length in range(5):
        for words in product(WORDS, repeat=length):
            cost = sentence_cost(fst, tuple(ids[word] for word in words))
            assert cost == approx(lm_cost(model, words))


def test_words_that_are_left_out_change_nothing_else(tmp_path: Path) -> None:
    model = random_ngrams(7, WORDS, 3, tmp_path / "toy.arpa")
    fst = grammar_fst(model, {"a": 1, "c": 2}, BACKOFF)
    assert set(fst.ilabels.tolist()) == {1, 2, BACKOFF}
    for words in product("ac", repeat=3):
        cost = sentence_cost(fst, tuple({"a": 1, "c": 2}[word] for word in words))
        assert cost == approx(lm_cost(model, words))


ARPA = """\\data\\
ngram 1=5
ngram 2=3
ngram 3=1

\\1-grams:
-1 <unk>
-99 <s> -0.25
-0.5 </s>
-1 a -0.125
-2 b -0.5

\\2-grams:
-0.75 <s> a -0.375
-0.25 a a
-0.125 a b -0.25

\\3-grams:
-0.0625 <s> a b

\\end\\
"""


def test_states_exist_only_where_something_continues(tmp_path: Path) -> None:
    (tmp_path / "lm.arpa").write_text(ARPA)
    fst = grammar_fst(read_arpa(tmp_path / "lm.arpa"), {"a": 1, "b": 2}, BACKOFF)
    # Unigrams, <s>, a, and <s> a; neither b nor a a nor a b nor the trigram.
    assert fst.num_states == 4
    ten = np.log(10)
    arcs = {
        (int(s), int(i), int(t)): float(c) / ten
        for s, i, t, c in zip(fst.sources, fst.ilabels, fst.next_states, fst.costs, strict=True)
    }
    start, a, start_a = fst.start, 2, 3
    expected = {
        (0, 1, a): 1.0,
        (0, 2, 0): 2.0 + 0.5,  # b continues nowhere: on to the unigrams at b's back-off cost
        (start, 1, start_a): 0.75,
        (start, BACKOFF, 0): 0.25,
        (a, 1, a): 0.25,  # a a ends in its suffix, since nothing continues it
        (a, 2, 0): 0.125 + 0.25 + 0.5,  # a b: back-off of a b and of b
        (a, BACKOFF, 0): 0.125,
        (start_a, 2, 0): 0.0625 + 0.25 + 0.5,  # the trigram ends in a b, which has no state
        (start_a, BACKOFF, a): 0.375,
    }
    assert arcs == {key: pytest.approx(value, abs=1e-4) for key, value in expected.items()}
    assert fst.final_costs.tolist() == [pytest.approx(0.5 * ten, abs=1e-4), inf, inf, inf]


def test_a_sentence_start_that_nothing_follows(tmp_path: Path) -> None:
    arpa = "\\data\\\nngram 1=4\n\n\\1-grams:\n-9 <unk>\n-99 <s>\n-1 </s>\n-2 a\n\n\\end\\\n"
    (tmp_path / "lm.arpa").write_text(arpa)
    fst = grammar_fst(read_arpa(tmp_path / "lm.arpa"), {"a": 1}, BACKOFF)
    assert sentence_cost(fst, (1, 1)) == approx(5 * np.log(10))
