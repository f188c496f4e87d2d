"""Realignment as stages of a recipe; tests/recognizer/pipelines/test_train.py runs it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from recognizer.am.training.engine.options import TrainingOptions
from recognizer.data.errors import UsageError
from recognizer.pipelines.acoustic.aligned_corpus import AcousticInputs
from recognizer.pipelines.acoustic.options import AcousticOptions
from recognizer.pipelines.acoustic.stages import acoustic_stages, state_stages
from recognizer.pipelines.recipe import read_recipe
from recognizer.pipelines.recipe_stages import recipe_stages
from recognizer.stages import Stage


def nothing() -> AcousticInputs:
    raise AssertionError("nothing runs here")


def by_name(stages: list[Stage]) -> dict[str, Stage]:
    return {stage.name: stage for stage in stages}


def test_each_pass_reads_the_one_before() -> None:
    recipe = read_recipe("mini_librispeech")
    again = replace(recipe.acoustic, realign=2, realign_training=TrainingOptions(epochs=3))
    stages = by_name(recipe_stages(replace(recipe, acoustic=again), Path(), Path()))
    names = [name for name in stages if "network" in name or "realign" in name]
    assert names == ["network_1", "realign_1", "network_2", "realign_2", "network"]
    assert stages["network_1"].after == ("tree", "features")
    assert stages["realign_1"].after == ("tree", "network_1")
    assert stages["network_2"].after == ("tree", "features", "network_1", "realign_1")
    assert stages["network"].after == ("tree", "features", "network_2", "realign_2")
    assert stages["network"].options["training"]["epochs"] == 3
    assert stages["network_1"].options["training"] != stages["network"].options["training"]


def test_without_realignment_there_is_one_network() -> None:
    stages = by_name(recipe_stages(read_recipe("mini_librispeech"), Path(), Path()))
    assert [name for name in stages if "network" in name or "realign" in name] == ["network"]


def test_what_realignment_needs() -> None:
    options = AcousticOptions(realign=1)
    with pytest.raises(UsageError, match="expected a lexicon to align with, found none"):
        acoustic_stages(options, nothing, Path(), inputs=[])
    with pytest.raises(UsageError, match='expected labels = "phones", found "states"'):
        state_stages(options, nothing, Path(), inputs=[])  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="expected a number of passes >= 0, found -1"):
        AcousticOptions(realign=-1)
