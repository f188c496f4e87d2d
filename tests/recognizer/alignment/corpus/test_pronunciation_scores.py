"""Goodness of pronunciation: each phone and word by what the model hears in its frames."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import toy
from recognizer import align_corpus, read_aligner, read_corpus
from recognizer.alignment.corpus.pronunciation import pronunciation_scores
from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.decoding.alignment.phone_scores import PathScores

SAID = {**toy.WORDS, "raight": "R OW T"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`right` is once said with another vowel."""
    root = tmp_path / "learners"
    root.mkdir()
    for name, text in {"good": "go right now", "bad": "go raight now"}.items():
        soundfile.write(root / f"{name}.wav", toy.whistle(text, words=SAID), 16000)
        (root / f"{name}.lab").write_text("go right now")
    return root


def test_a_phone_that_was_not_said_scores_low(toy_model: Path, folder: Path) -> None:
    aligner, corpus = read_aligner(toy_model, read_corpus(folder), retry_beam=1000.0)
    found = align_corpus(corpus, aligner, jobs=1).pronunciation
    assert [one.segment.label for one in found["bad"]] == ["go", "right", "now"]
    assert all(one.score > -0.1 for one in found["good"])
    right = found["bad"][1]
    # Where nothing fits, the boundaries are where they cost least.
    assert [one.segment.label for one in right.phones] == ["R", "AY", "T"]
    assert (right.phones[1].likeliest, right.phones[2].likeliest) == ("OW", "T")
    assert right.phones[1].score < -3.0 and right.phones[2].score > -0.1
    assert right.score == pytest.approx(np.mean([one.score for one in right.phones]))
    assert right.score < -2.0
    assert all(one.score > -0.1 for one in (found["bad"][0], found["bad"][2]))


def test_the_command_writes_a_table(
    toy_model: Path, folder: Path, tmp_path: Path, command: Callable[..., object]
) -> None:
    out = tmp_path / "out"
    ran = command(
        "recognizer", "align", folder, "--model", toy_model, "--output-dir", out, "--jobs", 1,
        "--retry-beam", 1000, "--pronunciation", "--stress",
    )  # fmt: skip
    assert getattr(ran, "code", None) == 0, getattr(ran, "err", "")
    with (out / "pronunciation.csv").open(encoding="utf-8") as stream:
        table = list(csv.DictReader(stream))
    assert [row["phone"] for row in table if row["utterance"] == "bad"] == (
        ["G", "OW1", "R", "AY1", "T", "N", "AW1"]
    )
    worst = min(table, key=lambda row: float(row["score"]))
    assert (worst["utterance"], worst["word_index"], worst["word"]) == ("bad", "2", "right")
    assert (worst["phone"], worst["likeliest"]) == ("AY1", "OW")


def test_scores_are_means_of_the_frames_of_each_phone() -> None:
    ratios = np.array([0.0, -1.0, -3.0, -5.0, 0.0, -2.0], dtype=np.float32)
    likeliest = np.array([0, 1, 1, 1, 2, 0])
    scores = PathScores(0.0, ratios, np.ones(6, np.bool_), likeliest, ("A", "B", "SIL"))
    alignment = Alignment(
        "u",
        (Segment("ab", 0.01, 0.04), Segment("a", 0.05, 0.06)),
        (
            Segment("SIL", 0.0, 0.01),
            Segment("A", 0.01, 0.02),
            Segment("B", 0.02, 0.04),
            Segment("SIL", 0.04, 0.05),
            Segment("A", 0.05, 0.06),
        ),
    )
    first, second = pronunciation_scores(alignment, scores, 0.01)
    assert [(one.segment.label, one.score, one.likeliest) for one in first.phones] == [
        ("A", -1.0, "B"),
        ("B", -4.0, "B"),
    ]
    assert first.score == -2.5
    assert [one.score for one in second.phones] == [-2.0]
