from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields, replace
from math import inf

import kaldi_decoder
import kaldifst
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.parallel.threads import thread_map
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.lattice import Lattice
from recognizer.decoding.lattice.paths import best_path
from recognizer.decoding.search.search import Decoder, SearchOptions, native_options
from search_toys import (
    EVERYTHING,
    PDFS,
    SCALE,
    SYMBOLS,
    Arcs,
    best_by_words,
    compact_paths,
    graph_of,
    graph_paths,
    larger_graph,
    lattice_paths,
    without_finals,
)

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=200, deadline=None)
@given(seeds, st.integers(1, 3))
def test_the_lattice_holds_all_paths_if_nothing_is_pruned(seed: int, interval: int) -> None:
    arcs, scores = graph_of(seed, exact=True)
    options = replace(EVERYTHING, prune_interval=interval)
    lattice = Decoder(arcs.graph(), PDFS, options).decode(scores)
    assert lattice.reached_final
    assert sorted(lattice_paths(lattice)) == sorted(graph_paths(arcs, PDFS, scores))


@settings(max_examples=200, deadline=None)
@given(seeds, st.integers(1, 3), st.floats(0.1, 4.0))
def test_the_lattice_beam_keeps_paths_within_it(seed: int, interval: int, beam: float) -> None:
    arcs, scores = graph_of(seed, exact=True)
    options = replace(EVERYTHING, prune_interval=interval, lattice_beam=beam)
    lattice = Decoder(arcs.graph(), PDFS, options).decode(scores)
    expected = set(graph_paths(arcs, PDFS, scores))
    limit = min(path.cost for path in expected) + beam
    found = set(lattice_paths(lattice))
    assert found <= expected
    assert {path for path in expected if path.cost < limit - 1e-4} <= found


@settings(max_examples=200, deadline=None)
@given(seeds)
def test_the_best_path_is_the_best_of_all(seed: int) -> None:
    arcs, scores = graph_of(seed)
    options = replace(EVERYTHING, lattice_beam=1.0, prune_interval=2)
    path = best_path(Decoder(arcs.graph(), PDFS, options).decode(scores), SCALE)
    best = min(graph_paths(arcs, PDFS, scores), key=lambda each: each.cost)
    assert path.cost(SCALE) == pytest.approx(best.cost, abs=1e-4)
    assert len(path.tids) == len(scores)


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_determinised_the_best_of_each_word_sequence_remains(seed: int) -> None:
    arcs, scores = graph_of(seed, exact=True)
    lattice = Decoder(arcs.graph(), PDFS, EVERYTHING).decode(scores)
    expected = best_by_words(graph_paths(arcs, PDFS, scores))
    found = {path.words: path for path in compact_paths(determinize(lattice, SCALE, inf))}
    assert found == expected


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_without_a_final_state_the_best_partial_path_is_flagged(seed: int) -> None:
    arcs, scores = graph_of(seed, exact=True)
    arcs = without_finals(arcs)
    lattice = Decoder(arcs.graph(), PDFS, EVERYTHING).decode(scores)
    assert not lattice.reached_final
    assert sorted(lattice_paths(lattice)) == sorted(graph_paths(arcs, PDFS, scores, final=False))
    assert not best_path(lattice, SCALE).complete
    assert not best_path(determinize(lattice, SCALE, 1.0), SCALE).complete


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_a_partial_result_is_the_best_path_to_any_state(seed: int) -> None:
    arcs, scores = graph_of(seed)
    decoding = Decoder(arcs.graph(), PDFS, replace(EVERYTHING, prune_interval=1)).start()
    for t in range(len(scores)):
        decoding.advance(scores[t : t + 1])
        path = decoding.partial()
        every = list(graph_paths(arcs, PDFS, scores[: t + 1], final=False))
        assert path.cost(SCALE) == pytest.approx(min(each.cost for each in every), abs=1e-4)
        assert (tuple(path.word_ids.tolist()), tuple(path.tids.tolist())) in {
            (each.words, each.tids) for each in every
        }
        assert path.words == tuple(SYMBOLS[word] for word in path.word_ids)
        assert not path.complete


def peer_cost(decoder: object) -> tuple[float, list[int]]:
    found, lattice = decoder.get_best_path()  # type: ignore[attr-defined]
    assert found
    _, _, words, weight = kaldifst.get_linear_symbol_sequence(lattice)
    return weight.value1 + weight.value2, words


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("max_active", [100, 100_000])
def test_best_path_is_that_of_kaldi_decoder(seed: int, max_active: int) -> None:
    graph, pdfs, scores = larger_graph(seed)
    options = SearchOptions(beam=8.0, max_active=max_active, min_active=20, acoustic_scale=SCALE)
    path = best_path(Decoder(graph, pdfs, options).decode(scores), SCALE)
    fst = graph.to_kaldifst(pdfs)
    decodable = kaldi_decoder.DecodableCtc(scores * np.float32(SCALE))
    faster = kaldi_decoder.FasterDecoder(
        fst, kaldi_decoder.FasterDecoderOptions(beam=8.0, max_active=max_active, min_active=20)
    )
    peers = [faster]
    if max_active > len(graph.final_costs):
        simple = kaldi_decoder.SimpleDecoder(fst, 8.0)
        config = kaldi_decoder.LatticeSimpleDecoderConfig(beam=8.0, lattice_beam=4.0)
        peers += [simple, kaldi_decoder.LatticeSimpleDecoder(fst, config)]
    for peer in peers:
        peer.decode(decodable)
        cost, words = peer_cost(peer)
        assert path.cost(SCALE) == pytest.approx(cost, abs=0.01)
        assert path.word_ids.tolist() == words


@pytest.mark.parametrize("seed", range(3))
def test_lattice_and_determinised_lattice_have_the_decoders_best_path(seed: int) -> None:
    graph, pdfs, scores = larger_graph(seed)
    options = SearchOptions(beam=9.0, lattice_beam=3.0, acoustic_scale=SCALE)
    decoding = Decoder(graph, pdfs, options).start()
    decoding.advance(scores)
    partial = decoding.partial()
    lattice = decoding.finish()
    raw = best_path(replace(lattice, final_costs=_zero_at_end(lattice)), SCALE)
    assert raw.cost(SCALE) == pytest.approx(partial.cost(SCALE), abs=1e-3)
    assert raw.tids.tolist() == partial.tids.tolist()
    compact = best_path(determinize(lattice, SCALE, 3.0), SCALE)
    best = best_path(lattice, SCALE)
    assert compact.cost(SCALE) == pytest.approx(best.cost(SCALE), abs=1e-3)
    assert compact.tids.tolist() == best.tids.tolist()
    assert compact.words == best.words


def _zero_at_end(lattice: Lattice) -> np.ndarray:
    at_end = lattice.state_frames == lattice.num_frames
    costs: np.ndarray = np.where(at_end, np.float32(0), np.float32(inf))
    return costs


def same(one: Lattice, two: Lattice) -> bool:
    return all(
        np.array_equal(getattr(one, each.name), getattr(two, each.name))
        for each in fields(Lattice)
        if each.name not in ("reached_final", "symbols")
    )


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=8))
def test_results_do_not_depend_on_how_frames_are_cut(pieces: list[int]) -> None:
    graph, pdfs, scores = larger_graph(1)
    options = SearchOptions(beam=8.0, max_active=100, min_active=20, acoustic_scale=SCALE)
    decoder = Decoder(graph, pdfs, options)
    decoding, at = decoder.start(), 0
    for piece in pieces:
        decoding.advance(scores[at : at + piece])
        at = min(at + piece, len(scores))
        if at:
            decoding.partial()
    decoding.advance(scores[at:])
    assert same(decoding.finish(), decoder.decode(scores))


@pytest.mark.parametrize("interval", [1, 7, 1000])
def test_the_lattice_does_not_depend_on_when_it_is_pruned(interval: int) -> None:
    graph, pdfs, scores = larger_graph(0)
    options = SearchOptions(beam=8.0, lattice_beam=3.0, acoustic_scale=SCALE)
    expected = Decoder(graph, pdfs, options).decode(scores)
    options = replace(options, prune_interval=interval)
    assert same(Decoder(graph, pdfs, options).decode(scores), expected)


@settings(max_examples=100, deadline=None)
@given(seeds, st.sampled_from([1, 3, 50]))
def test_the_best_path_alone_is_the_lattices(seed: int, interval: int) -> None:
    arcs, scores = graph_of(seed)
    options = replace(EVERYTHING, prune_interval=interval)
    decoder = Decoder(arcs.graph(), PDFS, options)
    best = best_path(decoder.decode(scores), SCALE)
    path = decoder.decode_best(scores)
    assert path.complete == best.complete
    assert path.cost(SCALE) == pytest.approx(best.cost(SCALE), abs=1e-4)
    labels = (tuple(path.word_ids.tolist()), tuple(path.tids.tolist()))
    costs = [
        each.cost
        for each in graph_paths(arcs, PDFS, scores, final=best.complete)
        if (each.words, each.tids) == labels
    ]
    assert path.cost(SCALE) == pytest.approx(min(costs), abs=1e-4)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("max_active", [100, 5000])
def test_the_best_path_alone_in_a_larger_graph(seed: int, max_active: int) -> None:
    graph, pdfs, scores = larger_graph(seed)
    options = SearchOptions(beam=8.0, max_active=max_active, min_active=20, acoustic_scale=SCALE)
    decoder = Decoder(graph, pdfs, replace(options, prune_interval=7))
    best = best_path(decoder.decode(scores), SCALE)
    path = decoder.decode_best(scores)
    assert path.tids.tolist() == best.tids.tolist()
    assert path.words == best.words
    assert (path.graph_cost, path.acoustic_cost) == (best.graph_cost, best.acoustic_cost)


def test_a_long_utterance_in_a_small_lattice_beam() -> None:
    # Long enough for the kept frames to be tidied up several times.
    graph, pdfs, scores = larger_graph(1)
    scores = np.concatenate([scores] * 40)
    options = SearchOptions(beam=8.0, lattice_beam=0.5, acoustic_scale=SCALE, prune_interval=5)
    lattice = Decoder(graph, pdfs, options).decode(scores)
    expected = Decoder(graph, pdfs, replace(options, prune_interval=10_000)).decode(scores)
    assert same(lattice, expected)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_any_number_of_threads_gives_the_same_lattices_in_order(threads: int) -> None:
    graph, pdfs, scores = larger_graph(2)
    decoder = Decoder(graph, pdfs, SearchOptions(beam=8.0, acoustic_scale=SCALE))
    batch = [np.ascontiguousarray(scores[:length]) for length in range(20, 60)]
    expected = [decoder.decode(each) for each in batch]
    found = list(thread_map(decoder.decode, iter(batch), threads))
    assert len(found) == len(expected)
    assert all(same(one, two) for one, two in zip(found, expected, strict=True))


def test_a_batch_fails_where_its_utterance_does() -> None:
    graph, pdfs, scores = larger_graph(2)
    decoder = Decoder(graph, pdfs, SearchOptions(beam=8.0, acoustic_scale=SCALE))
    results = thread_map(decoder.decode, [scores, scores[:, :-1], scores], 2)
    assert same(next(results), decoder.decode(scores))
    with pytest.raises(SpeechError, match="expected float32"):
        next(results)


def test_threads_share_a_decoder() -> None:
    graph, pdfs, scores = larger_graph(2)
    options = SearchOptions(beam=8.0, acoustic_scale=SCALE)
    decoder = Decoder(graph, pdfs, options)
    alone = decoder.decode(scores)
    with ThreadPoolExecutor(4) as pool:
        assert all(same(alone, lattice) for lattice in pool.map(decoder.decode, [scores] * 8))


def test_the_lattice_is_topological_with_arcs_sorted_by_source() -> None:
    graph, pdfs, scores = larger_graph(0)
    lattice = Decoder(graph, pdfs, SearchOptions(acoustic_scale=SCALE)).decode(scores)
    assert (lattice.targets > lattice.sources).all()
    assert (np.diff(lattice.sources) >= 0).all()
    steps = lattice.state_frames[lattice.targets] - lattice.state_frames[lattice.sources]
    assert np.array_equal(steps, lattice.tids > 0)
    assert lattice.num_frames == len(scores)
    # Unscaled, and of the frame of the arc.
    frames = lattice.state_frames[lattice.sources]
    emitting = lattice.tids > 0
    expected = -scores[frames[emitting], pdfs[lattice.tids[emitting]]]
    assert np.array_equal(lattice.acoustic_costs[emitting], expected)
    assert not lattice.acoustic_costs[~emitting].any()


def test_fewer_active_tokens_cost_less_work_and_more_in_paths() -> None:
    graph, pdfs, scores = larger_graph(0)
    costs, tokens = [], []
    for max_active in (5, 50, 5000):
        options = SearchOptions(max_active=max_active, min_active=2, acoustic_scale=SCALE)
        decoding = Decoder(graph, pdfs, options).start()
        decoding.advance(scores)
        costs.append(best_path(decoding.finish(), SCALE).cost(SCALE))
        tokens.append(decoding.stats["tokens"] / decoding.stats["frames"])
    assert costs == sorted(costs, reverse=True)
    assert tokens == sorted(tokens)
    assert tokens[0] < 8


ONE_ARC = Arcs(((0, 1, 1, 1, 0.5),), (inf, 0.25))


def chain(*labels: int) -> Arcs:
    rows = tuple((i, i + 1, label, 0, 1.0) for i, label in enumerate(labels))
    return Arcs(rows, (inf,) * len(labels) + (0.0,))


def test_epsilons_before_the_end_are_followed() -> None:
    scores = np.zeros((1, 3), dtype=np.float32)
    narrow = SearchOptions(beam=1.5, min_active=0)
    lattice = Decoder(chain(0, 1, 0, 0).graph(), PDFS, narrow).decode(scores)
    assert not lattice.reached_final  # the beam stops it
    lattice = Decoder(chain(0, 1, 0, 0).graph(), PDFS, SearchOptions()).decode(scores)
    assert lattice.reached_final
    assert best_path(lattice, 1.0).graph_cost == 4.0


def test_a_graph_that_ends_too_early_is_an_error_and_the_decoder_lives_on() -> None:
    decoder = Decoder(ONE_ARC.graph(), PDFS)
    scores = np.zeros((3, 3), dtype=np.float32)
    decoding = decoder.start()
    with pytest.raises(SpeechError, match="no path through the graph goes on after frame 1"):
        decoding.advance(scores)
    with pytest.raises(SpeechError, match="expected an utterance in progress"):
        decoding.advance(scores)
    assert decoder.decode(scores[:1]).reached_final


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.zeros((2, 3)), r"expected float32 \[T, 3\], found float64 \[2, 3\]"),
        (np.zeros((2, 4), np.float32), r"expected float32 \[T, 3\], found float32 \[2, 4\]"),
        (np.zeros(3, np.float32), r"expected float32 \[T, 3\], found float32 \[3\]"),
        (np.zeros((3, 2), np.float32).T, "expected a C-contiguous array"),
        ([[0.0, 0.0, 0.0]], "expected a float32 array .*, found list"),
        (np.zeros((0, 3), np.float32), "expected at least one frame of scores, found none"),
        (np.array([[0, 0, np.nan]], np.float32), "frame 0, pdf 2: expected a finite number"),
        (np.array([[0, 0, 0], [0, inf, 0]], np.float32), "frame 1, pdf 1: .* found inf"),
        (np.array([[-inf, 0, 0]], np.float32), "frame 0, pdf 0: .* found -inf"),
    ],
)
def test_wrong_scores_are_refused(scores: np.ndarray, message: str) -> None:
    with pytest.raises(SpeechError, match=message) as caught:
        Decoder(ONE_ARC.graph(), PDFS).decode(scores)
    assert "\n" not in str(caught.value)


def test_after_wrong_scores_an_utterance_goes_on() -> None:
    decoding = Decoder(chain(1, 2).graph(), PDFS).start()
    good = np.ones((1, 3), dtype=np.float32)
    decoding.advance(good)
    with pytest.raises(SpeechError, match="frame 2, pdf 0"):
        decoding.advance(np.array([[1, 1, 1], [np.nan, 1, 1]], dtype=np.float32))
    assert decoding.num_frames == 1
    decoding.advance(good)
    assert decoding.finish().reached_final


@pytest.mark.parametrize(
    ("arcs", "pdfs", "message"),
    [
        (chain(5), PDFS, "arc 0: expected a transition-id of 1 .. 4, found 5"),
        (chain(1), np.array([-1, -2], np.int32), "transition-id 1: expected a pdf-id of 0 .."),
        (chain(1), np.array([-1], np.int32), "expected at least one transition-id"),
        (chain(1), np.zeros((2, 2), np.int32), "pdfs: expected integers"),
        (Arcs(((0, 1, 0, 0, 0.0), (1, 0, 0, 0, 0.0)), (0.0, 0.0)), PDFS, "no cycle of non-emit"),
        (Arcs(((0, 0, 0, 0, 0.0),), (0.0,)), PDFS, "no cycle of non-emitting arcs"),
    ],
)
def test_wrong_graphs_are_refused(arcs: Arcs, pdfs: np.ndarray, message: str) -> None:
    with pytest.raises(SpeechError, match=message) as caught:
        Decoder(arcs.graph(), pdfs)
    assert "\n" not in str(caught.value)


def test_an_empty_graph_is_refused() -> None:
    with pytest.raises(SpeechError):
        Decoder(Arcs((), ()).graph(), PDFS)


@pytest.mark.parametrize(
    "options",
    [
        {"beam": -1.0},
        {"beam": float("nan")},
        {"lattice_beam": 0.0},
        {"acoustic_scale": inf},
        {"max_active": 1},
        {"min_active": -1},
        {"min_active": 7000},
        {"prune_interval": 0},
        {"prune_scale": 0.0},
        {"prune_scale": 1.0},
        {"beam_delta": 0.0},
    ],
)
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        SearchOptions(**options)  # type: ignore[arg-type]


def test_every_option_reaches_the_native_search() -> None:
    options = SearchOptions(
        beam=1.5,
        lattice_beam=2.5,
        max_active=30,
        min_active=4,
        acoustic_scale=0.5,
        prune_interval=6,
        prune_scale=0.75,
        beam_delta=8.5,
        max_kept_links=9,
    )
    for field in fields(SearchOptions):
        assert getattr(options, field.name) != field.default, "a default would hide a mistake"
    native = native_options(options)
    crossed = [name for name in dir(native) if not name.startswith("_")]
    assert sorted(crossed) == sorted(field.name for field in fields(SearchOptions))
    assert {name: getattr(native, name) for name in crossed} == asdict(options)


@pytest.mark.parametrize("scale", [0.001, 0.5, 0.999])
def test_pruning_while_searching_changes_no_lattice(scale: float) -> None:
    graph, pdfs, scores = larger_graph(3)
    options = SearchOptions(beam=8.0, lattice_beam=3.0, acoustic_scale=SCALE, prune_interval=10_000)
    expected = Decoder(graph, pdfs, options).decode(scores)
    often = replace(options, prune_interval=3, prune_scale=scale)
    assert same(Decoder(graph, pdfs, often).decode(scores), expected)
