"""The recipes that this package ships: what their stages check before the first one runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from places import ROOT
from recognizer.data.errors import SpeechError
from recognizer.data.io.options import from_table, read_toml
from recognizer.experiments.options import TablesExperiment
from recognizer.model.files import DEFAULT_MODEL
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


def network_stages(stages: list[Stage]) -> list[Stage]:
    """Those that train: their checks need no corpora."""
    found = [stage for stage in stages if stage.name.startswith("network")]
    assert found
    return found


@pytest.mark.parametrize("name", BUILDING)
def test_networks_of_recipes_can_be_trained(name: str, tmp_path: Path) -> None:
    for stage in network_stages(recipe_stages(read_recipe(name), tmp_path, tmp_path / "work")):
        stage.check()


@pytest.mark.parametrize("name", RETRAINING)
def test_networks_that_are_retrained_fit_the_model(name: str, tmp_path: Path) -> None:
    path = FOLDER / f"{name}.toml"
    made = from_table(RetrainRecipe, read_toml(path), str(path))
    for stage in network_stages(retrain_stages(made, tmp_path, tmp_path / "work")):
        stage.check()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiments_are_well_formed(name: str) -> None:
    path = FOLDER / f"{name}.toml"
    assert from_table(TablesExperiment, read_toml(path), str(path))


def test_a_network_of_another_shape_than_its_start_is_refused_at_once(tmp_path: Path) -> None:
    text = (FOLDER / "mini_librispeech_pieces.toml").read_text(encoding="utf-8")
    (tmp_path / "wrong.toml").write_text(text.replace("layers = 3", "layers = 2"))
    recipe = read_recipe(str(tmp_path / "wrong.toml"))
    (stage,) = network_stages(recipe_stages(recipe, tmp_path, tmp_path / "work"))
    with pytest.raises(SpeechError, match=r"acoustic\.safetensors: layers: expected 2, found 3"):
        stage.check()
