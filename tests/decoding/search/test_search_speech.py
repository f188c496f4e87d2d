"""The search on a static graph of the shipped model's parts and a network's scores of speech."""

from __future__ import annotations

from pathlib import Path

import kaldi_decoder
import kaldifst
import numpy as np
import pytest

from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.corpora.corpus import read_corpus
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.paths import best_path
from recognizer.decoding.lattice.word_times import word_times
from recognizer.decoding.rescoring.models import EpsilonBackoff
from recognizer.decoding.rescoring.rescore import Rescorer, RescoringOptions
from recognizer.decoding.search.search import Decoder, SearchOptions
from recognizer.model.files import DEFAULT_MODEL
from recognizer.recognizer import Recognizer

# What the model was tuned to does not matter here; the peer's search takes long with wide beams.
OPTIONS = SearchOptions(beam=12.0, lattice_beam=6.0, max_active=3000, acoustic_scale=1.0)
SCALE = OPTIONS.acoustic_scale


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    if not (DEFAULT_MODEL / "model.toml").is_file():
        pytest.skip(f"no model at {DEFAULT_MODEL}")
    return Recognizer()


@pytest.fixture(scope="module")
def decoder(recognizer: Recognizer, static_graph: DecodingGraph) -> Decoder:
    return Decoder(static_graph, recognizer.bundle.transitions.pdf, OPTIONS)


@pytest.fixture(scope="module")
def scores(recognizer: Recognizer, corpora: Path) -> np.ndarray:
    """Log-likelihoods of an utterance of a few seconds."""
    for utterance in read_corpus(corpora / "mini-librispeech" / "dev"):
        samples = utterance.samples()
        if 4.0 < len(samples) / SAMPLE_RATE < 8.0:
            return recognizer.acoustic_scores(samples)
    pytest.fail("expected an utterance of 4 to 8 s in mini-librispeech/dev")


def test_best_path_cost_is_that_of_kaldi_decoder(
    recognizer: Recognizer, decoder: Decoder, scores: np.ndarray
) -> None:
    lattice = decoder.decode(scores)
    path = best_path(lattice, SCALE)
    fst = decoder.graph.to_graph().to_kaldifst(recognizer.bundle.transitions.pdf)
    options = kaldi_decoder.FasterDecoderOptions(
        beam=OPTIONS.beam, max_active=OPTIONS.max_active, min_active=OPTIONS.min_active
    )
    peer = kaldi_decoder.FasterDecoder(fst, options)
    peer.decode(kaldi_decoder.DecodableCtc(scores * np.float32(SCALE)))
    found, linear = peer.get_best_path()
    assert found
    assert peer.reached_final() == lattice.reached_final
    _, _, words, weight = kaldifst.get_linear_symbol_sequence(linear)
    # Both prune; ours may have found something better, never anything worse.
    assert path.cost(SCALE) <= weight.value1 + weight.value2 + 0.01
    assert len(words) > 3
    assert path.word_ids.tolist() == words


def test_all_stages_agree_on_the_best_path(
    recognizer: Recognizer, decoder: Decoder, scores: np.ndarray
) -> None:
    decoding = decoder.start()
    decoding.advance(scores)
    partial = decoding.partial()
    lattice = decoding.finish()
    path = best_path(lattice, SCALE)
    compact = determinize(lattice, SCALE, OPTIONS.lattice_beam)
    short = best_path(compact, SCALE)
    assert short.cost(SCALE) == pytest.approx(path.cost(SCALE), abs=1e-2)
    assert short.tids.tolist() == path.tids.tolist()
    assert short.words == path.words
    assert len(path.tids) == len(partial.tids) == len(scores)
    # The acoustic cost is that of the transition-ids' pdfs, unscaled.
    pdfs = recognizer.bundle.transitions.pdf[path.tids]
    acoustic = -scores[np.arange(len(scores)), pdfs].astype(np.float64).sum()
    assert path.acoustic_cost == pytest.approx(acoustic, rel=1e-5)
    times = word_times(path, recognizer.bundle.transitions, recognizer.bundle.phones)
    assert tuple(word for word, _, _ in times) == path.words
    assert all(start < end for _, start, end in times)
    assert [start for _, start, _ in times] == sorted(start for _, start, _ in times)


def test_the_old_model_can_be_taken_out_again(
    recognizer: Recognizer, decoder: Decoder, scores: np.ndarray
) -> None:
    """Without language model, graph costs are those of the lexicon and the transitions alone."""
    compact = determinize(decoder.decode(scores), SCALE, OPTIONS.lattice_beam)
    old = EpsilonBackoff(recognizer.bundle.first_pass_lm)
    rescorer = Rescorer(old, old, compact.symbols)
    same = rescorer.rescore(compact, SCALE)
    path = best_path(compact, SCALE)
    assert same.best.words == path.words
    assert same.best.graph_cost == pytest.approx(path.graph_cost, abs=1e-4)
    none = rescorer.rescore(compact, SCALE, RescoringOptions(lm_scale=0.0)).lattice
    # Transition and pronunciation probabilities are below one: the costs that remain are >= 0.
    first, backward = 0, none.backward_costs(0.0)
    assert backward[first] > 0.0


def test_a_thousand_cuttings_of_utterances_give_the_same_lattices(
    recognizer: Recognizer, decoder: Decoder, corpora: Path
) -> None:
    rng = np.random.default_rng(0)
    cuttings = 0
    for utterance in list(read_corpus(corpora / "mini-librispeech" / "dev"))[::6]:
        scores = recognizer.acoustic_scores(utterance.samples()[: int(1.2 * SAMPLE_RATE)])
        whole = decoder.decode(scores)
        for _ in range(50):
            cuts = np.sort(rng.integers(0, len(scores), rng.integers(1, 10)))
            decoding = decoder.start()
            for piece in np.split(scores, cuts):
                decoding.advance(piece)
            again = decoding.finish()
            for name in ("sources", "targets", "tids", "words", "graph_costs", "acoustic_costs"):
                assert np.array_equal(getattr(whole, name), getattr(again, name))
            cuttings += 1
    assert cuttings == 1000
