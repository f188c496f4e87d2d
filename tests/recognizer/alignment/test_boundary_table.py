"""The table of boundary errors: `benchmarks.alignment.models`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import toy
from benchmarks.alignment.boundaries import (
    boundary_errors,
    summary,
    word_boundary_errors,
    word_edge_errors,
)
from places import ROOT
from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.audio.reading import SAMPLE_RATE

TEXTS = ("go left", "stop now", "go right now write stop")


def segments(*labelled: tuple[str, float, float]) -> list[Segment]:
    return [Segment(*one) for one in labelled]


def test_edges_of_words_from_their_phones() -> None:
    reference = segments(("SIL", 0.0, 0.1), ("AH", 0.1, 0.2), ("B", 0.2, 0.4), ("K", 0.4, 0.5))
    phones = segments(("SIL", 0.0, 0.13), ("AH", 0.13, 0.19), ("B", 0.19, 0.42), ("T", 0.42, 0.6))
    words = segments(("ab", 0.13, 0.42), ("t", 0.42, 0.6))
    found = Alignment("u", tuple(words), tuple(phones))
    assert word_edge_errors(reference, found) == pytest.approx([0.03, 0.02])


def test_errors_of_boundaries_by_hand() -> None:
    reference = segments(("SIL", 0.0, 0.1), ("AH", 0.1, 0.2), ("B", 0.2, 0.4), ("K", 0.4, 0.5))
    found = segments(("SIL", 0.0, 0.13), ("AH", 0.13, 0.19), ("B", 0.19, 0.4), ("T", 0.4, 0.6))
    # No boundary with a phone that the other does not have.
    assert boundary_errors(reference, found) == pytest.approx([0.03, -0.01])
    # Words: their starts and their ends, each.
    errors = word_boundary_errors(reference[1:3], found[1:3])
    assert errors == pytest.approx([0.03, -0.01, -0.01, 0.0])
    figures = summary(np.array([0.03, -0.01, 0.02, 0.0]))
    assert figures == pytest.approx(
        {
            "median_ms": 15.0,
            "mean_ms": 15.0,
            "p90_ms": 27.0,
            "p99_ms": 29.7,
            "bias_ms": 10.0,
            "within_20_ms": 0.75,
            "within_50_ms": 1.0,
        }
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The toy model with an output every 10 ms, and every 30 ms."""
    root = tmp_path_factory.mktemp("models")
    return toy.build(root / "10ms"), toy.build(root / "30ms", subsampling=3)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    directory.mkdir()
    for index, text in enumerate(TEXTS):
        soundfile.write(directory / f"{index}.wav", toy.whistle(text), SAMPLE_RATE)
    keys = range(len(TEXTS))
    (directory / "wav.scp").write_text("".join(f"u{k} {directory}/{k}.wav\n" for k in keys))
    (directory / "text").write_text("".join(f"u{k} {TEXTS[k]}\n" for k in keys))
    return directory


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.alignment.models", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_outputs_every_30_ms_beside_every_10_ms(
    models: tuple[Path, Path], data: Path, tmp_path: Path, command
) -> None:
    fine, coarse = models
    aligned = tmp_path / "aligned"
    assert command("recognizer", "align", data, "--model", fine, "--output-dir", aligned).code == 0
    figures = tmp_path / "figures.json"
    # The reference as a model, and as the files that it writes: the same.
    for reference in (fine, aligned):
        done = run(data, "--reference", reference, "--models", fine, coarse, "--json", figures)
        assert done.returncode == 0, done.stderr
        rows = json.loads(figures.read_text())["rows"]
        assert [(row["model"], row["tier"]) for row in rows] == [
            (str(model), tier) for model in models for tier in ("words", "phones")
        ]
        for row in rows:
            assert row["utterances"] == 3 and row["failed"] == 0
            assert row["compared"] == row["boundaries"]
            words = sum(len(text.split()) for text in TEXTS)
            phones = sum(len(toy.WORDS[word].split()) for text in TEXTS for word in text.split())
            if row["tier"] == "words":
                assert row["boundaries"] == 2 * words
            else:  # silence at both ends and between words
                assert row["boundaries"] == phones + words
        assert all(row["mean_ms"] == row["p99_ms"] == 0 for row in rows[:2])
        assert not [row for row in rows[2:] if not 0 < row["mean_ms"] < row["p99_ms"] <= 30]
        assert all(row["within_50_ms"] == 1 for row in rows)


def test_a_reference_of_other_speech(models: tuple[Path, Path], data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in ("words", "phones"):
        (other / f"{name}.ctm").write_text("someone 1 0.10 0.20 stop\n")
    done = run(data, "--reference", other, "--models", models[0])
    assert done.returncode != 0
    assert "expected boundaries of words that the reference has, too, found none" in done.stderr
