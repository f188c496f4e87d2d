"""Graphs of networks that spell: against enumeration of all paths, and a prefix beam search."""

from __future__ import annotations

from collections import defaultdict
from itertools import product
from math import inf
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from backoff_models import BackoffModel, EpsilonBackoffModel
from graph_toys import random_ngrams
from recognizer.am.nnet.ctc import BLANK, collapse, greedy_tokens
from recognizer.data.errors import SpeechError
from recognizer.data.text.characters import CharacterSet
from recognizer.decoding.ctc import topology
from recognizer.decoding.ctc.graph import build_tl, build_tlg
from recognizer.decoding.ctc.topology import ctc_pdfs
from recognizer.decoding.lattice.lattice import Lattice
from recognizer.decoding.search.on_the_fly import BackoffMode, OnTheFlyDecoder
from recognizer.decoding.search.search import Decoder, SearchOptions
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.ngram.model import NgramModel
from search_toys import lattice_paths

EVERYTHING = SearchOptions(
    beam=inf, lattice_beam=inf, max_active=10**6, min_active=0, acoustic_scale=1.0
)
Scores = npt.NDArray[np.float32]
Found = dict[tuple[tuple[int, ...], tuple[str, ...]], float]  # of outputs and words: graph cost

# Words apart, some of which begin others and have the same letter twice; and words without spaces
# between them, so that a text has several divisions.
SPACED = (CharacterSet(tuple(" abc")), ["a", "b", "c", "ab", "aab"], 4)
UNSPACED = (CharacterSet(tuple("ab")), ["a", "b", "ab", "ba", "aab"], 6)
KINDS = {"spaced": SPACED, "unspaced": UNSPACED}


def log_posteriors(frames: int, outputs: int, seed: int) -> Scores:
    logits = np.random.default_rng(seed).normal(0, 2, (frames, outputs))
    result: Scores = (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)
    return result


def divisions(text: str, words: list[str], spaced: bool) -> list[tuple[str, ...]]:
    """All word sequences that are written so."""
    if spaced:
        parts = text.split(" ") if text else []
        return [tuple(parts)] if set(parts) <= set(words) else []
    if not text:
        return [()]
    return [
        (word, *rest)
        for word in words
        if text.startswith(word)
        for rest in divisions(text[len(word) :], words, spaced)
    ]


def cost_of(model: BackoffModel | EpsilonBackoffModel, words: tuple[str, ...]) -> float:
    state, cost = model.start(), 0.0
    for word in words:
        log_prob, state = model.score(state, word)  # type: ignore[arg-type]
        cost -= log_prob
    return cost - model.final(state)  # type: ignore[arg-type]


def enumeration(
    characters: CharacterSet, words: list[str], frames: int, model: NgramModel, mode: str
) -> Found:
    lm = BackoffModel(model) if mode == "exact" else EpsilonBackoffModel(model)
    found = {}
    for path in product(range(characters.num_outputs), repeat=frames):
        text = characters.decode(collapse(np.array(path)).tolist())
        for division in divisions(text, words, " " in characters.characters):
            found[path, division] = cost_of(lm, division)
    return found


def paths_of(lattice: Lattice, pdfs: npt.NDArray[np.int32]) -> Found:
    found: Found = {}
    for path in lattice_paths(lattice):
        outputs = tuple(pdfs[list(path.tids)].tolist())
        key = (outputs, tuple(lattice.symbols[word] for word in path.words))
        found[key] = min(found.get(key, inf), path.graph)
    return found


@pytest.mark.parametrize("search", ["static", "epsilon", "exact"])
@pytest.mark.parametrize("kind", KINDS)
def test_all_paths_and_costs_are_those_of_enumeration(
    kind: str, search: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topology, "_MAX_REPEATED", 1)  # some states repeat arcs, others do not
    characters, words, frames = KINDS[kind]
    model = random_ngrams(1, words, 3, tmp_path / "toy.arpa")
    pdfs = ctc_pdfs(characters.num_outputs)
    mode: BackoffMode = "exact" if search == "exact" else "epsilon"
    decoder: Decoder
    if search == "static":
        decoder = Decoder(build_tlg(characters, model), pdfs, EVERYTHING)
    else:
        graph, automaton = build_tl(characters, words), NgramAutomaton.from_model(model)
        decoder = OnTheFlyDecoder(graph, pdfs, automaton, EVERYTHING, mode)
    scores = log_posteriors(frames, characters.num_outputs, seed=1)
    lattice = decoder.decode(scores)
    assert lattice.reached_final
    expected = enumeration(characters, words, frames, model, mode)
    found = paths_of(lattice, pdfs)
    assert found.keys() == expected.keys()
    assert [found[key] for key in expected] == pytest.approx(list(expected.values()), abs=1e-3)
    costs = {
        key: cost - sum(scores[t, output] for t, output in enumerate(key[0]))
        for key, cost in expected.items()
    }
    best = decoder.decode_best(scores)
    assert best.cost(1.0) == pytest.approx(min(costs.values()), abs=1e-3)
    assert costs[tuple(pdfs[best.tids].tolist()), best.words] == pytest.approx(
        best.cost(1.0), abs=1e-3
    )


def prefix_beam_search(
    scores: Scores, characters: CharacterSet, model: NgramModel, beam: int
) -> tuple[str, float]:
    """The text of the best path, each character a word of the model, and its cost.

    Prefixes of text with the score of the best path that ends in a blank, and in no blank, as in
    Hannun et al. 2014 ("First-pass large vocabulary continuous speech recognition using
    bi-directional recurrent DNNs"), but with maxima for the sums.
    """
    lm = EpsilonBackoffModel(model)
    prefixes = {"": (0.0, -inf)}
    for row in scores.astype(np.float64):
        after: dict[str, list[float]] = defaultdict(lambda: [-inf, -inf])
        for prefix, (blank, token) in prefixes.items():
            stays = after[prefix]
            stays[0] = max(stays[0], max(blank, token) + row[BLANK])
            for output, character in enumerate(characters.characters, start=1):
                longer = after[prefix + character]
                if prefix.endswith(character):
                    stays[1] = max(stays[1], token + row[output])
                    longer[1] = max(longer[1], blank + row[output])
                else:
                    longer[1] = max(longer[1], max(blank, token) + row[output])
        kept = sorted(after, key=lambda prefix: -max(after[prefix]))[:beam]
        prefixes = {prefix: (after[prefix][0], after[prefix][1]) for prefix in kept}
    costs = {text: cost_of(lm, tuple(text)) - max(ends) for text, ends in prefixes.items()}
    best = min(costs, key=lambda text: costs[text])
    return best, costs[best]


@pytest.mark.parametrize("seed", range(5))
def test_characters_as_words_are_those_of_a_prefix_beam_search(seed: int, tmp_path: Path) -> None:
    characters = CharacterSet(tuple("你好世界"))
    model = random_ngrams(seed, list(characters.characters), 3, tmp_path / "toy.arpa")
    scores = log_posteriors(6, characters.num_outputs, seed)
    options = SearchOptions(beam=1000.0, acoustic_scale=1.0, max_active=10**6)
    decoder = Decoder(build_tlg(characters, model), ctc_pdfs(characters.num_outputs), options)
    best = decoder.decode_best(scores)
    text, cost = prefix_beam_search(scores, characters, model, beam=2000)
    assert ("".join(best.words), best.cost(1.0)) == (text, pytest.approx(cost, abs=1e-3))


def test_without_a_language_model_the_best_path_is_the_greedy_one() -> None:
    """As every text is allowed; a pause between equal characters needs its blank."""
    characters = CharacterSet(tuple("abcdefg"))
    pdfs = ctc_pdfs(characters.num_outputs)
    decoder = Decoder(build_tl(characters, characters.characters), pdfs, EVERYTHING)
    for seed in range(20):
        scores = log_posteriors(20, characters.num_outputs, seed)
        greedy, best = greedy_tokens(scores), decoder.decode_best(scores)
        assert "".join(best.words) == characters.decode(greedy.tokens.tolist())
        assert best.cost(1.0) == pytest.approx(-greedy.log_prob, abs=1e-3)
        assert pdfs[best.tids].tolist() == scores.argmax(1).tolist()


def test_repeating_arcs_or_not_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    characters, words, _ = SPACED
    model = random_ngrams(2, words, 2, tmp_path / "toy.arpa")
    scores = log_posteriors(4, characters.num_outputs, seed=2)
    found = []
    for most in (0, 2, 100):
        monkeypatch.setattr(topology, "_MAX_REPEATED", most)
        graph = build_tlg(characters, model)
        pdfs = ctc_pdfs(characters.num_outputs)
        decoder = Decoder(graph, pdfs, EVERYTHING)
        found.append((graph.num_arcs, paths_of(decoder.decode(scores), pdfs)))
    assert found[0][0] < found[2][0]
    for _, paths in found[1:]:
        assert paths == pytest.approx(found[0][1], abs=1e-3)


def test_words_that_cannot_be_spelled(tmp_path: Path) -> None:
    characters = CharacterSet(tuple(" ab"))
    graph = build_tl(characters, ["ab", "xyz", "a b", "<unk>", "b"])
    assert graph.words == ("<eps>", "ab", "b")
    model = random_ngrams(0, ["ba", "c"], 2, tmp_path / "toy.arpa")
    assert build_tlg(characters, model).words == ("<eps>", "ba")
    with pytest.raises(SpeechError, match="words of the network's characters, found none among 1"):
        build_tl(characters, ["xyz"])
