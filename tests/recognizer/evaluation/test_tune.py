"""Tuning: the grid finds what single runs find, and its choice ends up in model.toml."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

import toy
from recognizer import Recognizer, RescoringOptions
from recognizer.data.corpora.corpus import Corpus, read_corpus
from recognizer.data.errors import SpeechError, UsageError
from recognizer.evaluation.calibrate import calibrate, write_scale
from recognizer.evaluation.evaluate import evaluate
from recognizer.evaluation.tune import Grid, tune, write_choice
from recognizer.model.bundle import ModelBundle

SAID = {"v1": "go right now", "v2": "now write", "v3": "left stop", "v4": "now write left"}
GRID = Grid((0.1, 0.3), (0.5, 1.0, 2.0), (-1.0, 0.0, 2.0))


@pytest.fixture
def dev_set(tmp_path: Path) -> Corpus:
    directory = tmp_path / "toydev"
    directory.mkdir()
    for name, text in SAID.items():
        soundfile.write(directory / f"{name}.flac", toy.whistle(text), 16000)
    for file, column in (("wav.scp", "{0}.flac"), ("text", "{1}"), ("utt2spk", "s")):
        lines = [f"{name} {column.format(name, text.upper())}\n" for name, text in SAID.items()]
        (directory / file).write_text("".join(lines))
    return read_corpus(directory)


@pytest.fixture
def model(toy_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(toy_model, tmp_path / "model"))


def test_every_point_is_what_evaluation_finds(model, dev_set):
    tuning = tune([dev_set, replace(dev_set, name="again")], model, GRID)
    assert tuning.data == ("toydev", "again")
    assert len(tuning.points) == 18
    config = ModelBundle(model).config
    for point in tuning.points[::5]:
        chosen = replace(tuning, points=(point,))
        assert write_choice(model, chosen).rescoring == point.rescoring
        recognizer = Recognizer(model)
        assert recognizer.search == replace(config.search, acoustic_scale=point.acoustic_scale)
        assert recognizer.rescoring == point.rescoring
        evaluation = evaluate(dev_set, str(model) + "/." * (1 + tuning.points.index(point)))
        assert point.counts == (evaluation.rescored, evaluation.rescored)
        assert tuning.first_pass[point.search][0] == evaluation.first_pass


def test_the_best_point_is_taken_and_recorded(model, dev_set):
    tuning = tune([dev_set], model, GRID, jobs=2)
    assert tuning.best.wer == min(point.wer for point in tuning.points) == 0.0
    assert tuning.best.rescoring == RescoringOptions(1.0, 0.0)  # of many perfect ones, the plain
    config = write_choice(model, tuning)
    assert config == ModelBundle(model).config
    assert config.search.acoustic_scale == tuning.best.acoustic_scale
    assert config.record["tuning_result"]["data"] == ["toydev"]
    assert config.record["tuning_result"]["wer"] == [0.0]
    table = tuning.table().splitlines()
    assert table[0] == "| acoustic scale | LM scale | penalty | pass | toydev | mean |"
    assert len(table) == 2 + 2 + 18
    assert sum("| first |" in row for row in table) == 2


def test_the_command(command, model, dev_set, tmp_path):
    data = dev_set.utterances[0].audio.parent
    before = (model / "model.toml").read_text()
    options = ["--acoustic-scales", "0.2", "--lm-scales", "1,1.5", "--penalties", "0"]
    dry = command("recognizer", "tune", model, data, *options, "--dry-run")
    assert (dry.code, dry.err) == (0, "")
    assert dry.out.splitlines() == [
        f"%WER 0.00 [ 0 / 10, 0 ins, 0 del, 0 sub ] {data}",
        "acoustic scale 0.2, LM scale 1, word insertion penalty 0",
    ]
    assert (model / "model.toml").read_text() == before
    ran = command("recognizer", "tune", model, data, *options, "--table", tmp_path / "t.md")
    assert ran.out.splitlines()[-1].startswith("confidence scale ")
    config = ModelBundle(model).config
    assert config.search.acoustic_scale == 0.2
    assert config.record["calibration_result"]["words"] == 10
    assert (tmp_path / "t.md").read_text().startswith("| acoustic scale |")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--lm-scales", "a"], 2, "expected numbers separated by commas, found 'a'"),
        (["--lm-scales", "0"], 2, "lm_scales: expected numbers above 0"),
        (["--penalties", "1,1"], 2, "word_insertion_penalties: expected distinct values"),
    ],
)
def test_wrong_grids_are_one_line(command, model, dev_set, arguments, code, message):
    ran = command("recognizer", "tune", model, dev_set.utterances[0].audio.parent, *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err
    assert ran.err.count("\n") == 1


def test_nothing_to_tune_on(model, dev_set):
    with pytest.raises(UsageError, match="expected a development set"):
        tune([], model)
    with pytest.raises(UsageError, match="acoustic_scales: expected at least one value"):
        Grid(acoustic_scales=())


def test_unreadable_audio_stops_the_tuning(model, dev_set):
    dev_set.utterances[1].audio.unlink()
    with pytest.raises(SpeechError, match=r"v2\.flac: no such file"):
        tune([dev_set], model, GRID)


def test_the_confidence_scale_fits_the_words_that_were_right(model, dev_set):
    """Where words are what they seem, surer is truer; where they are not, less sure is."""
    good = calibrate([dev_set], model, (0.25, 0.5, 1.0))
    assert (good.words, good.best) == (10, 1.0)
    assert good.cross_entropy[1.0] < good.cross_entropy[0.25]
    swapped = {"write": "RIGHT", "right": "WRITE"}
    spoilt = [
        replace(u, text=" ".join(swapped.get(word, word) for word in u.words)) for u in dev_set
    ]
    bad = calibrate([replace(dev_set, utterances=tuple(spoilt))], model, (0.25, 0.5, 1.0), jobs=2)
    assert bad.best == 0.25
    assert bad.normalized[0.25] > bad.normalized[1.0]
    assert write_scale(model, bad) == ModelBundle(model).config
    assert ModelBundle(model).config.lattice.confidence_scale == 0.25
    with pytest.raises(UsageError, match="expected development sets"):
        calibrate([], model)
