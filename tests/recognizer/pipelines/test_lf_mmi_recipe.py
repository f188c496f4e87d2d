"""A recipe with lattice-free MMI on a made-up language, beside the same with cross-entropy."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from babble_recipe import RECIPE
from recognizer.alignment.network_aligner import NetworkAligner
from recognizer.data.corpora.corpus import read_corpus
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.options import from_table, read_toml
from recognizer.evaluation.phone_errors import evaluate_phones
from recognizer.evaluation.word_alignment import word_error_rate
from recognizer.model.bundle import ModelBundle, write_config
from recognizer.model.summary import network_summary
from recognizer.pipelines.recipe import read_recipe
from recognizer.pipelines.recipe_stages import recipe_stages
from recognizer.pipelines.retrain import RetrainRecipe, retrain_stages
from recognizer.pipelines.smbr_training import SmbrTraining
from recognizer.recognizer import Recognizer
from recognizer.stages import run_stages

pytest.importorskip("torch", reason="training needs torch")

_NETWORK = """
[acoustic.network]
kind = "layered"
mean_window = 300
mean_prior = 5

[[acoustic.network.layers]]
kind = "tdnn"
units = 48
left = 2
right = 2
stride = 3

[[acoustic.network.layers]]
kind = "tdnn"
units = 48
bottleneck = 16
left = 1
right = 1
bypass = 0.66

[[acoustic.network.layers]]
kind = "lstmp"
cells = 32
projection = 16

[acoustic.lf_mmi.phone_model]
extra_states = 100

[graph]
self_loop_scale = 1.0

[acoustic.training]
chunk = 90
"""


_RETRAINING = """
model = "{model}"
[[training]]
data = "train"
licence = "CC0-1.0"
[acoustic]
[acoustic.training]
epochs = 1
learning_rate = 1e-3
final_learning_rate = 5e-4
threads = 1
tensorboard = false
[tuning]
data = ["dev"]
"""


def lf_mmi_recipe() -> str:
    """The recipe of `babble_recipe` with the other criterion, tree and network."""
    begin, end = RECIPE.index("[acoustic.network]"), RECIPE.index("epochs = 12")
    recipe = RECIPE[:begin] + _NETWORK.lstrip() + RECIPE[end:]
    return recipe.replace("min_count = 20.0", "min_count = 20.0\nright_context = false").replace(
        "acoustic_scales = [0.1, 0.2]", "acoustic_scales = [0.5, 1.0]"
    )


@pytest.fixture(scope="module")
def trained(made: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Corpora and work directory; the model of the other recipe aligns, and stays in the model."""
    corpora, before = made
    root = tmp_path_factory.mktemp("lf_mmi")
    for name in ("text", "lm"):
        shutil.copytree(before / name, root / "work" / name)
    path = root / "recipe.toml"
    aligner = f'aligner = "{before / "model"}"\nkeep_aligner = true\n'
    path.write_text(aligner + lf_mmi_recipe().replace("bootstrap = true\n", ""))
    stages = recipe_stages(read_recipe(str(path)), corpora, root / "work")
    run_stages(stages, root / "work")
    return corpora, root / "work"


def test_the_model_recognises_its_language(trained: tuple[Path, Path]) -> None:
    corpora, work = trained
    recognizer = Recognizer(work / "model")
    assert recognizer.bundle.acoustic_model.output_frame_shift == pytest.approx(0.03)
    dev = read_corpus(corpora / "dev")
    answers = [recognizer.recognize(u.audio) for u in dev]
    counts = word_error_rate([u.text.lower() for u in dev], [answer.text for answer in answers])
    assert counts.words == 32
    assert counts.wer < 15.0
    for answer, utterance in zip(answers, dev, strict=True):
        ends = [word.end for word in answer.words]
        assert ends == sorted(ends)
        assert ends[-1] <= utterance.duration + 0.03


def test_the_record_says_what_was_done(trained: tuple[Path, Path]) -> None:
    _, work = trained
    bundle = Recognizer(work / "model").bundle
    acoustic = bundle.config.acoustic
    assert (acoustic.priors, acoustic.silence_weight, acoustic.subsampling) == ("none", 1.0, 3)
    assert bundle.config.record["acoustic"]["lf_mmi"]["criterion"]["leak"] == 0.1
    assert not bundle.network.log_priors.any()


def test_the_aligner_stays_in_the_model(
    made: tuple[Path, Path], trained: tuple[Path, Path]
) -> None:
    corpora, work = trained
    bundle, source = ModelBundle(work / "model"), ModelBundle(made[1] / "model")
    bundle.check()
    assert bundle.alignment is not bundle.recognition
    assert bundle.config.alignment == source.config.recognition
    assert bundle.alignment.acoustic_model.output_frame_shift == pytest.approx(0.01)
    assert "aligner: LSTMP 1x48/24" in "\n".join(network_summary(bundle))
    corpus = read_corpus(corpora / "dev").normalized(bundle.config.text_rules)
    ours, theirs = NetworkAligner(bundle), NetworkAligner(source)
    aligned, expected = (one.align(corpus.utterances, 1) for one in (ours, theirs))
    assert len(expected.paths) == 8
    for name, path in expected.paths.items():
        np.testing.assert_array_equal(aligned.paths[name], path)
    spoilt = replace(bundle.config, aligner=replace(bundle.config.alignment, acoustic_scale=0.2))
    assert spoilt.alignment.acoustic_scale == 0.2
    with pytest.raises(UsageError, match="acoustic_scale: expected a finite number above 0"):
        replace(bundle.config.alignment, acoustic_scale=0.0)


@pytest.fixture(scope="module")
def retrained(trained: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Work directory of the model's retraining."""
    corpora, work = trained
    root = tmp_path_factory.mktemp("retrained")
    path = root / "retrain.toml"
    path.write_text(_RETRAINING.format(model=work / "model"))
    recipe = from_table(RetrainRecipe, read_toml(path), str(path))
    run_stages(retrain_stages(recipe, corpora, root / "work"), root / "work")
    return root / "work"


def test_retraining_goes_on_with_lf_mmi(trained: tuple[Path, Path], retrained: Path) -> None:
    _, work = trained
    before, after = ModelBundle(work / "model"), ModelBundle(retrained / "model")
    # What the recipe leaves open follows the model.
    made_with = after.config.record["retrained"][-1]["acoustic"]
    assert made_with["training"]["chunk"] == 90
    assert made_with["lf_mmi"]["criterion"]["cross_entropy"] == 0.0
    assert after.config.search.acoustic_scale == before.config.search.acoustic_scale
    after.check()
    assert after.config.acoustic == before.config.acoustic
    assert after.config.aligner == before.config.aligner
    assert after.network.metadata["lf_mmi"]["criterion"]["leak"] == 0.1
    for name, tensor in before.network.tensors.items():
        if name.endswith("weight"):
            moved = np.abs(after.network.tensors[name] - tensor).mean()
            assert 0 < moved < 0.5 * np.abs(tensor).mean(), name
    averages = [name for name in before.network.tensors if name.endswith(".offset")]
    assert averages  # of batch normalisation
    for name in averages:
        np.testing.assert_allclose(
            after.network.tensors[name], before.network.tensors[name], atol=1e-5
        )
    (rates,) = after.config.results
    assert rates.wer < 15.0


def test_what_cannot_be_retrained(trained: tuple[Path, Path], tmp_path: Path) -> None:
    corpora, work = trained
    model = Path(shutil.copytree(work / "model", tmp_path / "model"))
    text = (model / "model.toml").read_text()
    path = tmp_path / "retrain.toml"
    path.write_text(_RETRAINING.format(model=model))
    recipe = from_table(RetrainRecipe, read_toml(path), str(path))
    (model / "phones.acceptor").unlink()
    config = replace(ModelBundle(work / "model").config, files={})
    write_config(model, config)
    with pytest.raises(SpeechError, match=r"expected the phone language model phones\.acceptor"):
        retrain_stages(recipe, corpora, tmp_path / "work")
    smbr = replace(recipe, smbr=SmbrTraining())
    with pytest.raises(UsageError, match="smbr: expected a model trained with cross-entropy"):
        retrain_stages(replace(smbr, model=str(work / "model")), corpora, tmp_path / "work")
    (model / "model.toml").write_text(text.replace('priors = "none"', 'priors = "labels"', 1))
    shutil.copy(work / "model" / "phones.acceptor", model)
    with pytest.raises(UsageError, match="aligner: expected a model that gives labels by the net"):
        retrain_stages(recipe, corpora, tmp_path / "work")


def test_phones_are_heard_beside_the_phone_language_model(trained: tuple[Path, Path]) -> None:
    corpora, work = trained
    found = evaluate_phones(read_corpus(corpora / "dev"), work / "model", jobs=1)
    assert not found.failed
    assert found.errors.words > 50
    assert found.errors.wer < 30.0


def test_the_built_in_recipe_is_well_formed() -> None:
    recipe = read_recipe("english_lf_mmi")
    acoustic = recipe.acoustic
    assert acoustic.lf_mmi is not None
    assert acoustic.network.subsampling == 3
    assert acoustic.training.chunk % 3 == 0
    assert acoustic.network.output_delay <= 60  # input frames: 0.6 s
    assert recipe.graph.self_loop_scale == recipe.search.acoustic_scale == 1.0
    assert [one.data for one in recipe.untranscribed] == ["cv-english/untranscribed"]


def test_wrong_combinations(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    for change, message in (
        (("right_context = false", ""), "right_context: expected false beside lf_mmi"),
        (("[acoustic]", "[acoustic]\nrealign = 1"), "realign: expected nothing beside lf_mmi"),
        (
            ("[acoustic]", '[acoustic]\npriors = "posteriors"'),
            "priors: expected nothing beside lf_mmi",
        ),
        (
            (
                "[acoustic.lf_mmi.phone_model]\nextra_states = 100",
                "[acoustic.lf_mmi.numerator]\ntolerance = -1",
            ),
            "tolerance: expected frames >= 0",
        ),
    ):
        path.write_text(lf_mmi_recipe().replace(*change))
        with pytest.raises(SpeechError, match=message):
            read_recipe(str(path))
    path.write_text("keep_aligner = true\n" + RECIPE)
    with pytest.raises(SpeechError, match="keep_aligner: expected false without aligner"):
        read_recipe(str(path))
    path.write_text(RECIPE.replace("[acoustic]", '[acoustic]\npriors = "none"'))
    with pytest.raises(SpeechError, match="priors: expected labels or posteriors"):
        read_recipe(str(path))
