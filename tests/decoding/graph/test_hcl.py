from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from graph_toys import approx, path_cost, random_path, random_toy, ways_to_say
from recognizer.data.errors import SpeechError
from recognizer.decoding.graph.hcl import build_hcl
from recognizer.decoding.graph.options import GraphOptions


@pytest.mark.parametrize("seed", range(3))
def test_costs_are_those_of_lexicon_and_transitions(seed: int, tmp_path: Path) -> None:
    toy = random_toy(seed, tmp_path)
    options = GraphOptions(silence_probability=(0.5, 0.2, 0.0)[seed])
    graph = build_hcl(toy.lexicon, toy.phones, toy.tree, toy.transitions, None, options)
    fst = graph.to_arrays()
    ids = {word: index for index, word in enumerate(graph.words)}
    scaled = toy.transitions.scaled_log_probs(options.self_loop_scale, options.transition_scale)
    rng = np.random.default_rng(seed)
    for words in product(toy.lexicon.words, repeat=2):
        outputs = tuple(ids[word] for word in words)
        best: dict[tuple[int, ...], float] = {}
        for way in ways_to_say(toy, words, options.silence_probability):
            # Another way to say it may be the same phones.
            best[way.phones] = min(best.get(way.phones, np.inf), way.cost)
        phones = list(best)[int(rng.integers(len(best)))]
        tids = random_path(toy, phones, rng)
        expected = best[phones] - float(scaled[list(tids)].sum())
        assert path_cost(fst, tids, outputs) == approx(expected)


def test_every_word_follows_every_word(tmp_path: Path) -> None:
    toy = random_toy(0, tmp_path)
    graph = build_hcl(toy.lexicon, toy.phones, toy.tree, toy.transitions)
    assert graph.words == ("<eps>", *sorted(toy.lexicon.words))
    assert sorted(set(graph.olabels.tolist())) == list(range(len(graph.words)))


def test_only_the_words_asked_for(tmp_path: Path) -> None:
    toy = random_toy(0, tmp_path)
    parts = (toy.lexicon, toy.phones, toy.tree, toy.transitions)
    graph = build_hcl(*parts, ["bay", "aye", "nowhere", "<unk>"])
    assert graph.words == ("<eps>", "aye", "bay")
    with pytest.raises(SpeechError, match="1 of 2, such as 'nowhere'"):
        build_hcl(*parts, ["bay", "nowhere"], allow_missing_words=False)
    with pytest.raises(SpeechError, match="found none among 1 words"):
        build_hcl(*parts, ["nowhere"])
