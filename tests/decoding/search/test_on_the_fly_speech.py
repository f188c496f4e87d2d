"""On-the-fly search on real speech, beside a static graph of the shipped model's parts."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from backoff_models import EpsilonBackoffModel
from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.corpora.corpus import read_corpus
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.graph.hcl import build_hcl
from recognizer.decoding.graph.mapped_graph import MappedGraph
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.mbr import mbr
from recognizer.decoding.lattice.paths import best_path, n_best
from recognizer.decoding.lattice.posteriors import posteriors
from recognizer.decoding.search.on_the_fly import BackoffMode, OnTheFlyDecoder
from recognizer.decoding.search.search import Decoder, SearchOptions
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.automaton.ngrams import ngram_model
from recognizer.model.files import DEFAULT_MODEL
from recognizer.recognizer import Recognizer

OPTIONS = SearchOptions(beam=14.0, lattice_beam=6.0, max_active=7000, acoustic_scale=1.0)
SCALE = OPTIONS.acoustic_scale


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    if not (DEFAULT_MODEL / "model.toml").is_file():
        pytest.skip(f"no model at {DEFAULT_MODEL}")
    return Recognizer()


@pytest.fixture(scope="module")
def automaton(recognizer: Recognizer) -> NgramAutomaton:
    return recognizer.bundle.first_pass_lm


@pytest.fixture(scope="module")
def hcl(recognizer: Recognizer, static_graph: DecodingGraph) -> MappedGraph:
    bundle = recognizer.bundle
    parts = (bundle.lexicon, bundle.phones, bundle.tree, bundle.transitions)
    graph = build_hcl(*parts, static_graph.words[1:], bundle.config.graph)
    assert graph.words == static_graph.words
    return MappedGraph.from_graph(graph, bundle.transitions.pdf)


@pytest.fixture(scope="module")
def scores(recognizer: Recognizer, corpora: Path) -> list[np.ndarray]:
    """Log-likelihoods of a few short utterances."""
    utterances = (each.samples() for each in read_corpus(corpora / "mini-librispeech" / "dev"))
    short = (each for each in utterances if len(each) < 8 * SAMPLE_RATE)
    return [recognizer.acoustic_scores(samples) for samples in islice(short, 4)]


def test_epsilon_mode_finds_what_the_static_search_finds(
    recognizer: Recognizer,
    static_graph: DecodingGraph,
    automaton: NgramAutomaton,
    hcl: MappedGraph,
    scores: list[np.ndarray],
) -> None:
    static = Decoder(static_graph, recognizer.bundle.transitions.pdf, OPTIONS)
    fly = OnTheFlyDecoder(hcl, None, automaton, OPTIONS, mode="epsilon")
    tokens = [0, 0]
    for matrix in scores:
        found = []
        for i, decoder in enumerate((static, fly)):
            decoding = decoder.start()
            decoding.advance(matrix)
            found.append(best_path(decoding.finish(), SCALE))
            tokens[i] += decoding.stats["tokens"]
        # Both prune, but not the same.
        assert found[1].cost(SCALE) == pytest.approx(found[0].cost(SCALE), abs=0.01)
        assert found[1].words == found[0].words
    # Histories that back off meet, as in a static graph.
    assert tokens[1] < 1.1 * tokens[0]


@pytest.mark.parametrize("mode", ["exact", "epsilon"])
def test_graph_costs_are_the_lexicons_and_the_models(
    mode: BackoffMode,
    recognizer: Recognizer,
    automaton: NgramAutomaton,
    hcl: MappedGraph,
    scores: list[np.ndarray],
) -> None:
    """What a model that scores nothing leaves is the same in both modes and for all models."""
    path = best_path(OnTheFlyDecoder(hcl, None, automaton, OPTIONS, mode).decode(scores[0]), SCALE)
    exact = mode == "exact"
    old = automaton if exact else EpsilonBackoffModel(ngram_model(automaton))
    state, log_prob = old.start(), 0.0
    for word in path.words:
        gain, state = old.score(state, word)  # type: ignore[arg-type]
        log_prob += gain
    log_prob += old.final(state)  # type: ignore[arg-type]
    rest = path.graph_cost + log_prob
    # The same words and transition-ids in the graph without language model.
    loops = recognizer.bundle.config.graph.self_loop_scale
    scaled = recognizer.bundle.transitions.scaled_log_probs(loops, 1.0)
    transitions = -float(scaled[path.tids].sum())
    lexicon = rest - transitions
    # Silence or none, of probability one half, at the start and after each word, and
    # pronunciations of probabilities above a hundredth.
    least = (len(path.words) + 1) * np.log(2.0)
    assert least - 1e-3 <= lexicon <= least + len(path.words) * np.log(100.0)


def test_neither_cutting_nor_what_was_searched_before_changes_the_lattice(
    automaton: NgramAutomaton, hcl: MappedGraph, scores: list[np.ndarray]
) -> None:
    fresh = OnTheFlyDecoder(hcl, None, automaton, OPTIONS)
    whole = fresh.decode(scores[0])
    used = OnTheFlyDecoder(hcl, None, automaton, OPTIONS, look_ahead_bytes=1 << 20)
    rng = np.random.default_rng(0)
    for matrix in (scores[1], scores[0], scores[0]):
        decoding = used.start()
        for piece in np.split(matrix, np.sort(rng.integers(0, len(matrix), 6))):
            decoding.advance(piece)
        again = decoding.finish()
    for field in fields(whole):
        assert np.array_equal(getattr(whole, field.name), getattr(again, field.name)), field.name
    compact = determinize(whole, SCALE, OPTIONS.lattice_beam)
    assert best_path(compact, SCALE).words == best_path(whole, SCALE).words
    assert used.decode_best(scores[0]).words == best_path(whole, SCALE).words


def test_a_lattice_determinised_as_it_grows_is_that_of_the_whole(
    automaton: NgramAutomaton, hcl: MappedGraph, scores: list[np.ndarray]
) -> None:
    joined = np.concatenate(scores)
    decoder = OnTheFlyDecoder(hcl, None, automaton, replace(OPTIONS, max_kept_links=3000))
    decoding = decoder.start_compact()
    decoding.advance(joined)
    assert decoding.memory["done"] > 0
    found = decoding.finish()
    beam = OPTIONS.determinization_beam
    whole = determinize(decoder.decode(joined), SCALE, beam)
    # Where two paths cost nearly the same, either may come first.
    costs = [
        [path.cost(SCALE) for path in islice(n_best(each, SCALE), 300)] for each in (found, whole)
    ]
    assert costs[0] == pytest.approx(costs[1], abs=1e-3)
    limit = costs[0][-1] - 1e-2
    assert limit < costs[0][0] + OPTIONS.lattice_beam
    paths = [
        {
            path.words: path.tids.tolist()
            for path in islice(n_best(each, SCALE), 300)
            if path.cost(SCALE) < limit
        }
        for each in (found, whole)
    ]
    assert paths[0] == paths[1]
    assert posteriors(found, SCALE).log_prob == pytest.approx(
        posteriors(whole, SCALE).log_prob, abs=0.05
    )
    sure, expected = mbr(found, SCALE), mbr(whole, SCALE)
    assert sure.words == expected.words
    assert sure.confidences == pytest.approx(expected.confidences, abs=0.02)
    rng = np.random.default_rng(0)
    for _ in range(3):
        decoding = decoder.start_compact()
        for piece in np.split(joined, np.sort(rng.integers(0, len(joined), 30))):
            decoding.advance(piece)
            decoding.update()
        again = decoding.finish()
        for field in fields(found):
            assert np.array_equal(getattr(found, field.name), getattr(again, field.name))
