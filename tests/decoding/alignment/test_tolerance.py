"""Tolerant alignment: against all paths of a small world, and where the truth is known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from align_toys import (
    BREAK,
    LEXICON,
    PHONES,
    SIL,
    Item,
    best_score,
    context_tree,
    small_topology,
    standard_aligner,
)
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.contexts import convert_alignment
from recognizer.am.tree.decision_tree import monophone_tree
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.lexicon.lexicon import Pronunciation
from recognizer.decoding.alignment.align import Aligner, AlignmentError, AlignOptions
from recognizer.decoding.alignment.tolerance import GARBAGE, PhoneLoop, Tolerance
from recognizer.decoding.graph.options import GraphOptions

LOOSE = Tolerance(skip_cost=0.7, garbage_cost=0.4, phone_cost=0.3)


Way = tuple[tuple[Item, ...], float, tuple[int, ...]]  # items, score, words as `spoken`


def ways(
    words: tuple[str, ...], tolerance: Tolerance, silence: float, frames: int
) -> Iterator[Way]:
    """Everything that may be said for a transcript, from the definition of tolerance."""
    loop = [PHONES.variants(base)[-1] for base in PHONES.base_phones]

    def boundary(
        i: int, items: tuple[Item, ...], score: float, spoken: tuple[int, ...]
    ) -> Iterator[Way]:
        if sum(item != BREAK for item in items) > frames:
            return
        for pause in (False, True):
            here = (*items, Item(SIL)) if pause else items
            total = score + float(np.log(silence if pause else 1 - silence))
            if i == len(words):
                yield here, total, spoken
            else:
                entries = (
                    LEXICON[words[i]]
                    if words[i] in LEXICON
                    else (Pronunciation(words[i], ("SPN",)),)
                )
                for entry in entries:
                    said = tuple(map(Item, PHONES.word_phones(entry.phones)))
                    log_prob = float(np.log(entry.probability))
                    yield from boundary(i + 1, (*here, *said), total + log_prob, (*spoken, i))
                skip = total - tolerance.skip_cost
                yield from boundary(i + 1, (*here, BREAK), skip, spoken)
            yield from garbage(i, (*here, BREAK), total - tolerance.garbage_cost, spoken)

    def garbage(
        i: int, items: tuple[Item, ...], score: float, spoken: tuple[int, ...]
    ) -> Iterator[Way]:
        if sum(item != BREAK for item in items) >= frames:
            return
        for phone in loop:
            longer = (*items, Item(phone, garbage=True))
            total = score - tolerance.phone_cost
            yield from boundary(i, (*longer, BREAK), total, (*spoken, -1))
            yield from garbage(i, longer, total, spoken)

    yield from boundary(0, (), 0.0, ())


def pieces(spoken: tuple[int, ...], items: tuple[Item, ...]) -> tuple[int, ...]:
    """`spoken` as the aligner tells it: garbage that goes on is one word."""
    words = iter(index for index in spoken if index >= 0)
    found: list[int] = []
    before = False
    for item in items:
        if item == BREAK:
            continue
        if item.garbage and not before:
            found.append(-1)
        elif not item.garbage and PHONES.position(item.phone) in ("B", "S"):
            found.append(next(words))
        before = item.garbage
    return tuple(found)


@pytest.mark.parametrize(
    ("words", "draws"), [(("a",), 3), (("ab",), 3), (("c", "a"), 2), (("zzz",), 3), ((), 3)]
)
def test_the_best_of_everything_that_may_be_said(words: tuple[str, ...], draws: int) -> None:
    tree = context_tree()
    model = TransitionModel(small_topology(), PHONES, tree.tuples())
    options = AlignOptions(acoustic_scale=0.5, graph=GraphOptions(silence_probability=0.3))
    aligner = Aligner(LEXICON, PHONES, tree, model, options, LOOSE)
    every = {}  # the best of those that say the same phones
    for items, score, spoken in ways(words, LOOSE, 0.3, 3):
        if items not in every or score > every[items][0]:
            every[items] = (score, spoken)
    rng = np.random.default_rng(len(words))
    departures = 0
    for _ in range(draws):
        scores = rng.normal(scale=3.0, size=(3, tree.num_pdfs)).astype(np.float32)
        totals = {
            items: score + best_score(items, scores, tree, model)
            for items, (score, _) in every.items()
        }
        best = max(totals, key=totals.__getitem__)
        found = aligner.path(words, scores)
        assert found.log_prob == pytest.approx(totals[best], abs=1e-3)
        assert found.spoken == pieces(every[best][1], best)
        assert aligner.path(words, lambda pdfs, s=scores: s[:, pdfs]).spoken == found.spoken
        departures += found.spoken != tuple(range(len(words)))
        labels = [segment.word for segment in aligner.segments(words, found).words]
        assert labels == [GARBAGE if i < 0 else words[i] for i in found.spoken]
    assert departures > 0


def heard(model: TransitionModel, spoken: list[tuple[str, int]]) -> np.ndarray:
    """Scores ``[T, num_pdfs]`` of base phones for so many frames each."""
    rows = []
    for base, frames in spoken:
        row = np.full(model.num_pdfs, -60.0, dtype=np.float32)
        row[[pdf for phone, _, pdf in model.tuples if PHONES.base(phone) == base]] = 0.0
        rows += [row] * frames
    return np.array(rows)


A, B, C, PAUSE = ("A", 6), ("B", 5), ("C", 7), ("SIL", 8)


@pytest.mark.parametrize(
    ("words", "spoken", "expected"),
    [
        # as it is written
        ("ab a", [A, B, A], [(0, 0, 11), (1, 11, 17)]),
        # a word skipped: at the start, in the middle, at the end, two in a row
        ("c ab a", [A, B, A], [(1, 0, 11), (2, 11, 17)]),
        ("ab c a", [A, B, A], [(0, 0, 11), (2, 11, 17)]),
        ("ab a c", [A, B, A], [(0, 0, 11), (1, 11, 17)]),
        ("ab c c a", [A, B, PAUSE, A], [(0, 0, 11), (3, 19, 25)]),
        # garbage: at the start, in the middle, at the end, around a pause
        ("c", [A, B, C], [(-1, 0, 11), (0, 11, 18)]),
        ("c c", [C, B, A, C], [(0, 0, 7), (-1, 7, 18), (1, 18, 25)]),
        ("c", [C, PAUSE, B, A], [(0, 0, 7), (-1, 15, 26)]),
        ("c c", [C, A, PAUSE, B, C], [(0, 0, 7), (-1, 7, 13), (-1, 21, 26), (1, 26, 33)]),
        # one word in place of another; nothing right; nothing said; nothing written
        ("c a c", [C, B, C], [(0, 0, 7), (-1, 7, 12), (2, 12, 19)]),
        ("c c", [B, A, B], [(-1, 0, 16)]),
        ("ab c a", [PAUSE], []),
        ("", [PAUSE, A, C], [(-1, 8, 21)]),
    ],
)
def test_departures_are_found_where_the_truth_is_known(
    words: str, spoken: list[tuple[str, int]], expected: list[tuple[int, int, int]]
) -> None:
    aligner, model = standard_aligner(Tolerance())
    transcript = tuple(words.split())
    path = aligner.path(transcript, heard(model, spoken))
    found = aligner.segments(transcript, path)
    assert [
        (index, segment.start, segment.end)
        for index, segment in zip(path.spoken, found.words, strict=True)
    ] == expected
    said = {index for index, *_ in expected}
    assert path.skipped(transcript) == tuple(set(range(len(transcript))) - said)
    bases = [PHONES.base(segment.phone) for segment in found.phones]
    assert [base for base in bases if base != "SIL"] == [
        base for base, _ in spoken if base != "SIL"
    ]
    # What is called the path's transition-ids is one: every phone has the pdfs of its context.
    again = convert_alignment(path.tids, model, model, monophone_tree(PHONES, model.topology))
    np.testing.assert_array_equal(again, path.tids)


def test_a_transcript_without_departures_is_aligned_as_without_tolerance() -> None:
    strict, model = standard_aligner()
    tolerant, _ = standard_aligner(Tolerance())
    words = ("ab", "c", "a", "ab")
    scores = heard(model, [A, B, C, PAUSE, A, C])
    scores += np.random.default_rng(1).normal(size=scores.shape)  # no two paths alike
    expected, found = strict.path(words, scores), tolerant.path(words, scores)
    np.testing.assert_array_equal(found.tids, expected.tids)
    assert found.log_prob == pytest.approx(expected.log_prob, abs=1e-3)
    assert found.spoken == expected.spoken == (0, 1, 2, 3)


def test_long_stretches_that_were_not_said_are_skipped() -> None:
    """The way past them lies beyond the beam: only the second search, without one, finds it."""
    aligner, model = standard_aligner(Tolerance(beam=8.0))
    words = ("ab", "c", *["zzz"] * 30, "a", "c")
    path = aligner.path(words, heard(model, [A, B, C, PAUSE, A, C]))
    assert path.spoken == (0, 1, len(words) - 2, len(words) - 1)


def test_audio_shorter_than_its_transcript() -> None:
    tolerant, model = standard_aligner(Tolerance())
    strict, _ = standard_aligner()
    words = ("ab",) * 9
    scores = heard(model, [A, B, A, B])
    with pytest.raises(AlignmentError, match=r"expected at least the 27 frames .*found 22"):
        strict.path(words, scores)
    path = tolerant.path(words, scores)
    assert len(path.spoken) == 2 and len(path.skipped(words)) == 7
    with pytest.raises(AlignmentError, match=r"no path .* in 2 frames"):
        tolerant.path(words, scores[:2])
    with pytest.raises(SpeechError, match="at least one frame"):
        tolerant.path(words, scores[:0])


def test_garbage_scores_as_the_average_of_a_states_pdfs() -> None:
    tree = context_tree()
    model = TransitionModel(small_topology(), PHONES, tree.tuples())
    loop = PhoneLoop(PHONES, model)
    rng = np.random.default_rng(3)
    scores = rng.normal(scale=5.0, size=(4, tree.num_pdfs)).astype(np.float32) - 2000.0
    added = loop.scores(scores)
    assert loop.num_labels == model.num_transition_ids + len(loop.columns)
    for column, tid in zip(loop.columns, loop.transition_ids, strict=True):
        phones = PHONES.variants(PHONES.base(int(model.phone[tid])))
        state = model.hmm_state[tid]
        pdfs = sorted({pdf for p, s, pdf in model.tuples if p in phones and s == state})
        likelihoods = np.exp(scores[:, pdfs].astype(np.float64) + 2000.0)
        expected = np.log(likelihoods.mean(axis=1)) - 2000.0
        np.testing.assert_allclose(added[:, column], expected, atol=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_no_numbers_are_errors(bad: float) -> None:
    aligner, model = standard_aligner(Tolerance())
    scores = heard(model, [A, B])
    scores[3] = bad
    with np.errstate(invalid="ignore"), pytest.raises(SpeechError, match="finite"):
        aligner.path(("ab",), scores)
    with pytest.raises(SpeechError, match="expected \\[T, "):
        aligner.path(("ab",), scores[:, 1:])


@pytest.mark.parametrize(
    "options", [{"skip_cost": -1.0}, {"garbage_cost": np.nan}, {"phone_cost": -0.1}, {"beam": 0.0}]
)
def test_impossible_tolerance_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        Tolerance(**options)
