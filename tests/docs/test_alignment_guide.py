"""The examples of the guide to alignment."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

import toy
from pages import DOCS, fenced_blocks


def test_one_recording_is_aligned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = fenced_blocks((DOCS / "guides" / "alignment.md").read_text("utf-8"), "python")
    audio = tmp_path / "one.wav"
    soundfile.write(audio, toy.whistle("go right now"), 16000)
    exec(block, {"audio": audio, "model": toy.build(tmp_path / "model")})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines] == ["go", "right", "now"]
    assert [float(line.split()[0]) for line in lines] == pytest.approx(
        toy.word_starts("go right now"), abs=0.02
    )
