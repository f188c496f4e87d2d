from __future__ import annotations

from dataclasses import replace
from itertools import islice
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import SpeechError, UsageError
from decoding.lattice import CompactLattice, best_path, determinize, n_best
from decoding.rescore import RescoreOptions, rescore_lattice
from lm.arpa import read_arpa
from lm.language_model import BackoffModel, EpsilonBackoffModel, LanguageModel
from search_toys import (
    SCALE,
    SYMBOLS,
    Path,
    best_by_words,
    compact_paths,
    ladder,
    lattice_paths,
    random_lattice,
)

seeds = st.integers(0, 2**32 - 1)


class RandomModel:
    """Scores each word by the words before it, as drawn by lot once for each history."""

    def __init__(self, seed: int, order: int) -> None:
        self._seed, self._order = seed, order
        self._scores: dict[tuple[str, ...], float] = {}

    def start(self) -> tuple[str, ...]:
        return self._history(("<s>",))

    def score(self, state: tuple[str, ...], word: str) -> tuple[float, tuple[str, ...]]:
        return self._draw((*state, word)), self._history((*state, word))

    def final(self, state: tuple[str, ...]) -> float:
        return self._draw((*state, "</s>"))

    def __contains__(self, word: object) -> bool:
        return True

    def _history(self, words: tuple[str, ...]) -> tuple[str, ...]:
        return words[len(words) - self._order + 1 :] if self._order > 1 else ()

    def _draw(self, key: tuple[str, ...]) -> float:
        if key not in self._scores:
            values = [self._seed, *(ord(letter) for word in key for letter in word)]
            draw = np.random.default_rng(values).uniform(-3.0, 0.0)
            self._scores[key] = round(float(draw) * 64) / 64
        return self._scores[key]


def log_prob(model: LanguageModel, words: tuple[str, ...], *, end: bool = True) -> float:
    state, total = model.start(), 0.0
    for word in words:
        score, state = model.score(state, word)
        total += score
    return total + (model.final(state) if end else 0.0)


def compact_of(seed: int) -> tuple[CompactLattice, dict[tuple[int, ...], Path]]:
    """A determinised lattice, and its paths by words."""
    while True:
        rng = np.random.default_rng(seed)
        lattice = random_lattice(rng, states=int(rng.integers(3, 8)), arcs=int(rng.integers(6, 20)))
        paths = best_by_words(lattice_paths(lattice))
        if len(paths) > 1:
            return determinize(lattice, SCALE, inf), paths
        seed += 1


def rescored_by_hand(
    paths: dict[tuple[int, ...], Path],
    old: LanguageModel,
    new: LanguageModel,
    options: RescoreOptions,
    *,
    end: bool = True,
) -> dict[tuple[int, ...], Path]:
    result = {}
    for ids, path in paths.items():
        words = tuple(SYMBOLS[word] for word in ids)
        graph = path.graph + log_prob(old, words, end=end)
        graph -= options.lm_scale * log_prob(new, words, end=end)
        graph += options.word_insertion_penalty * len(words)
        result[ids] = path._replace(graph=graph)
    return result


OPTIONS = [
    RescoreOptions(SCALE, beam=inf),
    RescoreOptions(SCALE, lm_scale=0.75, word_insertion_penalty=0.5, beam=inf),
    RescoreOptions(SCALE, lm_scale=0.0, word_insertion_penalty=-1.0, beam=inf),
]


@settings(max_examples=150, deadline=None)
@given(seeds, st.integers(1, 3), st.integers(1, 4), st.sampled_from(OPTIONS))
def test_every_path_is_rescored_as_by_hand(
    seed: int, old_order: int, new_order: int, options: RescoreOptions
) -> None:
    compact, paths = compact_of(seed)
    old, new = RandomModel(seed, old_order), RandomModel(seed + 1, new_order)
    expected = rescored_by_hand(paths, old, new, options)
    rescored = rescore_lattice(compact, old, new, options)
    found = list(compact_paths(rescored.lattice))
    assert len({path.words for path in found}) == len(found)
    assert {path.words: path for path in found} == expected  # all numbers are exact here
    best = min(path.cost for path in expected.values())
    assert rescored.best.cost(SCALE) == best
    assert best_path(rescored.lattice, SCALE).cost(SCALE) == best
    chosen = expected[tuple(rescored.best.word_ids.tolist())]
    assert chosen.tids == tuple(rescored.best.tids.tolist())
    assert (chosen.graph, chosen.acoustic) == (
        rescored.best.graph_cost,
        rescored.best.acoustic_cost,
    )
    assert (rescored.beam, rescored.num_dropped) == (inf, 0)


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_a_model_for_itself_changes_nothing(seed: int) -> None:
    compact, paths = compact_of(seed)
    model = RandomModel(seed, 3)
    rescored = rescore_lattice(compact, model, model, RescoreOptions(SCALE, beam=inf))
    assert {path.words: path for path in compact_paths(rescored.lattice)} == paths


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_a_beam_drops_histories_and_counts_them(seed: int) -> None:
    compact, paths = compact_of(seed)
    old, new = RandomModel(seed, 1), RandomModel(seed + 1, 3)
    options = RescoreOptions(SCALE, beam=0.25)
    expected = rescored_by_hand(paths, old, new, options)
    rescored = rescore_lattice(compact, old, new, options)
    found = {path.words: path for path in compact_paths(rescored.lattice)}
    assert all(expected[words] == path for words, path in found.items())
    if not rescored.num_dropped:
        assert found == expected


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_paths_that_do_not_end_are_not_charged_for_the_end(seed: int) -> None:
    compact, paths = compact_of(seed)
    compact = replace(compact, reached_final=False)
    old, new = RandomModel(seed, 2), RandomModel(seed + 1, 3)
    options = RescoreOptions(SCALE, beam=inf)
    expected = rescored_by_hand(paths, old, new, options, end=False)
    rescored = rescore_lattice(compact, old, new, options)
    assert {path.words: path for path in compact_paths(rescored.lattice)} == expected
    assert not rescored.best.complete


ARPA = r"""
\data\
ngram 1=6
ngram 2=4
ngram 3=2

\1-grams:
-99 <s> -0.3
-0.7 </s>
-2.0 <unk>
-0.5 a -0.1
-0.9 b -0.4
-0.8 c -0.2

\2-grams:
-1.9 <s> a -0.2
-0.2 a b -0.6
-1.5 b a -0.1
-0.4 b </s>

\3-grams:
-0.1 <s> a b
-1.8 a b a

\end\
"""


@pytest.fixture
def small_lms(tmp_path: object) -> tuple[EpsilonBackoffModel, BackoffModel]:
    path = tmp_path / "toy.arpa"  # type: ignore[operator]
    path.write_text(ARPA.lstrip())
    model = read_arpa(path)
    return EpsilonBackoffModel(model), BackoffModel(model)


@pytest.mark.parametrize("seed", range(10))
def test_n_gram_models_are_replaced_path_by_path(
    seed: int, small_lms: tuple[EpsilonBackoffModel, BackoffModel]
) -> None:
    old, new = small_lms
    compact, paths = compact_of(seed)
    options = RescoreOptions(SCALE, beam=inf)
    expected = rescored_by_hand(paths, old, new, options)
    rescored = rescore_lattice(compact, old, new, options)
    found = {path.words: path for path in compact_paths(rescored.lattice)}
    assert set(found) == set(expected)
    for words, path in found.items():
        assert path.graph == pytest.approx(expected[words].graph, abs=1e-9)
        assert (path.tids, path.acoustic) == (expected[words].tids, expected[words].acoustic)
    # Epsilon back-off may only be cheaper than the exact model: it has all its paths.
    assert all(found[words].graph >= paths[words].graph - 1e-9 for words in found)


def test_an_arc_limit_makes_the_beam_smaller_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    compact = determinize(ladder(6), SCALE, inf)
    old, new = RandomModel(1, 1), RandomModel(2, 4)
    everything = rescore_lattice(compact, old, new, RescoreOptions(SCALE, beam=inf))
    limit = everything.lattice.num_arcs - 1
    assert not caplog.text
    options = RescoreOptions(SCALE, beam=inf, max_arcs=limit)
    rescored = rescore_lattice(compact, old, new, options)
    assert rescored.beam < inf
    assert rescored.num_dropped > 0
    assert rescored.lattice.num_arcs <= limit
    assert f"limit of {limit} arcs" in caplog.text


def test_rescored_lattices_can_be_listed_and_rescored_again() -> None:
    compact, paths = compact_of(5)
    one, two = RandomModel(1, 2), RandomModel(2, 3)
    options = RescoreOptions(SCALE, beam=inf)
    there = rescore_lattice(compact, one, two, options).lattice
    back = rescore_lattice(there, two, one, options).lattice
    assert {path.words: path for path in compact_paths(back)} == paths
    costs = [path.cost(SCALE) for path in islice(n_best(back, SCALE), 3)]
    assert costs == sorted(path.cost for path in paths.values())[:3]


class NoEnd(RandomModel):
    def final(self, state: tuple[str, ...]) -> float:
        return -inf


class NoWords(RandomModel):
    def score(self, state: tuple[str, ...], word: str) -> tuple[float, tuple[str, ...]]:
        return -inf, state


def test_a_model_without_finite_scores_is_an_error() -> None:
    compact, _ = compact_of(3)
    good = RandomModel(0, 1)
    with pytest.raises(SpeechError, match=r"finite scores of the sentence end, found .* -inf"):
        rescore_lattice(compact, good, NoEnd(0, 1), RescoreOptions(SCALE))
    with pytest.raises(SpeechError, match=r"finite scores of '\w+', found .* -inf"):
        rescore_lattice(compact, good, NoWords(0, 1), RescoreOptions(SCALE))


@pytest.mark.parametrize(
    "options",
    [
        {"acoustic_scale": -1.0},
        {"lm_scale": inf},
        {"word_insertion_penalty": float("nan")},
        {"beam": 0.0},
        {"max_arcs": 0},
    ],
)
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        RescoreOptions(**{"acoustic_scale": 0.1, **options})  # type: ignore[arg-type]
