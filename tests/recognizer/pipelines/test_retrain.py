"""A model's network trained anew, all else staying as it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands_run import Ran
from recognizer.am.nnet.adaptation import mixed_networks
from recognizer.am.nnet.network_file import read_network
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.options import from_table, read_toml
from recognizer.model.bundle import ModelBundle
from recognizer.pipelines.acoustic.options import AcousticOptions
from recognizer.pipelines.recipe import find_recipe
from recognizer.pipelines.retrain import RetrainRecipe, RetrainSet, RetrainTuning

pytest.importorskip("torch", reason="training needs torch")

# All that was trained counts here: a voice that is learnt in two passes needs the whole step.
RECIPE = """
share = 1
model = "{model}"
name = "babble again"
[[training]]
data = "train"
licence = "CC0-1.0"
[acoustic]
speeds = [1.0, 0.9]
precision = "int8"
[acoustic.training]
epochs = 2
streams = 8
learning_rate = 1e-3
final_learning_rate = 5e-4
held_out_fraction = 0.1
threads = 1
tensorboard = false
[tuning]
data = ["dev"]
[tuning.grid]
acoustic_scales = [0.1]
lm_scales = [1.0]
word_insertion_penalties = [0.0]
[search]
beam = 12.0
"""


@pytest.fixture(scope="module")
def retrained(
    made: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """The old model and the work directory of its retraining."""
    from recognizer.pipelines.retrain import retrain_stages
    from recognizer.stages import run_stages

    corpora, old = made[0], made[1] / "model"
    root = tmp_path_factory.mktemp("retrain")
    path = root / "recipe.toml"
    path.write_text(RECIPE.format(model=old))
    recipe = from_table(RetrainRecipe, read_toml(path), str(path))
    run_stages(retrain_stages(recipe, corpora, root / "work"), root / "work")
    return old, root / "work"


def test_only_the_network_is_another(retrained: tuple[Path, Path]) -> None:
    old, work = retrained
    before, after = ModelBundle(old), ModelBundle(work / "model")
    after.check()
    for name, record in after.config.files.items():
        same = name != "acoustic.safetensors"
        assert (record == before.config.files[name]) == same, name
    assert after.config.name == "babble again"
    assert after.config.licence == before.config.licence
    assert after.config.search.beam == 12.0
    assert after.config.acoustic.precision == "int8"
    assert after.acoustic_model.network.precision == "int8"  # type: ignore[attr-defined]
    assert [one.name for one in after.config.training_data] == ["train", "text.txt"]
    assert [one["name"] for one in after.config.record["retrained"]] == ["babble again"]
    assert after.config.record["name"] == "babble"  # how the old one was made


def test_training_goes_on_from_the_old_network(retrained: tuple[Path, Path]) -> None:
    old, work = retrained
    before = read_network(old / "acoustic.safetensors")
    after = read_network(work / "model" / "acoustic.safetensors")
    for name, tensor in before.tensors.items():
        if name.endswith("weight") or ".w_" in name:
            moved = np.abs(after.tensors[name] - tensor).mean()
            assert 0 < moved < 0.3 * np.abs(tensor).mean(), name
    assert after.metadata["training"]["held_out"]["accuracy"] > 0.5


def test_smbr_needs_the_models_own_network(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("fresh = true\n" + RECIPE.format(model="english") + "[smbr]\n")
    with pytest.raises(SpeechError, match="smbr: expected the model's own network to go on from"):
        from_table(RetrainRecipe, read_toml(path), str(path))


def test_a_share_of_the_new_weights(retrained: tuple[Path, Path]) -> None:
    old, work = retrained
    before = read_network(old / "acoustic.safetensors")
    after = read_network(work / "model" / "acoustic.safetensors")
    mixed = mixed_networks(before, after, 0.25)
    for name, tensor in mixed.tensors.items():
        if name == "log_priors":
            np.testing.assert_array_equal(tensor, after.log_priors)
        else:
            mean = 0.75 * before.tensors[name] + 0.25 * after.tensors[name]
            np.testing.assert_allclose(tensor, mean, rtol=1e-6)
    assert mixed.metadata["share"] == 0.25


def test_smbr_over_the_models_own_lattices(
    made: tuple[Path, Path], retrained: tuple[Path, Path], tmp_path: Path
) -> None:
    from recognizer.pipelines.retrain import retrain_stages
    from recognizer.stages import run_stages

    old, done = retrained
    work, path = tmp_path / "work", tmp_path / "recipe.toml"
    for stage in ("align", "features"):
        shutil.copytree(done / stage, work / stage)
    path.write_text(
        RECIPE.format(model=old).replace("epochs = 2", "epochs = 1") + "[smbr.criterion]\n"
        "cross_entropy = 0.2\n"
    )
    recipe = from_table(RetrainRecipe, read_toml(path), str(path))
    run_stages(retrain_stages(recipe, made[0], work), work)
    before, after = ModelBundle(old), ModelBundle(work / "model")
    after.check()
    metadata = after.network.metadata
    assert metadata["smbr"]["criterion"] == {"acoustic_scale": 0.1, "cross_entropy": 0.2}
    np.testing.assert_array_equal(after.network.log_priors, before.network.log_priors)
    weights = [name for name in before.network.tensors if name.endswith("weight")]
    assert weights
    for name in weights:
        assert not np.array_equal(after.network.tensors[name], before.network.tensors[name])
    # The share of frames that are expected to be right, in lattices that hold wrong words too.
    assert metadata["training"]["held_out"]["accuracy"] > 0.5
    assert after.config.results[0].wer < 15.0


def test_the_model_holds_the_mean(
    made: tuple[Path, Path], retrained: tuple[Path, Path], tmp_path: Path
) -> None:
    from recognizer.pipelines.retrain import retrain_stages
    from recognizer.stages import run_stages

    old, done = retrained
    work, path = tmp_path / "work", tmp_path / "recipe.toml"
    shutil.copytree(done, work)
    path.write_text(RECIPE.format(model=old).replace("share = 1", "share = 0.25"))
    recipe = from_table(RetrainRecipe, read_toml(path), str(path))
    run_stages(retrain_stages(recipe, made[0], work), work, last="model")
    trained = (work / "network" / "acoustic.safetensors").read_bytes()
    assert trained == (done / "network" / "acoustic.safetensors").read_bytes()
    before, new, mean = (
        read_network(directory / "acoustic.safetensors")
        for directory in (old, work / "network", work / "model")
    )
    expected = mixed_networks(before, new, 0.25)
    assert mean.metadata == expected.metadata
    assert "held_out" not in mean.metadata["training"]
    for name, tensor in expected.tensors.items():
        np.testing.assert_array_equal(mean.tensors[name], tensor)
    made_with = ModelBundle(work / "model").config.record["retrained"][-1]
    assert made_with["share"] == 0.25
    assert made_with["acoustic"]["features"]["num_bins"] == before.options.input_dim
    assert made_with["acoustic"]["network"]["cells"] == before.options.cells
    assert "tree" not in made_with["acoustic"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"share": 0.0}, "share: expected a number in"),
        ({"share": 1.5}, "share: expected a number in"),
        ({"share": 0.5, "fresh": True}, "share: expected 1 with a fresh"),
        ({"share": 0.5, "deepen": 1}, "share: expected 1 with a fresh or a deeper"),
        (
            {"share": 0.5, "acoustic": AcousticOptions(priors="posteriors")},
            'acoustic.priors: expected "labels" with a share below 1, found "posteriors"',
        ),
        ({"deepen": -1}, "deepen: expected a number of layers >= 0, found -1"),
        ({"deepen": 1, "fresh": True}, "deepen: expected 0 with a fresh network, found 1"),
    ],
)
def test_options_that_exclude_each_other(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        RetrainRecipe(RetrainTuning(("dev",)), (RetrainSet("train", ""),), **wrong)


def test_training_goes_on_with_a_deeper_network(made: tuple[Path, Path], tmp_path: Path) -> None:
    from recognizer.pipelines.retrain import retrain_stages
    from recognizer.stages import run_stages

    path = tmp_path / "recipe.toml"
    text = RECIPE.format(model=made[1] / "model").replace("epochs = 2", "epochs = 6")
    text = text.replace("[acoustic]\n", '[acoustic]\nstorage = "float16"\n')
    path.write_text(f"deepen = 1\n{text}")
    recipe = from_table(RetrainRecipe, read_toml(path), str(path))
    work = tmp_path / "work"
    run_stages(retrain_stages(recipe, made[0], work), work, last="model")
    before = ModelBundle(made[1] / "model").network
    after = ModelBundle(work / "model").network
    sizes = [(work / name / "acoustic.safetensors").stat().st_size for name in ("network", "model")]
    assert sizes[1] < 0.6 * sizes[0]
    assert after.options.layers == before.options.layers + 1
    start = read_network(work / "network" / "initial.safetensors")
    for name, tensor in after.tensors.items():
        if name in before.tensors and name != "log_priors":
            np.testing.assert_array_equal(start.tensors[name], before.tensors[name])
        if ".w_" in name:
            assert (tensor != start.tensors[name]).any()
    assert after.metadata["training"]["held_out"]["accuracy"] > 0.5


def test_the_model_is_compared_with_the_one_before(retrained: tuple[Path, Path]) -> None:
    old, work = retrained
    table = (work / "compare" / "comparison.md").read_text().splitlines()
    (row,) = [line.split(" | ") for line in table[2:]]
    assert row[:2] == ["| own", "dev"]
    before = json.loads((work / "compare" / "before" / "dev" / "result.json").read_text())
    assert row[4] == f"{before['wer']:.2f} ({before['errors']})"
    assert before["wer"] == pytest.approx(ModelBundle(old).config.results[0].wer, abs=1e-3)
    (now,) = ModelBundle(work / "model").config.results
    assert row[5].startswith(f"{now.wer:.2f} (")
    assert not (work / "compare" / "after").exists()  # as it was measured already


def test_it_recognises_its_language(retrained: tuple[Path, Path]) -> None:
    _, work = retrained
    (now,) = ModelBundle(work / "model").config.results
    assert now.data == "dev"
    assert now.wer < 15.0
    assert (work / "tune" / "tuning.md").exists()


def test_a_network_of_another_shape_needs_a_fresh_start(
    made: tuple[Path, Path], tmp_path: Path, command: Callable[..., Ran]
) -> None:
    path = tmp_path / "recipe.toml"
    recipe = RECIPE.format(model=made[1] / "model")
    recipe += "[acoustic.network]\nlayers = 1\ncells = 32\nprojection = 16\n"
    path.write_text(recipe)
    where = ("--corpora", made[0], "--work", tmp_path / "work")
    ran = command("recognizer", "retrain", path, *where)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "acoustic.network: expected nothing: it is the model's own" in ran.err
    path.write_text("fresh = true\n" + recipe)
    ran = command("recognizer", "retrain", path, *where, "--until", "network")
    assert ran.code == 0, ran.err
    network = read_network(tmp_path / "work" / "network" / "acoustic.safetensors")
    assert network.options.cells == 32


def test_what_the_data_lack_is_not_forgotten(made: tuple[Path, Path], tmp_path: Path) -> None:
    """States of a phone that the new speech never says can still be recognised afterwards."""
    from recognizer.pipelines.retrain import retrain_stages
    from recognizer.stages import run_stages

    corpora, old = made[0], ModelBundle(made[1] / "model")
    few = tmp_path / "corpora"
    few.mkdir()
    (few / "dev").symlink_to(corpora / "dev")
    lines = (corpora / "train" / "text").read_text().splitlines()
    chosen = [line.split()[0] for line in lines if "moose" not in line.lower()]
    (few / "train").mkdir()
    for name in ("wav.scp", "text", "utt2spk"):
        rows = (corpora / "train" / name).read_text().splitlines()
        kept = [row for row in rows if row.split()[0] in chosen]
        if name == "wav.scp":
            kept = [
                f"{key} {(corpora / 'train' / audio).resolve()}"
                for key, audio in (row.split(maxsplit=1) for row in kept)
            ]
        (few / "train" / name).write_text("".join(f"{row}\n" for row in kept))
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(model=old.path))
    recipe = from_table(RetrainRecipe, read_toml(path), str(path))
    work = tmp_path / "work"
    run_stages(retrain_stages(recipe, few, work), work, last="network")
    before = old.network
    after = read_network(work / "network" / "acoustic.safetensors")
    of_phone = old.transitions.pdf[
        np.isin(old.transitions.phone, [old.phones.id(f"UW_{place}") for place in "BIES"])
    ]
    only = set(of_phone.tolist()) - set(
        old.transitions.pdf[
            ~np.isin(old.transitions.phone, [old.phones.id(f"UW_{place}") for place in "BIES"])
        ].tolist()
    )
    known = [pdf for pdf in only if before.log_priors[pdf] < 0]
    assert known
    assert (after.log_priors[known] < 0).all()
    seen = after.log_priors < 0
    assert np.exp(after.log_priors[seen], dtype=float).sum() == pytest.approx(1.0, abs=1e-4)
    np.testing.assert_array_equal(after.tensors["input.mean"], before.tensors["input.mean"])


def test_the_models_own_directory_is_no_work_directory(
    made: tuple[Path, Path], tmp_path: Path, command: Callable[..., Ran]
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(model=made[1] / "model"))
    ran = command("recognizer", "retrain", path, "--corpora", made[0], "--work", made[1])
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "expected a work directory that does not hold the model" in ran.err
    assert (made[1] / "model" / "model.toml").exists()


def test_a_fresh_start_is_another_training(made: tuple[Path, Path], tmp_path: Path) -> None:
    from dataclasses import replace

    from recognizer.pipelines.retrain import retrain_stages
    from recognizer.stages import stages_done

    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(model=made[1] / "model"))
    recipe = from_table(RetrainRecipe, read_toml(path), str(path))
    on, fresh = (
        {stage.name: stage for stage in retrain_stages(one, made[0], tmp_path)}
        for one in (recipe, replace(recipe, fresh=True))
    )
    assert on["network"].options != fresh["network"].options
    assert on["align"].options == fresh["align"].options
    assert not stages_done(list(on.values()), tmp_path)


def test_sets_of_the_same_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    twice = RECIPE.replace(
        "[acoustic]\n", '[[training]]\ndata = "train/"\nlicence = ""\n[acoustic]\n'
    )
    path.write_text(twice.format(model="english"))
    with pytest.raises(SpeechError, match="expected sets of distinct names, found 'train' twice"):
        from_table(RetrainRecipe, read_toml(path), str(path))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("[acoustic.tree]\nnum_leaves = 50", "acoustic.tree: expected nothing"),
        ("[acoustic.features]\nnum_bins = 23", "acoustic.features: expected nothing"),
        ("[acoustic]\nrealign = 1", "acoustic.realign: expected nothing"),
        (
            '[[training]]\ndata = "first"\nlicence = ""\nbootstrap = true',
            "first: bootstrap: expected nothing: there is no flat start",
        ),
    ],
)
def test_what_is_the_models_own_is_not_an_option(wrong: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    head = RECIPE.format(model="english").split("[acoustic]")[0]
    path.write_text(head + '[tuning]\ndata = ["dev"]\n' + wrong)
    with pytest.raises(SpeechError, match=message):
        from_table(RetrainRecipe, read_toml(path), str(path))


def test_a_model_that_is_not_there(
    made: tuple[Path, Path], tmp_path: Path, command: Callable[..., Ran]
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(model=tmp_path / "none"))
    ran = command("recognizer", "retrain", path, "--corpora", made[0], "--work", tmp_path / "work")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "expected a model directory" in ran.err


def test_the_built_in_recipe_goes_on_from_the_shipped_aligner() -> None:
    path = find_recipe("english_retrained")
    recipe = from_table(RetrainRecipe, read_toml(path), str(path))
    assert recipe.model == "exp/english_aligner"  # of recognizer model aligner
    assert not recipe.fresh
    assert "mini-librispeech/train" in [one.data for one in recipe.training]
