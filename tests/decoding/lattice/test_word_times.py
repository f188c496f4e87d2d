from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError
from recognizer.decoding.lattice.lattice import BestPath
from recognizer.decoding.lattice.word_times import word_times
from spoken_toys import PHONES, TOPOLOGY, TRANSITIONS, tids_of

WORDS = {"a": ["AH"], "but": ["B", "AH", "T"], "tub": ["T", "AH", "B"], "<unk>": ["SPN"]}


def path_of(words: list[str], tids: list[int], *, complete: bool = True) -> BestPath:
    return BestPath(
        words=tuple(words),
        word_ids=np.zeros(len(words), dtype=np.int32),
        tids=np.array(tids, dtype=np.int32),
        graph_cost=0.0,
        acoustic_cost=0.0,
        complete=complete,
    )


def spoken(word: str, length: int) -> list[int]:
    return [
        tid
        for phone in PHONES.word_phones(WORDS[word])
        for tid in tids_of(phone, [length] + [1] * (TOPOLOGY.num_states(phone) - 1))
    ]


SILENCE = PHONES.optional_silence
items = st.tuples(st.sampled_from(["", *WORDS]), st.integers(1, 4))


@given(st.lists(items, max_size=8))
def test_words_begin_and_end_where_they_were_put(sequence: list[tuple[str, int]]) -> None:
    tids: list[int] = []
    words = []
    for word, length in sequence:
        begin = len(tids)
        if not word:
            tids += tids_of(SILENCE, [length, 1, length, 1, 1])
            continue
        tids += spoken(word, length)
        words.append((word, begin, len(tids)))
    path = path_of([word for word, _, _ in words], tids)
    assert word_times(path, TRANSITIONS, PHONES) == tuple(words)


def test_a_word_that_is_cut_off_ends_with_the_path() -> None:
    whole, cut = spoken("a", 2), spoken("but", 2)[:6]
    path = path_of(["a", "but"], whole + cut, complete=False)
    assert word_times(path, TRANSITIONS, PHONES) == (("a", 0, 4), ("but", 4, 10))
    # The graph had not given the second word's name yet, or already that of a third.
    path = path_of(["a"], whole + cut, complete=False)
    assert word_times(path, TRANSITIONS, PHONES) == (("a", 0, 4),)
    path = path_of(["a", "but", "a"], whole + cut, complete=False)
    assert word_times(path, TRANSITIONS, PHONES)[2] == ("a", 10, 10)


def test_no_frames_are_no_words() -> None:
    assert word_times(path_of([], []), TRANSITIONS, PHONES) == ()
    with pytest.raises(SpeechError, match="expected 1 words in the transition-ids, found 0"):
        word_times(path_of(["a"], []), TRANSITIONS, PHONES)


def phone(name: str) -> list[int]:
    return tids_of(PHONES.id(name), [1, 1, 1])


@pytest.mark.parametrize(
    ("words", "tids", "message"),
    [
        (["a", "a"], spoken("a", 1), "expected 2 words in the transition-ids, found 1"),
        (["but"], spoken("but", 1)[:4], "frame 0 that does not end"),
        (["a"], spoken("a", 1)[1:], "frame 0: expected the start of a phone"),
        (["a"], phone("AH_I"), "frame 0: expected the start of a word or silence, found AH_I"),
        (["a"], phone("AH_B") + phone("T_S"), "frame 3: .* within a word, found T_S"),
        (["a"], phone("AH_B") + tids_of(SILENCE, [1]), "frame 3: .* within a word, found SIL"),
        (["a"], [0], "frame 0: expected a transition-id of 1..108, found 0"),
        (["a"], [10**6], "frame 0: .* found 1000000"),
    ],
)
def test_paths_that_are_not_words_are_refused(
    words: list[str], tids: list[int], message: str
) -> None:
    with pytest.raises(SpeechError, match=message):
        word_times(path_of(words, tids), TRANSITIONS, PHONES)
