"""Results while the search goes on: the best path's words, silence at its end, final costs."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.lattice.paths import best_path
from recognizer.decoding.search.decoding import LatticeDecoding, PartialPath
from recognizer.decoding.search.search import Decoder, SearchOptions
from search_toys import EVERYTHING, PDFS, SCALE, SYMBOLS, graph_of, graph_paths, larger_graph

seeds = st.integers(0, 2**32 - 1)
SILENCE = np.array([False, True, False, True, False])
OPTIONS = SearchOptions(beam=8.0, lattice_beam=3.0, acoustic_scale=SCALE)


def silence_at_end(tids: tuple[int, ...], is_silence: np.ndarray) -> int:
    return len(list(takewhile(lambda tid: is_silence[tid], reversed(tids))))


@settings(max_examples=100, deadline=None)
@given(seeds, st.integers(1, 3))
def test_the_best_path_so_far_is_that_of_enumeration(seed: int, interval: int) -> None:
    arcs, scores = graph_of(seed)
    options = replace(EVERYTHING, prune_interval=interval)
    decoding = Decoder(arcs.graph(), PDFS, options, is_silence=SILENCE).start()
    for t in range(len(scores)):
        decoding.advance(scores[t : t + 1])
        paths = list(graph_paths(arcs, PDFS, scores[: t + 1], final=False))
        best = min(path.cost for path in paths)
        words = decoding.update().tentative
        silences = {
            silence_at_end(path.tids, SILENCE)
            for path in paths
            if path.cost < best + 1e-4 and tuple(SYMBOLS[word] for word in path.words) == words
        }
        assert decoding.trailing_silence in silences
        finals = graph_paths(arcs, PDFS, scores[: t + 1])
        best_final = min((path.cost for path in finals), default=inf)
        assert decoding.final_relative_cost == pytest.approx(best_final - best, abs=1e-4)


def long_scores(seed: int) -> tuple[Decoder, np.ndarray]:
    """Long enough for the trellis to be pruned, and words committed, many times."""
    graph, pdfs, scores = larger_graph(seed)
    is_silence = pdfs % 3 == 0
    options = replace(OPTIONS, prune_interval=5 + seed)
    rng = np.random.default_rng(seed)
    # At times nothing but silence is likely.
    scores = np.concatenate([scores[rng.permutation(len(scores))] for _ in range(6)])
    scores[100:160] += np.where(np.arange(scores.shape[1]) % 3 == 0, np.float32(40), np.float32(0))
    return Decoder(graph, pdfs, options, is_silence=is_silence), scores


def check_update(decoding: LatticeDecoding, committed: tuple[str, ...]) -> tuple[str, ...]:
    """Committed words after an update whose words are those of the whole best path."""
    update = decoding.update()
    committed += update.committed
    path = decoding.partial()
    assert committed + update.tentative == path.words
    assert decoding.decoder.is_silence is not None
    expected = silence_at_end(tuple(path.tids.tolist()), decoding.decoder.is_silence)
    assert decoding.trailing_silence == expected
    return committed


@pytest.mark.parametrize("seed", range(4))
def test_committed_words_never_change(seed: int) -> None:
    decoder, scores = long_scores(seed)
    decoding = decoder.start()
    committed: tuple[str, ...] = ()
    earlier: list[tuple[str, ...]] = []
    silences = []
    for t in range(len(scores)):
        decoding.advance(scores[t : t + 1])
        committed = check_update(decoding, committed)
        earlier.append(committed)
        silences.append(decoding.trailing_silence)
    final = best_path(decoding.finish(), SCALE).words
    assert all(final[: len(words)] == words for words in earlier)
    # Most words are committed soon, and silence outlasts the frames that are not pruned yet.
    assert len(earlier[-1]) > 0.7 * len(final) > 40
    assert max(silences) > 45


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 3),
    st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=1, max_size=20),
)
def test_updates_do_not_depend_on_when_others_were_made(
    seed: int, pieces: list[tuple[int, bool]]
) -> None:
    decoder, scores = long_scores(seed)
    decoding, at, committed = decoder.start(), 0, ()
    for piece, asked in pieces:
        decoding.advance(scores[at : at + piece])
        at = min(at + piece, len(scores))
        if asked:
            committed = check_update(decoding, committed)
    committed = check_update(decoding, committed)
    alone = decoder.start()
    alone.advance(scores[:at])
    assert alone.update() == PartialPath(committed, decoding.update().tentative)


def test_the_best_path_alone_has_the_same_updates() -> None:
    decoder, scores = long_scores(1)
    decoding, committed = decoder.start(best_only=True), ()
    lattice_decoding = decoder.start()
    for t in range(0, len(scores), 9):
        for each in (decoding, lattice_decoding):
            each.advance(scores[t : t + 9])
        committed = check_update(decoding, committed)
        assert decoding.partial().words == lattice_decoding.partial().words


def test_before_the_first_frame_there_are_no_words() -> None:
    decoder, _ = long_scores(0)
    decoding = decoder.start()
    assert decoding.update() == PartialPath((), ())
    assert decoding.trailing_silence == 0


def test_wrong_use_is_refused() -> None:
    arcs, scores = graph_of(0)
    decoding = Decoder(arcs.graph(), PDFS, EVERYTHING).start()
    decoding.advance(scores)
    with pytest.raises(UsageError, match="expected a decoder made with is_silence"):
        _ = decoding.trailing_silence
    decoding.finish()
    with pytest.raises(SpeechError, match="expected an utterance in progress"):
        decoding.update()
    with pytest.raises(SpeechError, match="expected an utterance in progress"):
        _ = decoding.final_relative_cost
    with pytest.raises(UsageError, match=r"expected bool .*, found int64 \[5\]"):
        Decoder(arcs.graph(), PDFS, is_silence=np.zeros(5, dtype=np.int64))
