"""Rescoring with neural models, against the enumeration of all paths."""

from __future__ import annotations

import math
from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neural_models import random_network
from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.lattice.lattice import CompactLattice
from recognizer.decoding.lattice.mbr import confidences
from recognizer.decoding.lattice.paths import n_best
from recognizer.decoding.rescoring.neural import (
    NeuralRescored,
    NeuralRescorer,
    NeuralRescoringOptions,
)
from recognizer.lm.neural.word_model import NeuralLanguageModel
from rescore_toys import RandomModel, compact_of
from search_toys import SCALE, SYMBOLS, Path, compact_paths

seeds = st.integers(0, 2**32 - 1)

LM_SCALE = 0.75

# The last of the lattices' words is unknown to the network.
NETWORKS = {
    core: NeuralLanguageModel(random_network(SYMBOLS[1:-1], core=core)) for core in ("lstm", "ntm")
}

EXACT = NeuralRescoringOptions(weight=0.4, beam=inf, max_histories=10**6, history_words=0)


def rescore(
    lattice: CompactLattice,
    ngram: RandomModel,
    options: NeuralRescoringOptions,
    network: NeuralLanguageModel = NETWORKS["lstm"],
) -> NeuralRescored:
    return NeuralRescorer(network, ngram, lattice.symbols).rescore(
        lattice, SCALE, LM_SCALE, options
    )


def by_hand(
    path: Path,
    ngram: RandomModel,
    options: NeuralRescoringOptions,
    network: NeuralLanguageModel = NETWORKS["lstm"],
    *,
    end: bool = True,
) -> float:
    """The cost of a path with the mixed scores, word for word."""
    words = [SYMBOLS[word] for word in path.words]
    neural = network.score_sentences([words])[0].tolist()
    state, old, new = ngram.start(), 0.0, 0.0
    for position, word in enumerate([*words, None]):
        if word is None:
            if not end:
                break
            score = ngram.final(state)
        else:
            score, state = ngram.score(state, word)
        other = neural[position] if word is None or word in network else score
        old += score
        if options.mixing == "linear":
            mixture = (1 - options.weight) * math.exp(score) + options.weight * math.exp(other)
            new += math.log(mixture)
        else:
            new += (1 - options.weight) * score + options.weight * other
    return path.cost + LM_SCALE * (old - new)


def costs(lattice: CompactLattice) -> dict[tuple[int, ...], float]:
    found = list(compact_paths(lattice))
    assert len({path.words for path in found}) == len(found)
    return {path.words: path.cost for path in found}


def same(found: dict[tuple[int, ...], float], expected: dict[tuple[int, ...], float]) -> bool:
    return found.keys() == expected.keys() and all(
        found[words] == pytest.approx(expected[words], abs=1e-4) for words in found
    )


@settings(max_examples=40, deadline=None)
@given(
    seeds,
    st.integers(1, 3),
    st.sampled_from(["linear", "log-linear"]),
    st.sampled_from([0.0, 0.4, 1.0]),
    st.sampled_from(["lstm", "ntm"]),
    st.booleans(),
)
def test_every_path_is_rescored_as_by_hand_where_nothing_is_merged(
    seed: int, order: int, mixing: str, weight: float, core: str, reached_final: bool
) -> None:
    compact, paths = compact_of(seed)
    compact = replace(compact, reached_final=reached_final)
    ngram, network = RandomModel(seed, order), NETWORKS[core]
    options = replace(EXACT, mixing=mixing, weight=weight)
    expected = {
        words: by_hand(path, ngram, options, network, end=reached_final)
        for words, path in paths.items()
    }
    found = rescore(compact, ngram, options, network)
    assert same(costs(found.lattice), expected)
    assert found.best.cost(SCALE) == pytest.approx(min(expected.values()), abs=1e-4)
    assert expected[tuple(found.best.word_ids.tolist())] == pytest.approx(
        min(expected.values()), abs=1e-4
    )
    # Frames stay with their words.
    assert tuple(found.best.tids.tolist()) == paths[tuple(found.best.word_ids.tolist())].tids
    # Long enough histories are the same as whole ones.
    merged = rescore(compact, ngram, replace(options, history_words=100), network)
    assert same(costs(merged.lattice), expected)


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(0, 2), st.sampled_from([0.0, 0.2, inf]))
def test_merging_loses_no_path(seed: int, history_words: int, distance: float) -> None:
    compact, paths = compact_of(seed)
    ngram = RandomModel(seed, 2)
    options = replace(EXACT, history_words=history_words, state_distance=distance)
    found, exact = rescore(compact, ngram, options), rescore(compact, ngram, EXACT)
    assert costs(found.lattice).keys() == paths.keys()
    assert found.num_states <= exact.num_states
    # The n-gram model's scores are exact whatever is merged.
    unchanged = {words: path.cost for words, path in paths.items()}
    assert same(costs(found.with_weight(0.0).lattice), unchanged)


def test_states_however_distant_are_merged_into_the_lattice_itself() -> None:
    compact, _ = compact_of(3)
    options = replace(EXACT, state_distance=inf)
    assert rescore(compact, RandomModel(3, 1), options).num_arcs == compact.num_arcs


@settings(max_examples=40, deadline=None)
@given(seeds, st.sampled_from([0.1, 1.0, 3.0]), st.integers(1, 3))
def test_what_the_beam_keeps_is_exact(seed: int, beam: float, max_histories: int) -> None:
    compact, paths = compact_of(seed)
    ngram = RandomModel(seed, 2)
    options = replace(EXACT, beam=beam, max_histories=max_histories)
    found = rescore(compact, ngram, options)
    kept = costs(found.lattice)
    assert kept
    assert same(kept, {words: by_hand(paths[words], ngram, options) for words in kept})
    assert found.best.cost(SCALE) == pytest.approx(min(kept.values()), abs=1e-9)
    assert found.lattice.beam == beam


@settings(max_examples=40, deadline=None)
@given(seeds, st.sampled_from([1, 2, 5, 1000]))
def test_an_n_best_list_is_rescored_as_by_hand(seed: int, count: int) -> None:
    compact, paths = compact_of(seed)
    ngram = RandomModel(seed, 2)
    found = costs(rescore(compact, ngram, replace(EXACT, n_best=count)).lattice)
    listed = [path.cost(SCALE) for path in n_best(compact, SCALE)][:count]
    assert sorted(paths[words].cost for words in found) == pytest.approx(listed)
    assert same(found, {words: by_hand(paths[words], ngram, EXACT) for words in found})


@settings(max_examples=20, deadline=None)
@given(seeds, st.floats(0.0, 1.0))
def test_another_weight_is_as_if_rescored_with_it(seed: int, weight: float) -> None:
    compact, _ = compact_of(seed)
    ngram = RandomModel(seed, 2)
    found = rescore(compact, ngram, EXACT).with_weight(weight)
    assert same(
        costs(found.lattice), costs(rescore(compact, ngram, replace(EXACT, weight=weight)).lattice)
    )


def test_confidences_are_the_posteriors_of_the_rescored_paths() -> None:
    compact, paths = compact_of(11)
    ngram = RandomModel(11, 2)
    found = rescore(compact, ngram, EXACT)
    words = found.best.words
    chosen = confidences(found.lattice, words, SCALE, 1.0)
    total = np.logaddexp.reduce([-by_hand(path, ngram, EXACT) for path in paths.values()])
    whole = math.exp(-found.best.cost(SCALE) - total)
    # A word is at least as likely as the whole path that it is on.
    assert all(whole - 1e-6 <= one <= 1.0 + 1e-9 for one in chosen.confidences)
    assert len(chosen.confidences) == len(words)


def test_wrong_use_is_one_line() -> None:
    compact, _ = compact_of(1)
    for change, message in (
        ({"weight": 1.5}, "weight: expected a number from 0 to 1, found 1.5"),
        ({"mixing": "none"}, "mixing: expected linear or log-linear"),
        ({"beam": 0.0}, "beam: expected a number > 0"),
        ({"max_histories": 0}, "max_histories: expected at least 1, found 0"),
        ({"state_distance": math.nan}, "state_distance: expected at least 0"),
    ):
        with pytest.raises(UsageError, match=message):
            NeuralRescoringOptions(**change)  # type: ignore[arg-type]
    rescorer = NeuralRescorer(NETWORKS["lstm"], RandomModel(1, 2), SYMBOLS[:-1])
    with pytest.raises(SpeechError, match="expected the words that the rescorer was made for"):
        rescorer.rescore(compact, SCALE, LM_SCALE)
    rescorer = NeuralRescorer(NETWORKS["lstm"], RandomModel(1, 2), SYMBOLS)
    with pytest.raises(UsageError, match="lm_scale: expected a finite number >= 0"):
        rescorer.rescore(compact, SCALE, -1.0)
