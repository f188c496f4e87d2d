"""Whole models from recipes: what the commands ``recognizer recipe`` and ``retrain`` do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from recognizer.data.io.options import from_table, read_toml
from recognizer.pipelines.recipe import find_recipe, read_recipe
from recognizer.pipelines.recipe_stages import recipe_stages
from recognizer.pipelines.retrain import RetrainRecipe, retrain_stages
from recognizer.stages import run_stages


def build_model(
    recipe: str | Path,
    corpora: str | Path,
    work: str | Path,
    *,
    first: str | None = None,
    last: str | None = None,
    jobs: int = 1,
) -> Path:
    """Build a model directory from corpora and text, stage by stage.

    Stages that are done with the same options are skipped: a run that was interrupted goes on where
    it was when it is called again.

    Args:
        recipe: the name of a built-in recipe, or a TOML file.
        corpora: the directory that the recipe's paths are relative to.
        work: each stage writes into a directory of its own below this one.
        first: run this stage and what follows even if done.
        last: stop after this stage.
        jobs: processes and threads.

    Returns:
        The model directory, ``work/model``; it is complete unless `last` ended the work before.

    Raises:
        UsageError: no such recipe or stage, or an impossible option.
        SpeechError: a stage failed; names the file and the fault.
    """
    work = Path(work)
    stages = recipe_stages(read_recipe(str(recipe)), Path(corpora), work, jobs=jobs)
    run_stages(stages, work, first=first, last=last)
    return work / "model"


def retrain_model(
    recipe: str | Path,
    corpora: str | Path,
    work: str | Path,
    *,
    general: Sequence[str] = (),
    first: str | None = None,
    last: str | None = None,
    jobs: int = 1,
) -> Path:
    """Train a model's network anew, on its own alignments; all else of the model stays.

    Arguments, result and errors are those of `build_model`; `recipe` is a TOML file of
    `RetrainRecipe`, or the name of a built-in one. `general` are sets of general speech in place of
    the recipe's, on which both models are compared (`ComparisonOptions.general`).
    """
    work = Path(work)
    path = find_recipe(str(recipe))
    made = from_table(RetrainRecipe, read_toml(path), str(path))
    if general:
        made = replace(made, comparison=replace(made.comparison, general=tuple(general)))
    stages = retrain_stages(made, Path(corpora), work, jobs=jobs)
    run_stages(stages, work, first=first, last=last)
    return work / "model"
