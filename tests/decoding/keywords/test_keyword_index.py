"""Keyword search against the enumeration of all paths of small lattices."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_toys import compact, path_probabilities, word_tree
from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.keywords.index import (
    IndexBuilder,
    IndexedUtterance,
    IndexSettings,
    KeywordIndex,
)
from recognizer.decoding.keywords.postings import lattice_postings
from recognizer.decoding.keywords.search import Occurrences, find, joined, occurrences
from recognizer.decoding.lattice.arc_times import state_times
from recognizer.decoding.lattice.lattice import CompactLattice
from search_toys import SYMBOLS

SETTINGS = IndexSettings(frame_shift=0.01, min_posterior=0.0)
ANY_GAP = 1e6


def index_of(*lattices: CompactLattice, min_posterior: float = 0.0) -> KeywordIndex:
    builder = IndexBuilder(SETTINGS, SYMBOLS)
    for number, lattice in enumerate(lattices):
        times = state_times(lattice)
        postings = lattice_postings(lattice, times, 0.5, 1.0, min_posterior)
        utterance = IndexedUtterance(f"u{number}", "r", 10.0 * number, lattice.num_frames * 0.01)
        builder.add(utterance, postings, lattice.symbols, lattice.num_states)
    return builder.build()


def enumerated(lattice: CompactLattice, words: tuple[str, ...]) -> dict[tuple[int, int], float]:
    """Begin, end and probability of all occurrences of words on all paths."""
    found: Counter[tuple[int, int]] = Counter()
    frames = lattice.state_frames.tolist()
    for path, probability in path_probabilities(lattice, 0.5).items():
        labels = [lattice.symbols[lattice.words[arc]] for arc in path]
        for first in range(len(path) - len(words) + 1):
            if tuple(labels[first : first + len(words)]) == words:
                begin = frames[lattice.sources[path[first]]]
                end = frames[lattice.targets[path[first + len(words) - 1]]]
                found[begin, end] += probability
    return dict(found)


@given(
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3),
    st.lists(st.sampled_from(SYMBOLS[1:]), min_size=1, max_size=3).map(tuple),
)
def test_posteriors_are_sums_over_all_paths(seeds: list[int], words: tuple[str, ...]) -> None:
    lattices = [compact(seed) for seed in seeds]
    found = occurrences(index_of(*lattices), words, ANY_GAP)
    sums: Counter[tuple[int, int, int]] = Counter()
    for row in zip(
        found.utterances.tolist(),
        found.begins.tolist(),
        found.ends.tolist(),
        found.posteriors.tolist(),
        strict=True,
    ):
        sums[row[:3]] += row[3]
    expected = {
        (number, *span): probability
        for number, lattice in enumerate(lattices)
        for span, probability in enumerated(lattice, words).items()
    }
    assert dict(sums) == pytest.approx(expected, abs=1e-6)
    hits = find(index_of(*lattices), words, ANY_GAP)
    for number in range(len(lattices)):
        whole = sum(p for (utterance, *_), p in expected.items() if utterance == number)
        of_utterance = [hit.posterior for hit in hits if hit.utterance == number]
        assert all(0.0 < posterior <= 1.0 for posterior in of_utterance)
        # A path may have a word twice within one hit, which then counts at most once.
        assert sum(of_utterance) <= whole + 1e-6
        if all(posterior < 1.0 for posterior in of_utterance):
            assert sum(of_utterance) == pytest.approx(whole, abs=1e-6)


def test_what_overlaps_is_one_hit_with_the_times_of_the_likeliest() -> None:
    found = Occurrences(
        utterances=np.array([0, 0, 0, 0, 1], dtype=np.int32),
        begins=np.array([10, 12, 30, 19, 10], dtype=np.int32),
        ends=np.array([20, 24, 40, 32, 20], dtype=np.int32),
        posteriors=np.array([0.3, 0.4, 0.2, 0.1, 0.9]),
    )
    hits = [(hit.utterance, hit.begin, hit.end) for hit in joined(found)]
    assert hits == [(0, 12, 24), (0, 30, 40), (1, 10, 20)]
    # The last of the first utterance shares five frames with one and two with the other.
    assert [hit.posterior for hit in joined(found)] == pytest.approx([0.8, 0.2, 0.9])


def test_words_that_touch_are_two_hits() -> None:
    index = index_of(word_tree({(1, 1): 1.0}))
    assert [(hit.begin, hit.end, hit.posterior) for hit in find(index, [SYMBOLS[1]])] == [
        (0, 1, 1.0),
        (1, 2, 1.0),
    ]


def test_words_of_a_phrase_may_be_only_so_far_apart() -> None:
    lattice = word_tree({(1, 2): 0.75, (1, 3): 0.25})
    times = state_times(lattice)
    times = replace(times, begins=times.begins * 20, ends=times.begins * 20 + 10)
    builder = IndexBuilder(SETTINGS, SYMBOLS)
    postings = lattice_postings(lattice, times, 1.0)
    builder.add(IndexedUtterance("u", "u", 0.0, 1.0), postings, lattice.symbols, lattice.num_states)
    index, words = builder.build(), SYMBOLS[1:3]
    assert find(index, words, 0.09) == ()
    (hit,) = find(index, words, 0.1)
    assert (hit.begin, hit.end, hit.posterior) == (0, 30, pytest.approx(0.75))


def test_what_cannot_be_found_is_not_found() -> None:
    index = index_of(compact(1))
    for words in (["nowhere"], [SYMBOLS[1], "nowhere"], ["nowhere", SYMBOLS[1]], [SYMBOLS[0]]):
        assert find(index, words) == ()
    with pytest.raises(UsageError, match="expected at least one word"):
        find(index, [])
    with pytest.raises(UsageError, match="max_gap"):
        find(index, [SYMBOLS[1]], -0.1)


def test_unlikely_arcs_are_left_out() -> None:
    lattice = word_tree({(1, 2): 0.95, (3,): 0.05})
    assert len(index_of(lattice).postings) == 3
    index = index_of(lattice, min_posterior=0.1)
    assert len(index.postings) == 2
    assert find(index, [SYMBOLS[3]]) == ()
    assert find(index, SYMBOLS[1:3])[0].posterior == pytest.approx(0.95)


def test_lattices_with_other_words_have_their_own_ids() -> None:
    first = word_tree({(1,): 1.0})
    second = replace(word_tree({(1, 2): 1.0}), symbols=("<eps>", "new", SYMBOLS[1]))
    index = index_of(first, second)
    assert index.symbols == (*SYMBOLS, "new")
    assert [hit.utterance for hit in find(index, [SYMBOLS[1]])] == [0, 1]
    assert [hit.utterance for hit in find(index, ["new", SYMBOLS[1]])] == [1]


def test_an_index_is_read_back_as_it_was(tmp_path: Path) -> None:
    made = index_of(compact(1), compact(2))
    made.write(tmp_path / "index")
    made.write(tmp_path / "index")  # in its own place
    again = KeywordIndex.open(tmp_path / "index")
    assert (again.settings, again.utterances) == (made.settings, made.utterances)
    assert again.duration == pytest.approx(0.08)
    for number in range(1, len(SYMBOLS)):
        assert find(again, [SYMBOLS[number]]) == find(made, [SYMBOLS[number]])
        assert find(again, SYMBOLS[1:3], ANY_GAP) == find(made, SYMBOLS[1:3], ANY_GAP)


def test_faulty_indexes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a directory with an index, found none"):
        KeywordIndex.open(tmp_path / "none")
    with pytest.raises(SpeechError, match=r"expected an index .*found no index\.json"):
        KeywordIndex.open(tmp_path)
    index_of(compact(1)).write(tmp_path)
    index_of(compact(1), compact(2)).write(tmp_path / "other")
    whole = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for name, content, message in (
        ("index.json", b"{", r"index\.json:1: expected JSON"),
        ("index.json", b'{"kind": "keyword-index", "version": 1}', "expected"),
        ("utterances.tsv", b"u0\tr\t0\n", r"utterances\.tsv:1: expected utterance, recording"),
        ("utterances.tsv", b"", "do not go together"),
        ("words.txt", b"a b c\n", r"words\.txt:1: expected a word and the id 0"),
        ("words.txt", b"a 0\n", "do not go together"),
        ("postings", b"", "expected a file of kind 'keyword-index'"),
        ("postings", (tmp_path / "other" / "postings").read_bytes(), "do not go together"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SpeechError, match=message):
            KeywordIndex.open(tmp_path)
        (tmp_path / name).write_bytes(whole[tmp_path / name])
    KeywordIndex.open(tmp_path)


def test_impossible_additions_are_refused() -> None:
    lattice = compact(1)
    postings = lattice_postings(lattice, state_times(lattice), 1.0)
    builder = IndexBuilder(SETTINGS, SYMBOLS)
    with pytest.raises(SpeechError, match="expected utterances, found none"):
        builder.build()
    builder.add(IndexedUtterance("u", "u", 0.0, 1.0), postings, lattice.symbols, lattice.num_states)
    with pytest.raises(SpeechError, match="expected each once"):
        builder.add(
            IndexedUtterance("u", "u", 0.0, 1.0), postings, lattice.symbols, lattice.num_states
        )
    with pytest.raises(SpeechError, match="without tabs"):
        builder.add(
            IndexedUtterance("a\tb", "u", 0.0, 1.0), postings, lattice.symbols, lattice.num_states
        )
    with pytest.raises(UsageError, match="frame_shift"):
        IndexSettings(frame_shift=0.0)
    with pytest.raises(UsageError, match="min_posterior"):
        IndexSettings(frame_shift=0.01, min_posterior=1.0)
