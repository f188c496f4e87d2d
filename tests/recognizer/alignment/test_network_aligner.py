from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import toy
from recognizer.alignment.network_aligner import NetworkAligner
from recognizer.data.alignments.ctm import read_ctm
from recognizer.data.corpora.corpus import Utterance
from recognizer.model.bundle import ModelBundle


def test_the_network_finds_the_words_of_a_transcript(
    toy_model: Path, whistled: Callable[..., Path]
) -> None:
    text = "go right now write stop left"
    utterance = Utterance("whistled", whistled(text), "whistler", text)
    aligner = NetworkAligner(ModelBundle(toy_model))
    aligned = aligner.align([utterance], jobs=1)
    assert not aligned.failed and not aligned.unknown
    found = aligner.segments(utterance, aligned.found["whistled"])
    assert [s.label for s in found.words] == text.split()
    assert [s.start for s in found.words] == pytest.approx(toy.word_starts(text), abs=0.02)
    spoken = [s.label for s in found.phones if s.label != "SIL"]
    assert spoken == [phone for word in text.split() for phone in toy.WORDS[word].split()]


def test_the_command_aligns_with_a_model_directory(
    toy_model: Path, whistled: Callable[..., Path], tmp_path: Path, command: Callable[..., object]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "wav.scp").write_text(f"u1 {whistled('stop now')}\n")
    (data / "text").write_text("u1 STOP NOW\n")
    ran = command(
        "recognizer", "align", data, "--model", toy_model, "--output-dir", tmp_path / "out"
    )
    assert getattr(ran, "code", None) == 0
    written = read_ctm(tmp_path / "out" / "words.ctm", tmp_path / "out" / "phones.ctm")["u1"]
    assert [s.label for s in written.words] == ["stop", "now"]
    assert [s.start for s in written.words] == pytest.approx(toy.word_starts("stop now"), abs=0.02)
    assert (tmp_path / "out" / "u1.TextGrid").exists()


def test_nothing_is_written_where_no_utterance_can_be_aligned(
    toy_model: Path, tmp_path: Path, command: Callable[..., object]
) -> None:
    (tmp_path / "u1.wav").write_text("This is no audio.\n")
    (tmp_path / "wav.scp").write_text(f"u1 {tmp_path / 'u1.wav'}\n")
    (tmp_path / "text").write_text("u1 STOP NOW\n")
    out = tmp_path / "out"
    ran = command("recognizer", "align", tmp_path, "--model", toy_model, "--output-dir", out)
    assert getattr(ran, "code", None) == 1
    err = getattr(ran, "err", "")
    assert err.startswith(f"recognizer align: u1: {tmp_path / 'u1.wav'}: expected a recording")
    assert err.splitlines()[1].startswith("recognizer align: 0 of 1 utterances aligned")
    assert not list(out.iterdir())
