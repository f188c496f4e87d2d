"""Rescoring with n-gram automata, against enumeration and against models in Python."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoff_models import BackoffModel, EpsilonBackoffModel
from recognizer.data.errors import SpeechError
from recognizer.decoding import _rescore
from recognizer.decoding.rescoring.models import EpsilonBackoff, native_model
from recognizer.decoding.rescoring.rescore import Rescorer
from recognizer.lm.arpa.files import read_arpa
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.model.language_model import KenlmModel
from recognizer.lm.ngram.model import NgramModel
from rescore_toys import (
    RandomModel,
    Settings,
    chain,
    compact_of,
    expanded_by_hand,
    rescore_lattice,
    rescored_by_hand,
)
from search_toys import SCALE, SYMBOLS, compact_paths

seeds = st.integers(0, 2**32 - 1)
Ngrams = dict[tuple[str, ...], tuple[float, float]]


def random_ngrams(rng: np.random.Generator, order: int, *, suffixes: bool = False) -> Ngrams:
    """Log10 probability and back-off weight; often it is better to back off. No 'd' is known.

    With `suffixes`, every n-gram's is there too.
    """
    ngrams: Ngrams = {}

    def draw(*ngram: str, log10_prob: float | None = None) -> None:
        if log10_prob is None:
            log10_prob = -float(rng.uniform(0.1, 3))
        ngrams[ngram] = (log10_prob, float(rng.uniform(-1.5, 0.5)) if len(ngram) < order else 0.0)

    draw("<s>", log10_prob=-99.0)
    events = ("a", "b", "c", "</s>", "<unk>")
    for event in events:
        draw(event)
    for length in range(2, order + 1):
        for history in [each for each in ngrams if len(each) == length - 1]:
            for event in events:
                if history[-1] in ("</s>", "<unk>") or rng.random() < 0.5:
                    continue
                if not suffixes or (*history[1:], event) in ngrams:
                    draw(*history, event)
    return ngrams


def as_model(ngrams: Ngrams, path: Path) -> NgramModel:
    """The model in the file that it makes of them."""
    order = max(len(ngram) for ngram in ngrams)
    levels = [[each for each in ngrams if len(each) == n] for n in range(1, order + 1)]
    lines = ["\\data\\"]
    lines += [f"ngram {n}={len(level)}" for n, level in enumerate(levels, start=1)]
    for n, level in enumerate(levels, start=1):
        lines += ["", f"\\{n}-grams:"]
        for ngram in level:
            log10_prob, backoff = ngrams[ngram]
            weight = f"\t{backoff}" if n < order else ""
            lines.append(f"{log10_prob}\t{' '.join(ngram)}{weight}")
    path.write_text("\n".join([*lines, "", "\\end\\", ""]))
    return read_arpa(path)


class ByDefinition:
    """A back-off model as it is defined; the state is all words so far.

    With `epsilon`, the best of all ways to back off, each word's share being what the best way to
    there gains by it.
    """

    def __init__(self, ngrams: Ngrams, *, epsilon: bool) -> None:
        self._ngrams, self._epsilon = ngrams, epsilon
        self._order = max(len(ngram) for ngram in ngrams)

    def start(self) -> tuple[str, ...]:
        return ("<s>",)

    def score(self, state: tuple[str, ...], word: str) -> tuple[float, tuple[str, ...]]:
        after = (*state, word if (word,) in self._ngrams else "<unk>")
        return self._total(after) - self._total(state), after

    def final(self, state: tuple[str, ...]) -> float:
        return self._total((*state, "</s>")) - self._total(state)

    def __contains__(self, word: object) -> bool:
        return (word,) in self._ngrams

    def _total(self, words: tuple[str, ...]) -> float:
        if self._epsilon:
            return max(self._ways(words, ("<s>",), 1)) * math.log(10)
        return math.log(10) * sum(self._exact(words[:i], words[i]) for i in range(1, len(words)))

    def _exact(self, history: tuple[str, ...], word: str) -> float:
        history = history[-self._order + 1 :] if self._order > 1 else ()
        while (*history, word) not in self._ngrams:
            return self._ngrams.get(history, (0.0, 0.0))[1] + self._exact(history[1:], word)
        return self._ngrams[(*history, word)][0]

    def _ways(self, words: tuple[str, ...], history: tuple[str, ...], i: int) -> list[float]:
        """Of the log10 probabilities of all paths through the rest of the words."""
        if i == len(words):
            return [0.0]
        found = []
        ngram = (*history, words[i])
        if ngram in self._ngrams:
            after = ngram
            while after and (len(after) >= self._order or after not in self._ngrams):
                after = after[1:]
            share = self._ngrams[ngram][0]
            found += [share + rest for rest in self._ways(words, after, i + 1)]
        if history:
            shorter = history[1:]
            while shorter and shorter not in self._ngrams:
                shorter = shorter[1:]
            weight = self._ngrams[history][1]
            found += [weight + rest for rest in self._ways(words, shorter, i)]
        return found


@pytest.fixture(scope="module")
def arpa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rescore") / "toy.arpa"


@settings(max_examples=150)
@given(seeds, st.integers(1, 4), st.integers(1, 4), st.booleans(), st.booleans())
def test_every_path_is_rescored_as_models_are_defined(
    arpa: Path, seed: int, old_order: int, new_order: int, old_epsilon: bool, new_epsilon: bool
) -> None:
    rng = np.random.default_rng(seed)
    definitions, models = [], []
    for order, epsilon in ((old_order, old_epsilon), (new_order, new_epsilon)):
        ngrams = random_ngrams(rng, order)
        definitions.append(ByDefinition(ngrams, epsilon=epsilon))
        automaton = NgramAutomaton.from_model(as_model(ngrams, arpa))
        models.append(EpsilonBackoff(automaton) if epsilon else automaton)
    compact, paths = compact_of(seed)
    options = Settings(SCALE, lm_scale=0.75, word_insertion_penalty=-0.5, beam=inf)
    expected = rescored_by_hand(paths, *definitions, options)
    rescored = rescore_lattice(compact, *models, options)
    found = {path.words: path for path in compact_paths(rescored.lattice)}
    assert set(found) == set(expected)
    for words, path in found.items():
        assert path.graph == pytest.approx(expected[words].graph, abs=1e-4)
        assert (path.tids, path.acoustic) == (expected[words].tids, expected[words].acoustic)
    best = min(path.cost for path in expected.values())
    assert rescored.best.cost(SCALE) == pytest.approx(best, abs=1e-4)


@settings(max_examples=50)
@given(seeds, st.sampled_from([0.5, 2.0, inf]))
def test_automata_and_models_in_python_expand_alike(arpa: Path, seed: int, beam: float) -> None:
    rng = np.random.default_rng(seed)
    one = as_model(random_ngrams(rng, 3), arpa)
    two = as_model(random_ngrams(rng, 4), arpa)
    compact, _ = compact_of(seed)
    options = Settings(SCALE, lm_scale=1.25, beam=beam)
    automaton = NgramAutomaton.from_model(two)
    exact = rescore_lattice(compact, RandomModel(seed, 2), automaton, options)
    reference = expanded_by_hand(compact, RandomModel(seed, 2), automaton, options)
    assert exact.num_states == reference.num_states
    assert exact.num_arcs == reference.num_arcs
    assert exact.num_dropped == reference.num_dropped
    assert exact.best.cost(SCALE) == pytest.approx(reference.cost, abs=1e-9)

    old = EpsilonBackoff(NgramAutomaton.from_model(one))
    native = rescore_lattice(compact, old, automaton, options)
    python = rescore_lattice(compact, EpsilonBackoffModel(one), BackoffModel(two), options)
    # The automaton has no states for n-grams that nothing continues: some histories are one there.
    assert native.num_states <= python.num_states
    assert native.num_arcs <= python.num_arcs
    here = {path.words: path.graph for path in compact_paths(native.lattice)}
    there = {path.words: path.graph for path in compact_paths(python.lattice)}
    assert here == pytest.approx(there, abs=1e-4)
    assert native.best.cost(SCALE) == pytest.approx(python.best.cost(SCALE), abs=1e-4)


@pytest.mark.parametrize("epsilon", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_both_layouts_do_the_same(arpa: Path, seed: int, epsilon: bool) -> None:
    rng = np.random.default_rng(seed)
    fast = NgramAutomaton.from_model(as_model(random_ngrams(rng, 4), arpa))
    compact = fast.compact()
    assert (fast.layout, compact.layout) == ("fast", "compact")
    lattice, _ = compact_of(seed)
    options = Settings(SCALE, beam=1.0)
    one, other = (
        rescore_lattice(
            lattice, RandomModel(0, 2), EpsilonBackoff(each) if epsilon else each, options
        )
        for each in (fast, compact)
    )
    assert list(compact_paths(one.lattice)) == list(compact_paths(other.lattice))
    assert one.num_arcs == other.num_arcs
    assert one.best.graph_cost == other.best.graph_cost


def test_kenlm_and_the_automaton_agree(arpa: Path) -> None:
    pytest.importorskip("kenlm")
    rng = np.random.default_rng(7)
    old = RandomModel(1, 2)
    model = as_model(random_ngrams(rng, 3, suffixes=True), arpa)
    kenlm_model, automaton = KenlmModel(arpa), NgramAutomaton.from_model(model)
    for seed in range(10):
        compact, _ = compact_of(seed)
        options = Settings(SCALE, beam=inf)
        kenlm = rescore_lattice(compact, old, kenlm_model, options)
        native = rescore_lattice(compact, old, automaton, options)
        there = {path.words: path.graph for path in compact_paths(kenlm.lattice)}
        here = {path.words: path.graph for path in compact_paths(native.lattice)}
        assert here == pytest.approx(there, abs=1e-4)


def test_a_model_for_itself_changes_nothing(arpa: Path) -> None:
    model = as_model(random_ngrams(np.random.default_rng(3), 3), arpa)
    automaton = NgramAutomaton.from_model(model)
    for old, new in (
        (automaton, automaton),
        (EpsilonBackoff(automaton), EpsilonBackoff(automaton)),
        (automaton, BackoffModel(model)),
        (EpsilonBackoffModel(model), EpsilonBackoff(automaton)),
    ):
        compact, paths = compact_of(8)
        rescored = rescore_lattice(compact, old, new, Settings(SCALE, beam=inf))
        found = {path.words: path.graph for path in compact_paths(rescored.lattice)}
        assert found == pytest.approx({w: path.graph for w, path in paths.items()}, abs=1e-5)


def test_backing_off_as_epsilon_is_never_worse(arpa: Path) -> None:
    automaton = NgramAutomaton.from_model(
        as_model(random_ngrams(np.random.default_rng(4), 3), arpa)
    )
    differences = []
    for seed in range(10):
        compact, _ = compact_of(seed)
        options = Settings(SCALE, beam=inf)
        rescored = rescore_lattice(compact, automaton, EpsilonBackoff(automaton), options)
        before = {path.words: path.graph for path in compact_paths(compact)}
        for path in compact_paths(rescored.lattice):
            differences.append(before[path.words] - path.graph)
    assert min(differences) > -1e-5
    assert max(differences) > 0.1


def test_histories_that_go_on_alike_are_one(arpa: Path) -> None:
    """What backing off reaches as well is no part of an epsilon history: it would keep it apart."""
    ngrams: Ngrams = {(word,): (-3.0, -0.5) for word in ("a", "b", "c", "</s>", "<unk>")}
    ngrams["<s>",] = (-99.0, -0.5)
    ngrams.update({(one, "a"): (-0.1, -0.5) for one in ("<s>", "a", "c")})
    ngrams["a", "b"] = (-0.3, -0.2)
    ngrams["a", "a", "b"] = (-0.2, 0.0)
    ngrams["c", "a", "b"] = (-0.4, 0.0)
    old = NgramAutomaton.from_model(as_model(ngrams, arpa))
    # (a | c) a b c
    lattice = replace(
        chain([1, 1, 2, 3]),
        sources=np.array([0, 0, 1, 2, 3], dtype=np.int32),
        targets=np.array([1, 1, 2, 3, 4], dtype=np.int32),
        words=np.array([1, 3, 1, 2, 3], dtype=np.int32),
        graph_costs=np.ones(5),
        acoustic_costs=np.ones(5),
        tid_offsets=np.arange(6),
        tids=np.ones(5, dtype=np.int32),
    )
    for model in (old, EpsilonBackoff(old)):
        rescored = rescore_lattice(lattice, model, RandomModel(0, 1), Settings(SCALE))
        assert rescored.num_states == 1 + 2 + 2 + 1 + 1


def test_unknown_words_are_unk(arpa: Path) -> None:
    ngrams = random_ngrams(np.random.default_rng(5), 2)
    automaton = NgramAutomaton.from_model(as_model(ngrams, arpa))
    assert "d" not in automaton
    without = {ngram: values for ngram, values in ngrams.items() if "c" not in ngram}
    other = NgramAutomaton.from_model(as_model(without, arpa))
    compact, paths = compact_of(4)
    assert any(SYMBOLS[word] == "c" for words in paths for word in words)
    options = Settings(SCALE, beam=inf)
    expected = rescored_by_hand(
        paths,
        ByDefinition(ngrams, epsilon=True),
        ByDefinition(without, epsilon=False),
        options,
    )
    rescored = rescore_lattice(compact, EpsilonBackoff(automaton), other, options)
    found = {path.words: path.graph for path in compact_paths(rescored.lattice)}
    assert found == pytest.approx({w: path.graph for w, path in expected.items()}, abs=1e-4)


def test_threads_find_the_same(arpa: Path) -> None:
    rng = np.random.default_rng(6)
    old = EpsilonBackoff(NgramAutomaton.from_model(as_model(random_ngrams(rng, 3), arpa)))
    new = as_model(random_ngrams(rng, 4), arpa)
    lattices = [compact_of(seed)[0] for seed in range(40)]
    options = Settings(SCALE, lm_scale=1.5, beam=1.0)
    for model in (NgramAutomaton.from_model(new), BackoffModel(new)):
        rescorer = Rescorer(old, model, SYMBOLS)

        def rescore(i: int, rescorer: Rescorer = rescorer) -> tuple[object, ...]:
            rescored = options.rescore(rescorer, lattices[i])
            paths = sorted(compact_paths(rescored.lattice))
            return (*paths, rescored.num_arcs, rescored.best.graph_cost)

        alone = [rescore(i) for i in range(len(lattices))]
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(rescore, list(range(len(lattices))) * 3)) == alone * 3


def test_word_numbers_beyond_the_automaton_are_refused(arpa: Path) -> None:
    automaton = NgramAutomaton.from_model(
        as_model(random_ngrams(np.random.default_rng(9), 2), arpa)
    )
    with pytest.raises(ValueError, match="word_ids: word 1: expected less than 4, found 4"):
        _rescore.AutomatonModel(automaton.arrays, np.array([0, 4], dtype=np.int32), False)
    # A word that the automaton has no number for has no score.
    compact, _ = compact_of(3)
    rescorer = Rescorer(automaton, automaton, SYMBOLS)
    nothing = np.full(len(SYMBOLS), -1, dtype=np.int32)
    rescorer._old = _rescore.AutomatonModel(automaton.arrays, nothing, True)
    with pytest.raises(SpeechError, match=r"finite scores of '\w', found -inf and "):
        Settings(SCALE).rescore(rescorer, compact)


def test_models_know_their_number_of_words(arpa: Path) -> None:
    automaton = NgramAutomaton.from_model(
        as_model(random_ngrams(np.random.default_rng(9), 2), arpa)
    )
    for model in (automaton, EpsilonBackoff(automaton), RandomModel(0, 2)):
        few = native_model(model, SYMBOLS[:2])
        rescorer = Rescorer(model, model, SYMBOLS)
        rescorer._new = few
        compact, _ = compact_of(3)
        with pytest.raises(SpeechError, match="expected a word below 2, found"):
            Settings(SCALE).rescore(rescorer, compact)
