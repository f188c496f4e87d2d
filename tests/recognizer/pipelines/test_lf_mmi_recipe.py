"""A recipe with lattice-free MMI on a made-up language, beside the same with cross-entropy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from babble_recipe import RECIPE
from recognizer.data.errors import SpeechError
from recognizer.evaluation.word_alignment import word_error_rate
from recognizer.pipelines.recipe import read_recipe
from recognizer.recognizer import Recognizer

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


def lf_mmi_recipe() -> str:
    """The recipe of `babble_recipe` with the other criterion, tree and network."""
    begin, end = RECIPE.index("[acoustic.network]"), RECIPE.index("epochs = 12")
    recipe = RECIPE[:begin] + _NETWORK.lstrip() + RECIPE[end:]
    return recipe.replace("min_count = 20.0", "min_count = 20.0\nright_context = false").replace(
        "acoustic_scales = [0.1, 0.2]", "acoustic_scales = [0.5, 1.0]"
    )


@pytest.fixture(scope="module")
def trained(made: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Corpora and work directory; text and alignments are those of the other recipe."""
    from recognizer.pipelines.recipe_stages import recipe_stages
    from recognizer.stages import run_stages

    corpora, before = made
    root = tmp_path_factory.mktemp("lf_mmi")
    for name in ("text", "lm", "flat_start", "align"):
        shutil.copytree(before / name, root / "work" / name)
    path = root / "recipe.toml"
    path.write_text(lf_mmi_recipe())
    stages = recipe_stages(read_recipe(str(path)), corpora, root / "work")
    run_stages(stages, root / "work")
    return corpora, root / "work"


def test_the_model_recognises_its_language(trained: tuple[Path, Path]) -> None:
    from recognizer.data.corpora.corpus import read_corpus

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
    path.write_text(RECIPE.replace("[acoustic]", '[acoustic]\npriors = "none"'))
    with pytest.raises(SpeechError, match="priors: expected labels or posteriors"):
        read_recipe(str(path))
