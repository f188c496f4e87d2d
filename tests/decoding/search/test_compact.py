"""Lattices that are determinised as they grow, beside those that are determinised as a whole."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import islice, takewhile
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.lattice import BestPath, CompactLattice
from recognizer.decoding.lattice.paths import n_best
from recognizer.decoding.search.search import Decoder, SearchOptions
from search_toys import EVERYTHING, PDFS, SCALE, Arcs, larger_graph, random_arcs

seeds = st.integers(0, 2**32 - 1)
MANY = 1000


def within(lattice: CompactLattice, beam: float) -> dict[tuple[int, ...], BestPath]:
    """The paths within a beam of the best one by their words; all of them, or the best MANY."""
    paths = n_best(lattice, SCALE)
    best = next(paths)
    limit = best.cost(SCALE) + beam
    found = [best, *islice(takewhile(lambda path: path.cost(SCALE) < limit, paths), MANY)]
    by_words = {tuple(path.word_ids.tolist()): path for path in found}
    assert len(by_words) == len(found), "a word sequence has several paths"
    return by_words


def assert_equal_within(one: CompactLattice, two: CompactLattice, beam: float) -> int:
    ours, theirs = within(one, beam), within(two, beam)
    if max(len(ours), len(theirs)) > MANY:
        limit = min(list(each.values())[-1].cost(SCALE) for each in (ours, theirs)) - 1e-6
        ours, theirs = (
            {words: path for words, path in each.items() if path.cost(SCALE) < limit}
            for each in (ours, theirs)
        )
    assert ours.keys() == theirs.keys()
    for words, path in ours.items():
        other = theirs[words]
        assert path.tids.tolist() == other.tids.tolist()
        assert path.graph_cost == pytest.approx(other.graph_cost, abs=1e-3)
        assert path.acoustic_cost == pytest.approx(other.acoustic_cost, abs=1e-3)
    assert one.reached_final == two.reached_final
    return len(ours)


def check_arrays(lattice: CompactLattice) -> None:
    """Topological, deterministic, no dead ends, frames as transition-ids count them."""
    assert (lattice.targets > lattice.sources).all()
    assert (np.diff(lattice.sources) >= 0).all()
    assert (lattice.words > 0).all()
    pairs = set(zip(lattice.sources.tolist(), lattice.words.tolist(), strict=True))
    assert len(pairs) == lattice.num_arcs
    lengths = np.diff(lattice.tid_offsets)
    assert np.array_equal(
        lattice.state_frames[lattice.sources] + lengths, lattice.state_frames[lattice.targets]
    )
    assert set(lattice.targets.tolist()) | {0} == set(range(lattice.num_states))
    final = np.isfinite(lattice.final_graph_costs)
    assert set(lattice.sources.tolist()) | set(np.flatnonzero(final)) == set(
        range(lattice.num_states)
    )
    ends = lattice.state_frames + np.diff(lattice.final_tid_offsets)
    assert set(ends[final].tolist()) == {lattice.num_frames}


def small_task(seed: int) -> tuple[Decoder, np.ndarray]:
    """A graph of a few states and scores of dozens of frames, cut as often as possible."""
    while True:
        rng = np.random.default_rng(seed)
        arcs = random_arcs(rng, states=6, arcs=14, tids=4, exact=True)
        # Few words, or there are too many sequences of them.
        rows = tuple((*row[:3], row[3] * int(rng.random() < 0.6), row[4]) for row in arcs.rows)
        arcs = Arcs(rows, arcs.finals)
        frames = int(rng.integers(25, 50))
        scores = (rng.integers(-64, 64, (frames, 3)) / 4).astype(np.float32)
        options = replace(
            EVERYTHING,
            lattice_beam=float(rng.choice([0.5, 1.0, 2.0])),
            prune_interval=int(rng.integers(1, 4)),
            max_kept_links=int(rng.choice([1, 10, 40])),
        )
        decoder = Decoder(arcs.graph(), PDFS, options)
        try:
            decoder.decode(scores)
        except SpeechError:  # no path is that long
            seed += 1
            continue
        return decoder, scores


@settings(max_examples=80, deadline=None)
@given(seeds)
def test_all_paths_within_the_lattice_beam_are_those_of_the_whole(seed: int) -> None:
    decoder, scores = small_task(seed)
    lattice = decoder.decode_compact(scores)
    check_arrays(lattice)
    beam = decoder.options.determinization_beam
    assert lattice.beam == beam
    whole = determinize(decoder.decode(scores), SCALE, beam)
    assert_equal_within(lattice, whole, decoder.options.lattice_beam)


def larger_task(max_kept_links: int) -> tuple[Decoder, np.ndarray]:
    graph, pdfs, scores = larger_graph(1)
    options = SearchOptions(
        beam=9.0, lattice_beam=1.5, acoustic_scale=SCALE, max_kept_links=max_kept_links
    )
    rng = np.random.default_rng(0)
    scores = np.concatenate([scores[rng.permutation(len(scores))] for _ in range(4)])
    return Decoder(graph, pdfs, options), scores


def same(one: CompactLattice, two: CompactLattice) -> bool:
    names = [each.name for each in fields(CompactLattice)]
    return all(np.array_equal(getattr(one, name), getattr(two, name)) for name in names)


@pytest.mark.parametrize("max_kept_links", [1, 500, 2000])
def test_a_larger_graph_gives_the_same_paths(max_kept_links: int) -> None:
    decoder, scores = larger_task(max_kept_links)
    decoding = decoder.start_compact()
    decoding.advance(scores)
    assert decoding.memory["done"] > 0
    lattice = decoding.finish()
    check_arrays(lattice)
    beam = decoder.options.determinization_beam
    whole = determinize(decoder.decode(scores), SCALE, beam)
    assert assert_equal_within(lattice, whole, decoder.options.lattice_beam) > 20


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 90), min_size=1, max_size=12))
def test_lattices_do_not_depend_on_how_frames_are_cut(pieces: list[int]) -> None:
    decoder, scores = larger_task(500)
    decoding, at = decoder.start_compact(), 0
    updates, state_level = decoder.start_compact(), decoder.start()
    for piece in pieces:
        for each in (decoding, updates, state_level):
            each.advance(scores[at : at + piece])
        at = min(at + piece, len(scores))
        # What the search says of its best path does not depend on what was let go.
        assert updates.update() == state_level.update()
    for each in (decoding, updates):
        each.advance(scores[at:])
    whole = decoder.decode_compact(scores)
    assert same(decoding.finish(), whole)
    assert same(updates.finish(), whole)


def test_a_short_utterance_is_determinised_as_a_whole() -> None:
    decoder, scores = larger_task(1 << 16)
    whole = determinize(decoder.decode(scores), SCALE, decoder.options.determinization_beam)
    assert same(decoder.decode_compact(scores), whole)


def test_without_a_final_state_the_lattice_is_flagged() -> None:
    graph, pdfs, scores = larger_graph(1)
    graph = replace(graph, final_costs=np.full_like(graph.final_costs, inf))
    decoder = Decoder(graph, pdfs, larger_task(300)[0].options)
    lattice = decoder.decode_compact(scores)
    assert not lattice.reached_final
    whole = determinize(decoder.decode(scores), SCALE, decoder.options.determinization_beam)
    assert_equal_within(lattice, whole, decoder.options.lattice_beam)


def test_memory_does_not_grow_with_the_utterance() -> None:
    decoder, scores = larger_task(500)
    decoding, state_level = decoder.start_compact(), decoder.start()
    memory = []
    for _ in range(40):
        for each in (decoding, state_level):
            each.advance(scores)
        decoding.update()
        memory.append(decoding.memory)
    # Arrays of frames still grow to the largest frame that they meet, and no further.
    assert memory[-1]["buffers"] < 1.3 * memory[9]["buffers"]
    assert max(each["open"] for each in memory[10:]) <= max(each["open"] for each in memory[:10])
    assert state_level.memory["buffers"] > 2 * memory[-1]["buffers"]
    assert decoding.finish().num_frames == 40 * len(scores)


def test_silence_of_any_length_is_one_final_string() -> None:
    """No word leads out of the start state, which stays open to the end."""
    rows = ((0, 0, 1, 0, 0.5), (0, 1, 2, 1, 8.0), (1, 1, 2, 0, 0.5), (1, 0, 1, 2, 8.0))
    options = SearchOptions(lattice_beam=1.0, acoustic_scale=SCALE, max_kept_links=1)
    decoder = Decoder(Arcs(rows, (0.0, inf)).graph(), PDFS, options)
    lattice = decoder.decode_compact(np.zeros((500, 3), dtype=np.float32))
    assert (lattice.num_states, lattice.num_arcs) == (1, 0)
    assert lattice.final_tids.tolist() == [1] * 500
    assert lattice.final_graph_costs.tolist() == [250.0]


def test_little_memory_means_a_smaller_beam_which_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    decoder, scores = larger_task(500)
    lattice = decoder.decode_compact(scores, max_memory=20_000)
    assert lattice.beam < decoder.options.determinization_beam
    assert "ran into its memory limit" in caplog.text
    best = next(n_best(determinize(decoder.decode(scores), SCALE, 1.0), SCALE))
    assert next(n_best(lattice, SCALE)).words == best.words


def test_wrong_use_is_refused() -> None:
    decoder, scores = larger_task(500)
    with pytest.raises(UsageError, match="max_memory: expected a number >= 0, found -1"):
        decoder.start_compact(max_memory=-1)
    with pytest.raises(UsageError, match="max_kept_links: expected an integer of 1"):
        replace(decoder.options, max_kept_links=0)
    decoding = decoder.start_compact()
    with pytest.raises(SpeechError, match="expected at least one frame of scores, found none"):
        decoding.finish()
    decoding = decoder.start_compact()
    decoding.advance(scores)
    decoding.finish()
    with pytest.raises(SpeechError, match="expected an utterance in progress"):
        decoding.finish()


def test_idle_searches_hold_a_bounded_amount_of_memory() -> None:
    decoder, scores = larger_task(500)
    one = decoder.start_compact()
    one.advance(scores)
    size = one.memory["buffers"]
    one.cancel()
    decoder = Decoder(decoder.graph, options=decoder.options, max_idle_bytes=5 * size // 2)
    for kind in (decoder.start_compact, decoder.start):
        decodings = [kind() for _ in range(5)]
        for decoding in decodings:
            decoding.advance(scores)
        for decoding in decodings:
            decoding.finish()
        assert 0 < decoder.idle_bytes <= 5 * size // 2
    none = Decoder(decoder.graph, options=decoder.options, max_idle_bytes=0)
    assert same(none.decode_compact(scores), none.decode_compact(scores))
    assert none.idle_bytes == 0
    with pytest.raises(UsageError, match="max_idle_bytes: expected at least 0, found -1"):
        Decoder(decoder.graph, max_idle_bytes=-1)
