"""Tolerant alignment of real speech with the shipped model, and on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import toy
from recognizer.alignment.network_aligner import NetworkAligner
from recognizer.am.features.fbank import fbank
from recognizer.data.alignments.ctm import read_ctm
from recognizer.data.alignments.textgrid import read_textgrid
from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.corpora.corpus import Utterance, read_corpus
from recognizer.decoding.alignment.align import Aligner
from recognizer.decoding.alignment.tolerance import GARBAGE, Tolerance
from recognizer.decoding.lattice.segments import WordSegment
from recognizer.model.bundle import ModelBundle
from recognizer.model.files import DEFAULT_MODEL

Scored = tuple[Utterance, np.ndarray]


@pytest.fixture(scope="module")
def aligners() -> tuple[Aligner, Aligner]:
    """The shipped model's aligner, strict and tolerant."""
    if not (DEFAULT_MODEL / "model.toml").is_file():
        pytest.skip(f"no model at {DEFAULT_MODEL}")
    network = NetworkAligner(ModelBundle(None))
    return network.aligner(), network.aligner(Tolerance())


def log_likelihoods(samples: np.ndarray) -> np.ndarray:
    model = ModelBundle(None).alignment.acoustic_model
    return model.scores(fbank(samples, model.features))


@pytest.fixture(scope="module")
def scored(aligners: tuple[Aligner, Aligner], corpora: Path) -> list[Scored]:
    """The first utterances of a few seconds, all of whose words are in the lexicon."""
    found = []
    for utterance in read_corpus(corpora / "mini-librispeech" / "dev"):
        known = len(utterance.words) >= 8 and not aligners[0].unknown(utterance.words)
        if known and 3.0 < utterance.duration < 6.0:
            found.append((utterance, log_likelihoods(utterance.samples())))
        if len(found) == 4:
            return found
    pytest.fail("expected four such utterances in mini-librispeech/dev")


@pytest.fixture(scope="module")
def clean(aligners: tuple[Aligner, Aligner], scored: list[Scored]) -> list[Scored]:
    """Those in which nothing but the transcript is found."""
    return [
        (utterance, scores)
        for utterance, scores in scored
        if -1 not in aligners[1].path(utterance.words, scores).spoken
    ]


def words_of(aligner: Aligner, words: tuple[str, ...], scores: np.ndarray) -> list[WordSegment]:
    return list(aligner.segments(words, aligner.path(words, scores)).words)


def near(found: WordSegment, expected: WordSegment, frames: int = 2) -> bool:
    return (
        found.word == expected.word
        and abs(found.start - expected.start) <= frames
        and abs(found.end - expected.end) <= frames
    )


def test_correct_transcripts_are_aligned_as_without_tolerance(
    aligners: tuple[Aligner, Aligner], scored: list[Scored]
) -> None:
    strict, tolerant = aligners
    departing = 0
    for utterance, scores in scored:
        expected = strict.path(utterance.words, scores)
        found = tolerant.path(utterance.words, scores)
        assert found.skipped(utterance.words) == ()
        if found.spoken == expected.spoken:
            np.testing.assert_array_equal(found.tids, expected.tids)
        else:
            departing += 1
    assert departing <= 1  # a breath may well be garbage


def test_a_missing_word_becomes_garbage_and_the_rest_stays(
    aligners: tuple[Aligner, Aligner], clean: list[Scored]
) -> None:
    strict, tolerant = aligners
    for utterance, scores in clean:
        words = utterance.words
        truth = words_of(strict, words, scores)
        lacking = max(range(2, len(words) - 1), key=lambda i, w=words: len(w[i]))
        left = words[:lacking] + words[lacking + 1 :]
        found = words_of(tolerant, left, scores)
        assert [segment.word for segment in found] == [
            *words[:lacking], GARBAGE, *words[lacking + 1 :]
        ]  # fmt: skip
        assert abs(found[lacking].start - truth[lacking].start) <= 8
        assert abs(found[lacking].end - truth[lacking].end) <= 8
        for i in set(range(len(words))) - {lacking - 1, lacking, lacking + 1}:
            assert near(found[i], truth[i])


def test_a_word_too_many_is_skipped_and_the_rest_stays(
    aligners: tuple[Aligner, Aligner], clean: list[Scored]
) -> None:
    strict, tolerant = aligners
    for utterance, scores in clean:
        words = utterance.words
        for at in (0, 3, len(words)):
            more = (*words[:at], "kangaroo", *words[at:])
            path = tolerant.path(more, scores)
            assert path.skipped(more) == (at,)
            truth = words_of(strict, words, scores)
            # A sound beside the word that is not there may become garbage.
            found = [one for one in tolerant.segments(more, path).words if one.word != GARBAGE]
            assert [one.word for one in found] == list(words)
            assert len(tolerant.segments(more, path).words) <= len(words) + 1
            for i in set(range(len(words))) - {at - 1, at}:
                assert near(found[i], truth[i])


def test_half_the_audio_and_none(aligners: tuple[Aligner, Aligner], scored: list[Scored]) -> None:
    strict, tolerant = aligners
    utterance, scores = scored[0]
    words = utterance.words
    truth = words_of(strict, words, scores)
    half = truth[len(words) // 2 - 1].end
    path = tolerant.path(words, np.ascontiguousarray(scores[:half]))
    assert set(path.skipped(words)) >= set(range(len(words) // 2 + 1, len(words)))
    found = tolerant.segments(words, path).words
    assert all(map(near, found[: len(words) // 2 - 1], truth))
    quiet = np.random.default_rng(1).normal(scale=1e-4, size=SAMPLE_RATE).astype(np.float32)
    nothing = tolerant.path(words, log_likelihoods(quiet))
    assert nothing.spoken == () and nothing.skipped(words) == tuple(range(len(words)))


def test_the_pronunciation_is_the_one_that_was_said(aligners: tuple[Aligner, Aligner]) -> None:
    """Scores that are certain of one variant's phones: the aligner takes that one."""
    strict, _ = aligners
    bundle = ModelBundle(None)
    transitions = bundle.alignment.transitions
    variants = bundle.lexicon["either"]
    assert len(variants) > 1
    for entry in variants:
        row = np.full((len(entry.phones) * 6, transitions.num_pdfs), -100.0, np.float32)
        for at, base in enumerate(entry.phones):
            members = [pdf for p, _, pdf in transitions.tuples if bundle.phones.base(p) == base]
            row[at * 6 : at * 6 + 6, members] = 0.0
        found = strict.segments(("either",), strict.path(("either",), row))
        assert tuple(bundle.phones.base(p.phone) for p in found.phones) == entry.phones


def test_the_command_tells_what_departs(
    toy_model: Path, whistled: Callable[..., Path], tmp_path: Path, command: Callable[..., object]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    said = {"u1": "stop now left", "u2": "go right", "u3": "stop left"}
    written = {"u1": "stop go now left", "u2": "go right", "u3": "stop"}
    (data / "wav.scp").write_text(
        "".join(f"{key} {whistled(text, f'{key}.wav')}\n" for key, text in said.items())
    )
    (data / "text").write_text("".join(f"{key} {text}\n" for key, text in written.items()))
    out = tmp_path / "out"
    arguments = "recognizer", "align", data, "--model", toy_model, "--output-dir", out
    # The whistles' scores differ less than those of speech.
    ran = command(*arguments, "--tolerant", "--skip-cost", 1, "--garbage-cost", 1)
    assert getattr(ran, "code", None) == 0
    lines = getattr(ran, "err", "").splitlines()
    assert lines[0] == "recognizer align: u1: word 2, go: skipped"
    assert lines[-1].endswith("; 2 depart from their transcripts")
    departures = json.loads((out / "departures.json").read_text())
    assert departures["u1"] == {"skipped": [{"index": 1, "word": "go"}], "garbage": []}
    assert departures["u3"]["skipped"] == [] and len(departures["u3"]["garbage"]) == 1
    assert sorted(departures) == ["u1", "u3"]
    found = read_ctm(out / "words.ctm", out / "phones.ctm")
    assert [s.label for s in found["u1"].words] == ["stop", "now", "left"]
    assert [s.start for s in found["u1"].words] == pytest.approx(
        toy.word_starts(said["u1"]), abs=0.02
    )
    assert [s.label for s in found["u3"].words] == ["stop", GARBAGE]
    assert found["u3"].words[1].start == pytest.approx(toy.word_starts("stop left")[1], abs=0.03)
    assert found["u3"].phones[-2].label == "T"  # the last one said
    assert [s.label for s in read_textgrid(out / "u3.TextGrid").words] == ["stop", GARBAGE]
    strict = command(*arguments)
    assert getattr(strict, "code", None) == 0


def test_the_command_derives_pronunciations_and_checks_its_options(
    toy_model: Path, whistled: Callable[..., Path], tmp_path: Path, command: Callable[..., object]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "wav.scp").write_text(f"u1 {whistled('left stop')}\n")
    (data / "text").write_text("u1 lefts stop\n")
    arguments = "recognizer", "align", data, "--model", toy_model, "--output-dir", tmp_path / "out"
    without = command(*arguments, "--no-derive")
    assert "found none for 1 of 2 (50.0 %)" in getattr(without, "err", "")
    derived = command(*arguments)
    assert "0 words outside the lexicon" in getattr(derived, "err", "")
    found = read_ctm(tmp_path / "out" / "words.ctm", tmp_path / "out" / "phones.ctm")["u1"]
    assert [s.label for s in found.phones if s.label != "SIL"] == [
        "L", "EH", "T", "S", "S", "T", "AA", "P",
    ]  # fmt: skip
    alone = command(*arguments, "--skip-cost", 3)
    assert getattr(alone, "code", None) == 2
    assert getattr(alone, "err", "") == ("recognizer: --skip-cost: expected --tolerant beside it\n")
    negative = command(*arguments, "--tolerant", "--phone-cost", -1)
    assert getattr(negative, "code", None) == 2
    assert "phone_cost: expected a number >= 0" in getattr(negative, "err", "")
