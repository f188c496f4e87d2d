"""On-the-fly search against enumeration and against the static graph of the same model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from math import inf
from pathlib import Path

import numpy as np
import pytest

from backoff_models import BackoffModel
from graph_toys import Toy, all_paths, lm_cost, random_toy
from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.graph.build import build_graph
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.graph.hcl import build_hcl
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.lattice import Lattice
from recognizer.decoding.lattice.paths import best_path
from recognizer.decoding.search import on_the_fly
from recognizer.decoding.search.on_the_fly import BackoffMode, OnTheFlyDecoder
from recognizer.decoding.search.search import Decoder, SearchOptions
from recognizer.lm.arpa.files import read_arpa
from recognizer.lm.automaton.automaton import NgramAutomaton
from search_toys import Arcs, compact_paths, lattice_paths

SCALE = 0.5
EVERYTHING = SearchOptions(
    beam=inf, lattice_beam=inf, max_active=10**6, min_active=0, acoustic_scale=SCALE
)
MODES: tuple[BackoffMode, ...] = ("exact", "epsilon")
Path_ = tuple[tuple[int, ...], tuple[str, ...]]  # transition-ids and words


@dataclass(frozen=True)
class Task:
    toy: Toy
    hcl: DecodingGraph
    automaton: NgramAutomaton
    scores: np.ndarray

    def decoder(
        self, mode: BackoffMode, options: SearchOptions = EVERYTHING, memory: int = 1 << 20
    ) -> OnTheFlyDecoder:
        pdfs = self.toy.transitions.pdf
        return OnTheFlyDecoder(self.hcl, pdfs, self.automaton, options, mode, memory)


def task(seed: int, tmp_path: Path, frames: int, order: int | None = None) -> Task:
    toy = random_toy(seed, tmp_path, order=1 + seed % 4 if order is None else order)
    hcl = build_hcl(toy.lexicon, toy.phones, toy.tree, toy.transitions)
    scores = np.random.default_rng(seed).normal(0, 2, (frames, toy.tree.num_pdfs))
    return Task(toy, hcl, NgramAutomaton.from_model(toy.model), scores.astype(np.float32))


def exact_cost(toy: Toy, words: tuple[str, ...]) -> float:
    lm = BackoffModel(toy.model)
    state, cost = lm.start(), 0.0
    for word in words:
        log_prob, state = lm.score(state, word)
        cost -= log_prob
    return cost - lm.final(state)


def enumeration(task: Task, mode: BackoffMode) -> dict[Path_, float]:
    """Graph cost of every path of the scores' length whose words the model has."""
    of_sentence = exact_cost if mode == "exact" else lambda toy, words: lm_cost(toy.model, words)
    names = task.hcl.words
    lm: dict[tuple[str, ...], float] = {}
    found = {}
    for (tids, outputs), cost in all_paths(task.hcl.to_arrays(), len(task.scores)).items():
        words = tuple(names[word] for word in outputs)
        if len(tids) != len(task.scores) or not set(words) <= set(task.toy.words):
            continue
        if words not in lm:
            lm[words] = of_sentence(task.toy, words)
        found[tids, words] = cost + lm[words]
    return found


def best_costs(lattice: Lattice) -> dict[Path_, float]:
    """Lowest graph cost of each path of a lattice."""
    found: dict[Path_, float] = {}
    for path in lattice_paths(lattice):
        key = (path.tids, tuple(lattice.symbols[word] for word in path.words))
        found[key] = min(found.get(key, inf), path.graph)
    return found


def assert_same(found: dict[Path_, float], expected: dict[Path_, float]) -> None:
    assert found.keys() == expected.keys()
    keys = list(expected)
    assert [found[key] for key in keys] == pytest.approx([expected[k] for k in keys], abs=1e-3)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(6))
def test_all_paths_and_costs_are_those_of_enumeration(
    seed: int, mode: BackoffMode, tmp_path: Path
) -> None:
    one = task(seed, tmp_path, frames=5)
    expected = enumeration(one, mode)
    assert len(expected) > 20
    assert any(len(words) > 1 for _, words in expected)
    lattice = one.decoder(mode).decode(one.scores)
    assert lattice.reached_final
    assert_same(best_costs(lattice), expected)
    pdfs = one.toy.transitions.pdf
    for path in lattice_paths(lattice):
        acoustic = -one.scores[np.arange(len(path.tids)), pdfs[list(path.tids)]].sum()
        assert path.acoustic == pytest.approx(acoustic, abs=1e-4)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(4))
def test_without_look_ahead_the_same_is_found(
    seed: int, mode: BackoffMode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = task(seed, tmp_path, frames=5)
    with_it = best_costs(one.decoder(mode).decode(one.scores))
    monkeypatch.setattr(on_the_fly, "_MAX_SHARE", 0.0)
    monkeypatch.setattr(on_the_fly, "_FEW_WORDS", 0)
    without = best_costs(one.decoder(mode).decode(one.scores))
    assert_same(without, with_it)


@pytest.mark.parametrize("seed", range(8))
def test_epsilon_costs_are_those_of_the_static_graph(seed: int, tmp_path: Path) -> None:
    one = task(seed, tmp_path, frames=12)
    toy = one.toy
    graph = build_graph(toy.lexicon, toy.phones, toy.tree, toy.transitions, toy.model)
    options = replace(EVERYTHING, lattice_beam=3.0)
    static = Decoder(graph, toy.transitions.pdf, options).decode(one.scores)
    lattice = one.decoder("epsilon", options).decode(one.scores)
    expected, found = best_path(static, SCALE), best_path(lattice, SCALE)
    assert found.cost(SCALE) == pytest.approx(expected.cost(SCALE), abs=1e-3)
    assert (found.words, found.tids.tolist()) == (expected.words, expected.tids.tolist())
    # So are those of the other sentences in the lattice.
    by_words = [
        {path.words: path.cost for path in compact_paths(determinize(each, SCALE, 3.0))}
        for each in (static, lattice)
    ]
    names = [static.symbols, lattice.symbols]
    costs = [
        {tuple(symbols[word] for word in words): cost for words, cost in each.items()}
        for symbols, each in zip(names, by_words, strict=True)
    ]
    for words, cost in costs[0].items():
        if cost < expected.cost(SCALE) + 2.9:
            assert costs[1][words] == pytest.approx(cost, abs=1e-3)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(4))
def test_the_lattice_beam_keeps_paths_within_it(
    seed: int, mode: BackoffMode, tmp_path: Path
) -> None:
    one = task(seed, tmp_path, frames=5)
    beam = 2.0
    pdfs = one.toy.transitions.pdf
    frames = np.arange(len(one.scores))
    costs = {
        (tids, words): cost - SCALE * float(one.scores[frames, pdfs[list(tids)]].sum())
        for (tids, words), cost in enumeration(one, mode).items()
    }
    limit = min(costs.values()) + beam
    options = replace(EVERYTHING, lattice_beam=beam, prune_interval=2)
    found = best_costs(one.decoder(mode, options).decode(one.scores)).keys()
    assert {path for path, cost in costs.items() if cost < limit - 1e-3} <= found
    assert found <= costs.keys()


def assert_identical(one: Lattice, other: Lattice) -> None:
    for field in fields(one):
        assert np.array_equal(getattr(one, field.name), getattr(other, field.name)), field.name


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(3))
def test_neither_cutting_nor_forgetting_nor_threads_change_the_lattice(
    seed: int, mode: BackoffMode, tmp_path: Path
) -> None:
    one = task(seed, tmp_path, frames=40, order=3)
    options = SearchOptions(beam=6.0, lattice_beam=4.0, acoustic_scale=SCALE, prune_interval=7)
    decoder = one.decoder(mode, options)
    whole = decoder.decode(one.scores)
    assert whole.num_arcs > 100
    rng = np.random.default_rng(seed)
    for _ in range(20):
        streaming = decoder.start()
        for piece in np.split(one.scores, np.sort(rng.integers(0, 41, 5))):
            streaming.advance(piece)
        assert_identical(streaming.finish(), whole)
    assert_identical(one.decoder(mode, options, memory=0).decode(one.scores), whole)
    with ThreadPoolExecutor(4) as pool:
        for lattice in pool.map(decoder.decode, [one.scores] * 8):
            assert_identical(lattice, whole)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(4))
def test_the_best_path_alone_is_that_of_the_lattice(
    seed: int, mode: BackoffMode, tmp_path: Path
) -> None:
    one = task(seed, tmp_path, frames=40, order=3)
    decoder = one.decoder(mode, replace(EVERYTHING, beam=20.0, lattice_beam=2.0))
    expected = best_path(decoder.decode(one.scores), SCALE)
    found = decoder.decode_best(one.scores)
    assert found.words == expected.words
    assert found.cost(SCALE) == pytest.approx(expected.cost(SCALE), abs=1e-4)
    assert found.complete


@pytest.mark.parametrize("mode", MODES)
def test_a_partial_result_is_a_path_of_the_graph(mode: BackoffMode, tmp_path: Path) -> None:
    one = task(2, tmp_path, frames=20)
    decoding_ = one.decoder(mode).start()
    for t in range(len(one.scores)):
        decoding_.advance(one.scores[t : t + 1])
        path = decoding_.partial()
        assert len(path.tids) == decoding_.num_frames == t + 1
        assert not path.complete
        pdfs = one.toy.transitions.pdf[path.tids]
        acoustic = -one.scores[np.arange(t + 1), pdfs].astype(np.float64).sum()
        assert path.acoustic_cost == pytest.approx(acoustic, abs=1e-3)
    # The end costs something, and what is best may change with it.
    final = best_path(decoding_.finish(), SCALE)
    assert final.complete


def test_without_a_final_state_the_best_partial_path_is_flagged(tmp_path: Path) -> None:
    one = task(1, tmp_path, frames=1)  # no word is that short
    lattice = one.decoder("exact", replace(EVERYTHING, lattice_beam=1.0)).decode(one.scores)
    assert lattice.reached_final == any(len(tids) == 1 for tids, _ in enumeration(one, "exact"))
    assert not lattice.reached_final
    assert len(best_path(lattice, SCALE).tids) == 1


def test_counts_are_told(tmp_path: Path) -> None:
    one = task(1, tmp_path, frames=10)
    decoding_ = one.decoder("exact").start()
    decoding_.advance(one.scores)
    decoding_.finish()
    stats = decoding_.stats
    assert stats["frames"] == 10
    assert min(stats["tokens"], stats["arcs"], stats["links"]) > 10


def test_errors_are_one_clear_line(tmp_path: Path) -> None:
    one = task(1, tmp_path, frames=3)
    with pytest.raises(UsageError, match="mode: expected 'exact' or 'epsilon', found 'best'"):
        one.decoder("best")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="look_ahead_bytes: expected at least 0, found -1"):
        one.decoder("exact", memory=-1)
    foreign = replace(one.hcl, words=tuple(f"{word}?" for word in one.hcl.words))
    with pytest.raises(SpeechError, match="found none among 6"):
        OnTheFlyDecoder(foreign, one.toy.transitions.pdf, one.automaton)
    decoder = one.decoder("exact")
    with pytest.raises(SpeechError, match="frame 1, pdf 0: expected a finite number, found nan"):
        bad = one.scores.copy()
        bad[1, 0] = np.nan
        decoder.decode(bad)
    with pytest.raises(SpeechError, match=r"found float32 \[3, 1\]"):
        decoder.decode(one.scores[:, :1].copy())
    with pytest.raises(SpeechError, match="at least one frame"):
        decoder.decode(one.scores[:0])


@pytest.mark.parametrize("mode", MODES)
def test_a_state_all_of_whose_words_are_unknown_leads_nowhere(
    mode: BackoffMode, tmp_path: Path
) -> None:
    # State 1 has non-emitting arcs only, and the language model knows the word of none of them.
    rows = ((0, 1, 1, 0, 0.0), (1, 2, 0, 3, 0.0), (1, 2, 0, 4, 0.0), (0, 2, 2, 1, 4.0))
    graph = Arcs(rows, (inf, inf, 0.0)).graph()
    lm = unigrams_of_a_and_b(tmp_path)
    scores = np.zeros((1, 2), dtype=np.float32)
    lattice = OnTheFlyDecoder(graph, np.array([-1, 0, 1]), lm, EVERYTHING, mode).decode(scores)
    assert lattice.reached_final
    assert best_path(lattice, SCALE).words == ("a",)


def unigrams_of_a_and_b(tmp_path: Path) -> NgramAutomaton:
    arpa = tmp_path / "lm.arpa"
    unigrams = "".join(f"-1\t{word}\t0\n" for word in ("<unk>", "<s>", "</s>", "a", "b"))
    arpa.write_text(f"\\data\\\nngram 1=5\n\n\\1-grams:\n{unigrams}\n\\end\\\n")
    return NgramAutomaton.from_model(read_arpa(arpa))


def test_states_of_very_many_arcs_are_remembered_like_others(tmp_path: Path) -> None:
    """A list longer than the cache's chunks of 4 MB has a chunk of its own, and moves with it."""
    # State 0 is left in the first frame, states 1 and 2 are come to again, state 3 in the fourth.
    arcs = ((0, 1, 200_000), (1, 1, 180_000), (1, 2, 1), (2, 3, 1), (3, 3, 60_000))
    rows = tuple(
        (source, target, 1 + i % 2, 1 + i // 2 % 2, (i % 89) / 8)
        for source, target, count in arcs
        for i in range(count)
    )
    graph = Arcs(rows, (inf, 0.0, inf, 0.0)).graph()
    lm = unigrams_of_a_and_b(tmp_path)
    scores = np.random.default_rng(1).normal(0, 2, (8, 2)).astype(np.float32)
    options = replace(EVERYTHING, beam=9.0, lattice_beam=1.0, prune_interval=2)

    def search(memory: int) -> Lattice:
        decoder = OnTheFlyDecoder(graph, np.array([-1, 0, 1]), lm, options, "exact", memory)
        return decoder.decode(scores)

    # The smaller memory holds the lists of states 0 and 1, and must drop the first for state 3.
    assert_identical(search(25 << 19), search(1 << 30))


@pytest.mark.parametrize("memory", [0, 1 << 12, 1 << 20])
@pytest.mark.parametrize("mode", MODES)
def test_searches_in_turn_share_what_they_remember(
    mode: BackoffMode, memory: int, tmp_path: Path
) -> None:
    """One search's numbers of transitions mean nothing after another has trimmed the cache."""
    one = task(3, tmp_path, frames=30)
    rng = np.random.default_rng(0)
    scores = [rng.normal(0, 2, one.scores.shape).astype(np.float32) for _ in range(6)]
    options = SearchOptions(acoustic_scale=SCALE, prune_interval=4)
    alone = [one.decoder(mode, options, memory).decode(each) for each in scores]
    decoder = one.decoder(mode, options, memory)
    turns = [decoder.start() for _ in scores]
    for frame in range(len(one.scores)):
        for turn, each in zip(turns, scores, strict=True):
            turn.advance(each[frame : frame + 1])
            turn.update()
    in_threads = one.decoder(mode, options, memory)
    with ThreadPoolExecutor(3) as pool:
        threaded = list(pool.map(in_threads.decode, scores))
    for lattice, again, expected in zip(turns, threaded, alone, strict=True):
        for found in (lattice.finish(), again):
            for field in fields(Lattice):
                np.testing.assert_array_equal(
                    getattr(found, field.name), getattr(expected, field.name)
                )
