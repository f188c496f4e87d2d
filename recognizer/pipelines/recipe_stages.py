"""The stages of a recipe, see `recognizer.pipelines.recipe`."""

from __future__ import annotations

from pathlib import Path

from recognizer.data.corpora.corpus import Corpus
from recognizer.data.io.options import to_table
from recognizer.pipelines.development import development_sets, measure_model, tune_model
from recognizer.pipelines.recipe import Recipe
from recognizer.pipelines.recipe_ctc import CtcStages
from recognizer.pipelines.recipe_hybrid import HybridStages
from recognizer.pipelines.recipe_language import LanguageStages
from recognizer.pipelines.semi_supervised import selected_sets, semi_supervised_stages
from recognizer.stages import Stage


def recipe_stages(recipe: Recipe, corpora: Path, work: Path, *, jobs: int = 1) -> list[Stage]:
    """All stages of a recipe.

    Args:
        recipe: what is made.
        corpora: directory of the corpora and texts that the recipe names.
        work: parent of the stages' directories.
        jobs: processes or threads, where a stage can use several.
    """
    sets = (*recipe.training, *selected_sets(recipe.untranscribed, work))
    language = LanguageStages(recipe, sets, corpora, work, jobs)
    stages = semi_supervised_stages(recipe.untranscribed, recipe.rules, corpora, work, jobs=jobs)
    if recipe.kind == "ctc":
        stages += CtcStages(recipe, sets, language, corpora, work, jobs).stages()
    else:
        stages += language.stages()
        stages += HybridStages(recipe, sets, language, corpora, work, jobs).stages()

    def development() -> list[Corpus]:
        return development_sets(recipe.tuning.data, corpora)

    def check() -> None:
        development()

    def tune(directory: Path) -> None:
        tune_model(work / "model", development(), recipe.tuning.grid, directory, jobs=jobs)

    def evaluate(directory: Path) -> None:
        measure_model(work / "model", development(), directory, jobs=jobs)

    tuning = to_table(recipe)["tuning"]
    return [
        *stages,
        Stage("tune", tuning, ("model",), tune, "tuning on development sets", check),
        Stage("evaluate", {}, ("tune",), evaluate, "measuring on development sets"),
    ]
