"""Sets without transcripts in recipes: transcribed, selected, trained on, recorded."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import babble
from babble_recipe import RECIPE
from recognizer.alignment.alignment_file import read_paths
from recognizer.data.corpora.corpus import read_corpus
from recognizer.data.errors import SpeechError
from recognizer.model.config import TeacherRecord, TrainingData
from recognizer.pipelines.recipe import TuningOptions, UntranscribedSet, read_recipe
from recognizer.pipelines.recipe_stages import recipe_stages
from recognizer.pipelines.retrain import RetrainRecipe, retrain_stages
from recognizer.pipelines.semi_supervised import selected_sets, semi_supervised_stages
from recognizer.stages import run_stages
from recognizer.transcription.selection import SelectionOptions
from recognizer.transcription.teachers import TeacherOptions

UNTRANSCRIBED = """
[[untranscribed]]
data = "radio"
licence = "CC0-1.0"
[untranscribed.teacher]
kind = "model"
path = "seed"
[untranscribed.second]
kind = "transcripts"
path = "radio-text"
name = "a listener"
licence = "CC-BY-4.0"
[untranscribed.selection]
min_confidence = 0.3
max_disagreement = 30.0
"""


def speech(corpora: Path, count: int) -> dict[str, str]:
    """An untranscribed set of the made-up language, and what was said in it."""
    rng = np.random.default_rng(11)
    audio = corpora / "radio-audio"
    audio.mkdir()
    made = [babble.utterance(rng, f"radio{i}", audio)[0] for i in range(count)]
    babble.write_data(made, corpora / "radio")
    (corpora / "radio" / "text").unlink()
    text = {one.id: one.text for one in made}
    heard = corpora / "radio-text"
    heard.mkdir()
    # The listener mistakes the last of them.
    known = text | {f"radio{count - 1}": "ash"}
    (heard / "text").write_text("".join(f"{name} {said}\n" for name, said in known.items()))
    return text


def test_a_recipe_trains_on_what_a_seed_model_hears(
    made: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpora = Path(shutil.copytree(made[0], tmp_path / "corpora"))
    shutil.copytree(made[1] / "model", corpora / "seed")
    said = speech(corpora, 6)
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.replace("epochs = 12", "epochs = 1") + UNTRANSCRIBED)
    recipe = read_recipe(str(path))
    # Aligner and text are those of the run without the set, whose stages are done.
    work = Path(shutil.copytree(made[1], tmp_path / "work"))
    stages = recipe_stages(recipe, corpora, work)
    assert [stage.name for stage in stages[:3]] == ["transcribe", "select", "text"]
    run_stages(stages, work, last="model")
    told = capsys.readouterr().err
    assert "radio: 5 of 6 transcripts kept" in told
    assert "radio: 1 dropped: teachers disagree" in told
    assert "flat_start: done before" in told
    assert "radio: 5 of 5 utterances aligned" in told

    (selected,) = selected_sets(recipe.untranscribed, work)
    kept = read_corpus(selected.directory(corpora))
    assert {one.id: one.text for one in kept} == dict(list(said.items())[:-1])

    from recognizer.model.files import read_config

    data = {one.name: one for one in read_config(work / "model").training_data}
    hours = round(sum(one.duration for one in kept) / 3600, 2)
    teacher = TeacherRecord("babble", "CC0-1.0", 6, 5, "a listener")
    assert data["radio"] == TrainingData("radio", "CC0-1.0", hours, 20, teacher)
    assert data["train"].teacher is None
    assert selected.teacher() == teacher

    run_stages(stages, work, last="align")
    assert "select: done before" in capsys.readouterr().err


def test_a_model_learns_from_itself(made: tuple[Path, Path], tmp_path: Path) -> None:
    corpora = Path(shutil.copytree(made[0], tmp_path / "corpora"))
    said = speech(corpora, 6)
    seed = str(made[1] / "model")
    one = UntranscribedSet("radio", "CC0-1.0", TeacherOptions("model", seed))
    recipe = RetrainRecipe(TuningOptions(("dev",)), untranscribed=(one,), model=seed)
    work = tmp_path / "work"
    run_stages(retrain_stages(recipe, corpora, work), work, last="align")
    (selected,) = selected_sets([one], work)
    heard = {utterance.id: utterance.text for utterance in read_corpus(selected.path)}
    assert heard == said
    assert set(read_paths(work / "align" / "radio.safetensors")) == set(said)


def test_an_interrupted_stage_goes_on(tmp_path: Path) -> None:
    said = speech(tmp_path, 4)
    heard = TeacherOptions("transcripts", "radio-text", "a listener", "CC0-1.0")
    limits = SelectionOptions(min_confidence=0.0, min_rate=0.0)
    one = UntranscribedSet("radio", "CC0-1.0", heard, None, limits)
    work = tmp_path / "work"

    def run(chosen: UntranscribedSet) -> None:
        run_stages(semi_supervised_stages([chosen], "english", tmp_path, work), work)

    (tmp_path / "radio-text" / "utt2conf").write_text("nonsense\n")
    with pytest.raises(SpeechError, match="utt2conf:1"):
        run(one)
    (selected,) = selected_sets([one], work)
    assert not selected.path.exists()
    (tmp_path / "radio-text" / "utt2conf").unlink()
    run(one)
    texts = [utterance.text for utterance in read_corpus(selected.path)]
    assert texts == [*list(said.values())[:-1], "ash"]
    # Another limit selects anew, and makes no transcript again.
    made = (work / "transcribe" / "radio.1.jsonl").stat()
    strict = replace(one, selection=replace(limits, min_words=2))
    run(strict)
    assert (work / "transcribe" / "radio.1.jsonl").stat() == made
    assert len(read_corpus(selected.path)) == 3
    assert selected.teacher() == TeacherRecord("a listener", "CC0-1.0", 4, 3)
    nothing = replace(one, selection=replace(limits, min_confidence=0.5))
    with pytest.raises(SpeechError, match=r"radio: 0 of 4 transcripts kept.*low confidence"):
        run(nothing)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"radio"', '"train"', "expected sets of distinct names, found train, train"),
        ("max_disagreement = 30.0", "", "expected both a second teacher and selection.max_disag"),
        ("min_confidence = 0.3", "min_confidence = 3", "min_confidence: expected 0 to 1, found 3"),
        ('kind = "model"', 'kind = "human"', "kind: expected 'model' or 'whisper' or 'transcri"),
        ('path = "seed"', 'path = "seed"\nname = "x"', "name: expected nothing: a model has its"),
    ],
)
def test_bad_recipes(tmp_path: Path, old: str, new: str, expected: str) -> None:
    path = tmp_path / "recipe.toml"
    assert old in UNTRANSCRIBED
    path.write_text(RECIPE + UNTRANSCRIBED.replace(old, new))
    with pytest.raises(SpeechError, match=expected):
        read_recipe(str(path))


def test_all_is_checked_before_the_work(tmp_path: Path) -> None:
    speech(tmp_path, 1)
    heard = TeacherOptions("transcripts", "radio-text", "a listener", "CC0-1.0")
    one = UntranscribedSet("radio", "CC0-1.0", heard)
    for wrong, expected in (
        (replace(one, data="tv"), "tv: no such file or directory"),
        (replace(one, teacher=replace(heard, path="nobody")), "expected the directory of a teach"),
        (replace(one, teacher=replace(heard, licence=None)), "expected its name and licence"),
    ):
        stages = semi_supervised_stages([one, wrong], "english", tmp_path, tmp_path / "work")
        with pytest.raises(SpeechError, match=expected):
            run_stages(stages, tmp_path / "work")
        assert not (tmp_path / "work").exists()


def test_a_damaged_record(tmp_path: Path) -> None:
    one = UntranscribedSet("radio", "CC0-1.0", TeacherOptions("model", "english"))
    (selected,) = selected_sets([one], tmp_path)
    path = selected.path / "teacher.json"
    path.parent.mkdir(parents=True)
    for content, expected in (
        ("{", "teacher.json:1: expected JSON"),
        ('{"kind": "teacher", "version": 1}', "teacher.json: record: expected an object, found No"),
        ('{"kind": "teacher", "version": 1, "record": {}}', "teacher.json: the key 'name' is miss"),
    ):
        path.write_text(content)
        with pytest.raises(SpeechError, match=expected):
            selected.teacher()
