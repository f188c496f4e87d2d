"""Rescoring lattices of real speech: automata, models in Python and KenLM do the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest

from backoff_models import BackoffModel, EpsilonBackoffModel
from recognizer.data.corpora.corpus import read_corpus
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.lattice import CompactLattice
from recognizer.decoding.lattice.paths import n_best
from recognizer.decoding.rescoring.models import EpsilonBackoff
from recognizer.decoding.rescoring.rescore import Rescored, Rescorer, RescoringOptions
from recognizer.decoding.search.on_the_fly import OnTheFlyDecoder
from recognizer.lm.arpa.files import write_arpa
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.automaton.ngrams import ngram_model
from recognizer.lm.model.language_model import KenlmModel
from recognizer.lm.ngram.model import NgramModel
from recognizer.model.files import DEFAULT_MODEL
from recognizer.recognizer import Recognizer


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    if not (DEFAULT_MODEL / "model.toml").is_file():
        pytest.skip(f"no model at {DEFAULT_MODEL}")
    return Recognizer(beam=12.0)


@pytest.fixture(scope="module")
def lattices(recognizer: Recognizer, corpora: Path) -> list[CompactLattice]:
    """Of the first three utterances."""
    utterances = islice(read_corpus(corpora / "mini-librispeech" / "dev"), 3)
    scores = [recognizer.acoustic_scores(utterance.samples()) for utterance in utterances]
    bundle, options = recognizer.bundle, recognizer.search
    decoder = OnTheFlyDecoder(bundle.graph, None, bundle.first_pass_lm, options, "epsilon")
    return [
        determinize(decoder.decode(each), options.acoustic_scale, options.lattice_beam)
        for each in scores
    ]


@pytest.fixture(scope="module")
def model(automaton: NgramAutomaton) -> NgramModel:
    return ngram_model(automaton)


@pytest.fixture(scope="module")
def automaton(recognizer: Recognizer) -> NgramAutomaton:
    return recognizer.bundle.first_pass_lm


def best_by_words(rescored: Rescored, acoustic_scale: float) -> dict[tuple[str, ...], float]:
    """Graph costs of the best hundred word sequences."""
    paths = islice(n_best(rescored.lattice, acoustic_scale), 100)
    return {path.words: path.graph_cost for path in paths}


def alike(
    lattice: CompactLattice, one: Rescorer, other: Rescorer, scale: float, options: RescoringOptions
) -> Rescored:
    here = one.rescore(lattice, scale, options)
    there = other.rescore(lattice, scale, options)
    assert here.best.words == there.best.words
    assert here.best.graph_cost == pytest.approx(there.best.graph_cost, abs=1e-3)
    found, expected = best_by_words(here, scale), best_by_words(there, scale)
    shared = found.keys() & expected.keys()
    assert len(shared) >= 0.95 * max(len(found), len(expected))  # the last ones may tie
    assert {words: found[words] for words in shared} == pytest.approx(
        {words: expected[words] for words in shared}, abs=1e-3
    )
    return here


def test_the_first_pass_is_taken_out_natively_as_in_python(
    recognizer: Recognizer,
    lattices: list[CompactLattice],
    model: NgramModel,
    automaton: NgramAutomaton,
) -> None:
    new, symbols = recognizer.bundle.rescoring_lm, recognizer.bundle.graph.words
    native = Rescorer(EpsilonBackoff(automaton), new, symbols)
    python = Rescorer(EpsilonBackoffModel(model), new, symbols)
    scale = recognizer.search.acoustic_scale
    for lattice in lattices:
        rescored = alike(lattice, native, python, scale, recognizer.rescoring)
        assert not rescored.hit_max_arcs
        assert rescored.num_arcs > lattice.num_arcs > 0
        in_python = python.rescore(lattice, scale, recognizer.rescoring)
        assert rescored.num_states <= in_python.num_states
        # Without any model, what is left is the lexicon's and the transitions' cost.
        nothing = RescoringOptions(lm_scale=0.0)
        assert alike(lattice, native, python, scale, nothing).best.graph_cost > 0.0


def test_three_engines_put_in_the_same(
    tmp_path: Path,
    recognizer: Recognizer,
    lattices: list[CompactLattice],
    model: NgramModel,
    automaton: NgramAutomaton,
) -> None:
    old, symbols = EpsilonBackoff(automaton), recognizer.bundle.graph.words
    native = Rescorer(old, automaton, symbols)
    pytest.importorskip("kenlm", reason="kenlm does not compile on Python 3.13 and later")
    write_arpa(model, tmp_path / "first_pass.arpa.gz", decimals=9)
    for engine in (BackoffModel(model), KenlmModel(tmp_path / "first_pass.arpa.gz")):
        for lattice in lattices:
            other = Rescorer(old, engine, symbols)
            scale = recognizer.search.acoustic_scale
            alike(lattice, native, other, scale, recognizer.rescoring)


def test_a_model_for_itself_changes_nothing(
    recognizer: Recognizer, lattices: list[CompactLattice], automaton: NgramAutomaton
) -> None:
    old, symbols = EpsilonBackoff(automaton), recognizer.bundle.graph.words
    scale = recognizer.search.acoustic_scale
    for lattice in lattices:
        rescored = Rescorer(old, old, symbols).rescore(lattice, scale)
        before = {path.words: path.graph_cost for path in islice(n_best(lattice, scale), 100)}
        after = best_by_words(rescored, scale)
        for words in before.keys() & after.keys():
            assert after[words] == pytest.approx(before[words], abs=1e-4)
        assert rescored.best.words == next(n_best(lattice, scale)).words


def test_threads_find_the_same(
    recognizer: Recognizer, lattices: list[CompactLattice], automaton: NgramAutomaton
) -> None:
    symbols = recognizer.bundle.graph.words
    for new in (automaton, recognizer.bundle.rescoring_lm):
        rescorer = Rescorer(EpsilonBackoff(automaton), new, symbols)

        def best(lattice: CompactLattice, rescorer: Rescorer = rescorer) -> tuple[object, ...]:
            rescored = rescorer.rescore(
                lattice, recognizer.search.acoustic_scale, recognizer.rescoring
            )
            return rescored.best.words, rescored.best.graph_cost, rescored.num_arcs

        alone = [best(lattice) for lattice in lattices]
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(best, lattices * 4)) == alone * 4
