"""`recognizer alignments`: one line each for what is wrong, a count of all, other formats."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kaldi_archives import write_int_vectors
from places import KALDI
from recognizer.alignment.sources import AlignmentSource
from recognizer.cli.main import main
from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.alignments.textgrid import write_textgrid


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["recognizer", "alignments", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two utterances of a second, and TextGrids: one too long, one of nothing, one good."""
    data = tmp_path / "data"
    data.mkdir()
    for name in ("good", "long"):
        soundfile.write(data / f"{name}.wav", np.zeros(16_000, np.float32), 16_000)
    (data / "wav.scp").write_text("good good.wav\nlong long.wav\n")
    (data / "text").write_text("good me\nlong me\n")
    (tmp_path / "grids").mkdir()
    for name, end in (("good", 1.0), ("long", 1.5), ("silent", 1.0)):
        word, phone = Segment("me", 0.25, end), Segment("M", 0.25, end)
        grid = Alignment(name, (word,), (Segment("sil", 0.0, 0.25), phone))
        write_textgrid(grid, tmp_path / "grids" / f"{name}.TextGrid")
    return tmp_path


def test_one_line_for_what_is_wrong(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    grids, data = corpus / "grids", corpus / "data"
    for gone, expected in [
        (None, "long: expected an end by 1.000 s, found 1.500 s"),
        ("long", f"silent: expected an utterance of {data}, found none"),
    ]:
        if gone:
            (grids / f"{gone}.TextGrid").unlink()
        assert call(monkeypatch, grids, "--data", data) == 1
        said = capsys.readouterr()
        assert said.err.count("\n") == 1 and expected in said.err and said.out == ""
    (corpus / "a.map").write_text("sil SIL\n")
    assert call(monkeypatch, grids, "--phone-map", corpus / "a.map") == 1
    assert "good: at 0.25 s: expected a phone of" in capsys.readouterr().err
    assert call(monkeypatch, grids, "--kind", "praat") == 2


def test_all_that_is_wrong_is_counted(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, corpus / "grids", "--data", corpus / "data", "--skip") == 0
    said = capsys.readouterr()
    assert "1 left out: alignments without audio" in said.err
    assert "1 left out: alignments more than 0.05 s longer than their audio" in said.err
    assert "1 utterances of 1.0 s, read as textgrid" in said.out


@pytest.mark.parametrize("form", ["textgrid", "ctm", "timit", "mlf"])
def test_formats_convert_into_each_other(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    target = corpus / "written"
    before = AlignmentSource(corpus / "grids").alignments()
    arguments = (corpus / "grids", "--output-dir", target, "--format", form)
    assert call(monkeypatch, *arguments) == 0
    assert AlignmentSource(target).kind == form
    assert AlignmentSource(target).alignments() == before


def test_kaldi_becomes_textgrids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "ali"
    directory.mkdir()
    for name in ("final.mdl", "tree", "phones.txt"):
        shutil.copyfile(KALDI / name, directory / name)
    write_int_vectors(directory / "ali.1.gz", {"u": [2, 1, 1]})
    assert call(monkeypatch, directory, "--output-dir", tmp_path / "grids") == 0
    assert "1 states, 1 different" in capsys.readouterr().out
    found = AlignmentSource(tmp_path / "grids").alignments()["u"]
    assert found.phones == (Segment("SIL", 0.0, 0.03),)
