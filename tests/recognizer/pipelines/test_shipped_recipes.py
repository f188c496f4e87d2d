"""The recipes that this package ships: what their stages check before the first one runs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from places import ROOT
from recognizer import Recognizer
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.options import from_table, read_toml
from recognizer.decoding.rescoring.rescore import RescoringOptions
from recognizer.experiments.options import TablesExperiment
from recognizer.experiments.run import TablesRun
from recognizer.model.files import DEFAULT_MODEL
from recognizer.model.of_aligner import make_of_aligner
from recognizer.pipelines.recipe import read_recipe
from recognizer.pipelines.recipe_stages import recipe_stages
from recognizer.pipelines.retrain import RetrainRecipe, retrain_stages
from recognizer.stages import Stage

FOLDER = ROOT / "recognizer" / "recipes"
RETRAINING = ("english_deepened", "english_retrained")
EXPERIMENTS = ("paper_tables",)
BUILDING = sorted(
    {path.stem for path in FOLDER.glob("*.toml")} - set(RETRAINING) - set(EXPERIMENTS)
)


@pytest.fixture(autouse=True)
def trainable() -> None:
    """Recipes start from the shipped model, and their networks are torch's."""
    pytest.importorskip("torch", reason="training needs torch")
    if not (DEFAULT_MODEL / "model.toml").is_file():
        pytest.skip(f"no model at {DEFAULT_MODEL}")


@pytest.fixture(scope="module")
def aligner_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with the model that some recipes start from, as they say to make it."""
    directory = tmp_path_factory.mktemp("working")
    model = make_of_aligner(None, directory / "exp" / "english_aligner")
    model.check()
    assert model.alignment is model.recognition
    return directory


@pytest.fixture(autouse=True)
def working_directory(aligner_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(aligner_model)


def test_the_aligner_alone_recognises() -> None:
    recognizer = Recognizer("exp/english_aligner")
    assert recognizer.acoustic_model.output_frame_shift == pytest.approx(0.01)
    said = "she opened the door and looked out into the garden but there was nobody there"
    options = RescoringOptions(lm_scale=1.3, word_insertion_penalty=-0.5)
    tuned = Recognizer(recognizer.bundle, rescoring=options)
    assert tuned.recognize(ROOT / "recognizer" / "samples" / "synthetic.flac").text == said


def test_a_model_without_a_second_network_has_no_aligner_to_take() -> None:
    with pytest.raises(UsageError, match="expected a model with another network for alignment"):
        make_of_aligner("exp/english_aligner", "exp/again")
    assert not Path("exp/again").exists()


def corpora_of(path: Path, root: Path) -> Path:
    """A directory with something by every name that a recipe's file has."""
    table = read_toml(path)
    root.mkdir()
    for one in (*table.get("training", ()), *table.get("untranscribed", ())):
        write_set(root / one["data"])
        if teacher := one.get("teacher"):
            (root / teacher["path"]).mkdir(parents=True)
    for name in (*table.get("tuning", {}).get("data", ()), *table.get("dev", ())):
        write_set(root / name)
    lm = table.get("lm", {})
    noise = table["acoustic"].get("augmentation", {}).get("noise", {})
    patterns = [one for text in (lm, *lm.get("mixed", ())) for one in text.get("text", ())]
    for pattern in (*patterns, *noise.get("clips", ())):
        file = root / pattern.replace("[1-4]", "1").replace("*", "x")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root


def write_set(directory: Path) -> None:
    """A Kaldi data directory with one utterance; a set that is named twice is written twice."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "one.wav").touch()
    for name, value in (("wav.scp", "one.wav"), ("text", "WORDS"), ("utt2spk", "someone")):
        (directory / name).write_text(f"one {value}\n")


def check_all(stages: list[Stage]) -> None:
    for stage in stages:
        stage.check()


def network_stages(stages: list[Stage]) -> list[Stage]:
    """Those that train: their checks need no corpora."""
    found = [stage for stage in stages if stage.name.startswith("network")]
    assert found
    return found


@pytest.mark.parametrize("name", BUILDING)
def test_recipes_pass_all_checks_before_the_first_stage(name: str, tmp_path: Path) -> None:
    table = read_toml(FOLDER / f"{name}.toml")
    if "pieces" in table:
        pytest.importorskip("sentencepiece")
    if "augmentation" in table["acoustic"]:
        pytest.importorskip("pyroomacoustics")
        pytest.importorskip("av")
    corpora = corpora_of(FOLDER / f"{name}.toml", tmp_path / "corpora")
    stages = recipe_stages(read_recipe(name), corpora, tmp_path / "work")
    if importlib.util.find_spec("faster_whisper") is None:
        stages = [stage for stage in stages if stage.name not in ("transcribe", "select")]
    check_all(stages)


@pytest.mark.parametrize("name", RETRAINING)
def test_recipes_of_retraining_pass_all_checks(name: str, tmp_path: Path) -> None:
    path = FOLDER / f"{name}.toml"
    made = from_table(RetrainRecipe, read_toml(path), str(path))
    corpora = corpora_of(path, tmp_path / "corpora")
    check_all(retrain_stages(made, corpora, tmp_path / "work"))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiments_pass_all_checks(name: str, tmp_path: Path) -> None:
    path = FOLDER / f"{name}.toml"
    made = from_table(TablesExperiment, read_toml(path), str(path))
    run = TablesRun(made, corpora_of(path, tmp_path / "corpora"), tmp_path / "work")
    run.check()
    assert len(run.candidates) == len(made.kinds) * len(made.sizes) * len(made.depths)


def test_a_network_of_another_shape_than_its_start_is_refused_at_once(tmp_path: Path) -> None:
    text = (FOLDER / "mini_librispeech_pieces.toml").read_text(encoding="utf-8")
    (tmp_path / "wrong.toml").write_text(text.replace("layers = 3", "layers = 2"))
    recipe = read_recipe(str(tmp_path / "wrong.toml"))
    (stage,) = network_stages(recipe_stages(recipe, tmp_path, tmp_path / "work"))
    with pytest.raises(SpeechError, match=r"acoustic\.safetensors: layers: expected 2, found 3"):
        stage.check()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("chunk = 150", "chunk = 100", "training option chunk: expected a multiple of 3"),
        ("units = 640\nbottleneck", "units = 512\nbottleneck", r"layers\[1\]: .*bypass"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_before_the_first_stage(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    text = (FOLDER / "english_lf_mmi.toml").read_text(encoding="utf-8")
    (tmp_path / "wrong.toml").write_text(text.replace(old, new, 1))
    recipe = read_recipe(str(tmp_path / "wrong.toml"))
    (stage,) = network_stages(recipe_stages(recipe, tmp_path, tmp_path / "work"))
    with pytest.raises(UsageError, match=message):
        stage.check()
