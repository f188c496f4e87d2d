"""Automata taken apart into n-grams again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lm_models import as_dict, random_model
from recognizer.lm.arpa.files import read_arpa, write_arpa
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.automaton.ngrams import ngram_model
from recognizer.lm.model.prune import prune_ngrams
from recognizer.lm.ngram.model import NgramModel


def telling(model: NgramModel) -> dict[tuple[str, ...], tuple[float, float]]:
    """The n-grams that say something about a sentence."""
    return {
        words: (prob, backoff if len(words) < model.order else 0.0)
        for words, (prob, backoff) in as_dict(model).items()
        if "<s>" not in words[1:] and "</s>" not in words[:-1] and words != ("<s>",)
    }


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("pruned", [False, True])
def test_the_same_ngrams_and_the_same_automaton(seed: int, order: int, pruned: bool) -> None:
    model = random_model(seed, order)
    if pruned and order > 1:
        model = prune_ngrams(model, ngrams=15)
    automaton = NgramAutomaton.from_model(model)
    for layout in (automaton, automaton.compact()):
        found = ngram_model(layout)
        expected, ours = telling(model), telling(found)
        assert ours.keys() == expected.keys()
        for words, values in expected.items():
            assert ours[words] == pytest.approx(values, abs=1e-6)
        again = NgramAutomaton.from_model(found)
        assert again.words == automaton.words
        for name, array in automaton.arrays.items():
            assert np.array_equal(again.arrays[name], array, equal_nan=name == "finals")


def test_through_an_arpa_file(tmp_path: Path) -> None:
    automaton = NgramAutomaton.from_model(random_model(7, 3))
    write_arpa(ngram_model(automaton), tmp_path / "lm.arpa", decimals=9)
    again = NgramAutomaton.from_model(read_arpa(tmp_path / "lm.arpa"))
    sentences = [["a", "b"], [], ["e", "e", "zebra", "a"]]
    np.testing.assert_allclose(
        again.sentence_log_probs(sentences), automaton.sentence_log_probs(sentences), atol=1e-6
    )
