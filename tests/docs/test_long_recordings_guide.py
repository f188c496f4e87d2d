"""The examples of docs/guides/long-recordings.md run, with a made recording and a toy model."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import toy
from pages import DOCS, fenced_blocks
from recognizer.long.segmentation import SegmentationOptions
from recognizer.model import bundle

PAGE = (DOCS / "guides" / "long-recordings.md").read_text(encoding="utf-8")
SENTENCES = ["go left", "stop now", "now write"] * 12


@pytest.fixture(scope="module")
def toy_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.build(tmp_path_factory.mktemp("guide") / "model")


@pytest.fixture
def lecture(toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The recording that the page is about; its words."""
    pause = np.zeros(toy.RATE, np.float32)
    parts = [part for text in SENTENCES for part in (toy.whistle(text), pause)]
    soundfile.write(tmp_path / "lecture.mp3", np.concatenate(parts), toy.RATE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bundle, "DEFAULT_MODEL", toy_model)
    return " ".join(SENTENCES).split()


def test_python_examples(lecture: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    blocks = list(fenced_blocks(PAGE, "python"))
    assert len(blocks) == 3
    for block in blocks:
        exec(compile(block, "long-recordings.md", "exec"), {})
        said = re.findall(r"[a-z]+", capsys.readouterr().out)
        assert said == lecture


def test_commands(
    lecture: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from recognizer.cli.recognize import main

    lines = re.findall(r"^    (recognize .*)$", PAGE, re.MULTILINE)
    assert lines
    for line in lines:
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        said = re.findall(r"[a-z]+", capsys.readouterr().out)
        assert said == lecture


def test_the_page_tells_the_defaults() -> None:
    options = SegmentationOptions()
    for value, sentence in (
        (options.smoothing, "averaged over {} s"),
        (options.long_silence, "silence of {} s after"),
        (options.min_length, "after {} s, or"),
        (options.max_silence, "any silence of {} s"),
        (options.max_length, "else, at {} s,"),
        (options.min_silence, "at least {} s"),
        (options.overlap, "share {} s on"),
        (options.padding, "{} s of silence stay"),
    ):
        assert sentence.format(f"{value:g}") in PAGE.replace("\n", " ")
