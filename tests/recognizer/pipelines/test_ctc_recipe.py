"""A recipe of kind "ctc" on a made-up language whose letters are tones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

import babble
import toy
import toy_ctc
from recognizer.data.corpora.corpus import Utterance, read_corpus
from recognizer.data.errors import SpeechError
from recognizer.model.bundle import ModelBundle
from recognizer.model.files import CHARACTERS, TL
from recognizer.model.summary import network_summary
from recognizer.pipelines.build import build_model
from recognizer.pipelines.recipe import read_recipe
from recognizer.pipelines.recipe_stages import recipe_stages
from recognizer.recognizer import Recognizer
from recognizer.stages import run_stages

pytest.importorskip("torch", reason="training needs torch")

RECIPE = """
name = "tones"
language = "art"
licence = "CC0-1.0"
kind = "ctc"
text_rules = "unicode"

[[training]]
data = "train"
licence = "CC0-1.0"

[lm]
books = false
transcripts = true
min_count = 1
order = 2
discount_fallback = true
first_pass_ngrams = 20
rescoring_ngrams = 200

[characters.pruning]
most = 8

[acoustic.network]
kind = "layered"
mean_window = 300
mean_prior = 5

[[acoustic.network.layers]]
kind = "convolution"
filters = 48
left = 2
right = 2
stride = 5

[[acoustic.network.layers]]
kind = "gru"
units = 24

[[acoustic.network.layers]]
kind = "lookahead"
right = 2

[acoustic.training]
epochs = 12
streams = 4
sorted_epochs = 1
length_buckets = 4
learning_rate = 1e-2
final_learning_rate = 1e-3
max_gradient_norm = 5.0
held_out_fraction = 0.1
initial_range = 0.1
threads = 1
tensorboard = false

[search]
acoustic_scale = 1.0

[tuning]
data = ["dev"]
[tuning.grid]
acoustic_scales = [1.0]
lm_scales = [1.0]
word_insertion_penalties = [0.0]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Corpora, and the work directory of a whole run."""
    root = tmp_path_factory.mktemp("ctc_recipe")
    corpora = root / "corpora"
    corpora.mkdir()
    rng = np.random.default_rng(5)
    for name, count in (("train", 60), ("dev", 6)):
        audio = corpora / f"{name}-audio"
        audio.mkdir()
        utterances = []
        for index in range(count):
            text = " ".join(rng.choice(sorted(toy.WORDS), 3))
            path = audio / f"{name}{index:02d}.wav"
            soundfile.write(path, toy_ctc.whistle(text), babble.RATE)
            utterances.append(Utterance(path.stem, path, "whistler", text))
        babble.write_data(utterances, corpora / name)
    (root / "recipe.toml").write_text(RECIPE)
    build_model(root / "recipe.toml", corpora, root / "work")
    return corpora, root / "work"


def test_the_model_recognises_its_language(made: tuple[Path, Path]) -> None:
    corpora, work = made
    bundle = ModelBundle(work / "model")
    bundle.check()
    assert bundle.characters == toy_ctc.SPELLING
    assert {CHARACTERS, TL} < set(bundle.config.files)
    acoustic = bundle.config.acoustic
    assert (acoustic.kind, acoustic.priors, acoustic.subsampling) == ("ctc", "none", 5)
    assert acoustic.pruning is not None and acoustic.pruning.most == 8
    assert "GRU 1" in network_summary(bundle)[0]
    (rates,) = bundle.config.results
    assert rates.words == 18 and rates.wer < 20.0
    words, text = bundle.config.training_data
    assert (words.name, words.words) == ("train", 180)
    said = {u.text for u in read_corpus(corpora / "dev")}
    kept = [u for u in read_corpus(corpora / "train") if u.text not in said]
    assert (text.name, text.words) == ("transcripts", 3 * len(kept))
    recognizer = Recognizer(bundle)
    for utterance in list(read_corpus(corpora / "dev"))[:2]:
        result = recognizer.recognize(utterance.audio)
        assert result.complete
        assert result.words[-1].end <= utterance.duration


def test_stages_that_are_done_are_not_run_again(made: tuple[Path, Path], tmp_path: Path) -> None:
    """Another pruning makes another directory of the same parts."""
    corpora, work = made
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.replace("most = 8", "most = 6"))
    shutil.copytree(work, tmp_path / "work")
    recipe = read_recipe(str(path))
    before = {
        name: (work / name / "stage.json").read_text()
        for name in ("characters", "text", "lm", "features", "network", "graph", "model")
    }
    stages = recipe_stages(recipe, corpora, tmp_path / "work")
    assert [stage.name for stage in stages][:7] == list(before)
    run_stages(stages, tmp_path / "work", last="model")
    changed = {
        name for name, text in before.items()
        if (tmp_path / "work" / name / "stage.json").read_text() != text
    }  # fmt: skip
    assert changed == {"model"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "ctc"', 'kind = "rnnt"', "kind: expected 'hybrid' or 'ctc', found 'rnnt'"),
        ('kind = "ctc"', 'lexicon = "graphemes"\nkind = "ctc"', "lexicon: expected nothing beside"),
        ("[acoustic.network]", "[acoustic.tree]\nnum_leaves = 9\n[acoustic.network]",
         r"acoustic\.tree: expected nothing beside kind = 'ctc'"),
        ("\n[lm]", "bootstrap = true\n[lm]", "train: bootstrap: expected nothing beside kind"),
        ('kind = "ctc"\ntext_rules = "unicode"', 'lexicon = "graphemes"',
         "characters: expected nothing beside kind = 'hybrid'"),
        ("transcripts = true", "", "text: expected files, or transcripts = true, found none"),
        ("[characters.pruning]", "[characters]\nmin_count = 0\n[characters.pruning]",
         "min_count: expected an integer >= 1, found 0"),
        ("units = 24", "units = 24\nbidirectional = true", "expected a layer of one direction"),
    ],
)  # fmt: skip
def test_wrong_recipes(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.replace(old, new, 1))
    with pytest.raises(SpeechError, match=message):
        read_recipe(str(path))


def test_transcripts_that_no_characters_spell(made: tuple[Path, Path], tmp_path: Path) -> None:
    corpora, _ = made
    path = tmp_path / "recipe.toml"
    path.write_text(
        RECIPE.replace("[characters.p", "[characters]\nmin_count = 9999\n[characters.p")
    )
    with pytest.raises(SpeechError, match="characters: expected at least one, found none"):
        build_model(path, corpora, tmp_path / "work", last="characters")
