"""States, phones and words of a path, against a path that is written out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from align_toys import PHONES, context_tree, small_topology, standard_aligner
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.data.errors import SpeechError
from recognizer.decoding.lattice.segments import (
    path_segments,
    phone_segments,
    state_segments,
    word_spans,
)


def path_of(
    visits: list[tuple[str, int, int, int]], model: TransitionModel, pdf: dict[tuple[int, int], int]
) -> np.ndarray:
    """Transition-ids of visits: phone, HMM state, index of the forward arc, frames."""
    tids: list[int] = []
    for name, state, arc, frames in visits:
        phone = PHONES.id(name)
        forward = model.transition_id(phone, state, pdf[phone, state], arc)
        tids += [forward, *[int(model.self_loop[forward])] * (frames - 1)]
    return np.array(tids, dtype=np.int32)


def test_segments_are_those_of_a_path_written_by_hand() -> None:
    model = TransitionModel(small_topology(), PHONES, context_tree().tuples())
    pdf = {(phone, state): number for phone, state, number in model.tuples}
    visits = [
        ("SIL", 0, 1, 3), ("SIL", 1, 1, 2), ("A_B", 0, 1, 1), ("B_I", 0, 1, 4), ("B_E", 0, 1, 2),
        ("C_S", 0, 1, 1), ("C_S", 0, 1, 5), ("SIL", 0, 2, 2), ("SPN_S", 0, 2, 1),
    ]  # fmt: skip
    tids = path_of(visits, model, pdf)
    found = path_segments(tids, ("one", "two", "three", "four"), model, PHONES)
    ends = np.cumsum([frames for *_, frames in visits]).tolist()
    assert [(s.start, s.end) for s in found.states] == list(zip([0, *ends[:-1]], ends, strict=True))
    for segment, (name, state, arc, _) in zip(found.states, visits, strict=True):
        phone = PHONES.id(name)
        assert (segment.phone, segment.hmm_state, segment.pdf) == (phone, state, pdf[phone, state])
        assert segment.transition_id == model.transition_id(phone, state, segment.pdf, arc)
    assert [(s.symbol, s.start, s.end) for s in found.phones] == [
        ("SIL", 0, 5), ("A_B", 5, 6), ("B_I", 6, 10), ("B_E", 10, 12), ("C_S", 12, 13),
        ("C_S", 13, 18), ("SIL", 18, 20), ("SPN_S", 20, 21),
    ]  # fmt: skip
    assert [(s.word, s.start, s.end) for s in found.words] == [
        ("one", 5, 12), ("two", 12, 13), ("three", 13, 18), ("four", 20, 21),
    ]  # fmt: skip


def test_what_the_aligner_finds_covers_every_frame_once() -> None:
    aligner, model = standard_aligner()
    rng = np.random.default_rng(5)
    words = ("ab", "c", "zzz", "a")
    for frames in (25, 40, 80):
        scores = rng.normal(scale=9.0, size=(frames, model.num_pdfs)).astype(np.float32)
        path = aligner.path(words, scores)
        found = aligner.segments(words, path)
        for tier in (found.states, found.phones):
            assert [s.start for s in tier] == [0, *(s.end for s in tier[:-1])]
            assert tier[-1].end == frames
        for state in found.states:
            assert (model.pdf[path.tids[state.start : state.end]] == state.pdf).all()
        starts = {s.start for s in found.states}
        assert {s.start for s in found.phones} <= starts
        assert {s.start for s in found.words} <= {s.start for s in found.phones}
        assert [s.word for s in found.words] == list(words)


@pytest.mark.parametrize(
    ("visits", "words", "message"),
    [
        ([("A_B", 0, 1, 2)], ("w",), "found one from frame 0 that does not end"),
        ([("B_E", 0, 1, 2)], ("w",), "frame 0: expected the start of a word or silence, found B_E"),
        ([("A_B", 0, 1, 2), ("SIL", 0, 2, 1)], ("w",), "frame 2: expected a phone within a word"),
        ([("A_B", 0, 1, 1), ("C_S", 0, 1, 1)], ("w",), "frame 1: expected a phone within a word"),
        ([("C_S", 0, 1, 1)], ("v", "w"), "expected a path of 2 words, found 1"),
    ],
)
def test_paths_that_are_no_words_are_errors(
    visits: list[tuple[str, int, int, int]], words: tuple[str, ...], message: str
) -> None:
    model = TransitionModel(small_topology(), PHONES, context_tree().tuples())
    pdf = {(phone, state): number for phone, state, number in model.tuples}
    with pytest.raises(SpeechError, match=message):
        path_segments(path_of(visits, model, pdf), words, model, PHONES)


def test_transition_ids_that_begin_nothing_are_errors() -> None:
    model = TransitionModel(small_topology(), PHONES, context_tree().tuples())
    loop = np.flatnonzero(model.is_self_loop).astype(np.int32)[:1]
    unknown = np.array([model.num_transition_ids + 1], dtype=np.int32)
    for tids in (loop, unknown):
        with pytest.raises(SpeechError, match="frame 0"):
            state_segments(tids, model)
        with pytest.raises(SpeechError, match="frame 0"):
            phone_segments(tids, model, PHONES)
    none = np.zeros(0, dtype=np.int32)
    assert path_segments(none, (), model, PHONES).words == ()
    assert word_spans((), PHONES) == []
