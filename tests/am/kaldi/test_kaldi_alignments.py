"""Kaldi's alignments as phones and pdf-ids in time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kaldi_archives import write_int_vectors
from places import KALDI
from recognizer.am.kaldi.alignments import kaldi_alignment, phone_starts, read_kaldi_alignments
from recognizer.am.kaldi.model import KaldiTransitions, read_kaldi_transitions, read_symbols
from recognizer.data.alignments.alignment import Segment
from recognizer.data.alignments.exclusions import Exclusions
from recognizer.data.errors import SpeechError

MODEL = read_kaldi_transitions(KALDI / "final.mdl")
CHAIN = read_kaldi_transitions(KALDI / "chain.mdl")
PHONES = read_symbols(KALDI / "phones.txt")


def path_of(
    model: KaldiTransitions, visits: list[tuple[int, list[tuple[int, int]]]], reordered: bool
) -> tuple[np.ndarray, list[int], list[int]]:
    """A legal alignment from phones, each with (pdf, frames) of its states in order.

    Returns the ids, the first frame of each phone and the pdf of each frame, by construction.
    """
    ids: list[int] = []
    starts = []
    pdfs: list[int] = []
    for phone, states in visits:
        starts.append(len(ids))
        for index, (pdf, frames) in enumerate(states):
            of_state = np.flatnonzero((model.pdf == pdf) & (model.phone == phone))
            (loop,) = of_state[model.is_self_loop[of_state]][:1]
            state = model.transition_state[loop]
            arcs = np.flatnonzero((model.transition_state == state) & ~model.is_self_loop)
            last = index == len(states) - 1
            arc = next(a for a in arcs if model.ends_phone[a] == last)
            loops = [int(loop)] * (frames - 1)
            ids += [int(arc), *loops] if reordered else [*loops, int(arc)]
            pdfs += [pdf] * frames
    return np.array(ids, np.int32), starts, pdfs


# Silence that goes through four of its states, then AA_B, K_E (states of other pdfs), AA_B again.
VISITS = [
    (1, [(0, 2), (1, 1), (3, 4), (4, 1)]),
    (3, [(10, 1), (11, 3), (14, 2)]),
    (8, [(15, 1), (17, 1), (18, 5)]),
    (3, [(10, 2), (11, 1), (14, 1)]),
    (3, [(10, 1), (11, 1), (14, 1)]),
]


@pytest.mark.parametrize("reordered", [True, False])
def test_phones_and_pdfs_of_both_orders(reordered: bool) -> None:
    ids, starts, pdfs = path_of(MODEL, VISITS, reordered)
    assert phone_starts(ids, MODEL).tolist() == starts
    found = kaldi_alignment("u", ids, MODEL, PHONES)
    assert [round(phone.start * 100) for phone in found.phones] == starts
    assert [phone.label for phone in found.phones[:2]] == ["SIL", "AA_B"]
    assert found.phones[-1].label == found.phones[-2].label == "AA_B"
    frames = [
        int(state.label)
        for state in found.states
        for _ in range(round((state.end - state.start) * 100))
    ]
    assert frames == pdfs
    assert len(found.states) == sum(len(states) for _, states in VISITS)
    assert found.end == pytest.approx(len(ids) / 100) and found.words == ()


def test_random_paths() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        choice = [VISITS[i] for i in rng.integers(0, len(VISITS), rng.integers(1, 6))]
        visits = [
            (phone, [(pdf, int(rng.integers(1, 4))) for pdf, _ in states])
            for phone, states in choice
        ]
        for reordered in (True, False):
            ids, starts, _ = path_of(MODEL, visits, reordered)
            if any(frames > 1 for _, states in visits for _, frames in states):
                assert phone_starts(ids, MODEL).tolist() == starts


def test_chain_models_frames_are_longer_and_loops_have_pdfs_of_their_own() -> None:
    loop = {p: int(np.flatnonzero((CHAIN.phone == p) & CHAIN.is_self_loop)[0]) for p in (1, 3)}
    ids = np.array([loop[1] + 1, loop[1], loop[1], loop[3] + 1, loop[3] + 1], np.int32)
    found = kaldi_alignment("u", ids, CHAIN, PHONES, 0.03)
    assert found.phones == (
        Segment("SIL", 0.0, 0.09), Segment("AA_B", 0.09, 0.12), Segment("AA_B", 0.12, 0.15),
    )  # fmt: skip
    assert [state.label for state in found.states] == ["0", "1", "4", "4"]


def test_archives_and_alignments_of_other_models(tmp_path: Path) -> None:
    ids, _, _ = path_of(MODEL, VISITS, True)
    path = tmp_path / "ali.1.gz"
    write_int_vectors(path, {"u": ids, "other": [1, 999], "middle": [2, 50], "v": ids[:11]})
    exclusions = Exclusions()
    found = list(read_kaldi_alignments(path, MODEL, PHONES, exclusions=exclusions))
    assert [one.utterance for one in found] == ["u", "v"]
    assert exclusions.counts == {"alignments of another model": 2}
    assert "other: frame 1: expected a transition-id of 1..116, found 999" in exclusions.lines()[1]
    assert "middle: frame 1: expected phone 1 to go on, found phone" in exclusions.lines()[2]
    with pytest.raises(SpeechError, match=r"ali\.1\.gz: other: frame 1"):
        list(read_kaldi_alignments(path, MODEL, PHONES))
    with pytest.raises(SpeechError, match="expected a name of each phone, found none of 1"):
        kaldi_alignment("u", ids, MODEL, {3: "AA_B"})
    assert kaldi_alignment("u", ids[:0], MODEL, PHONES).phones == ()
