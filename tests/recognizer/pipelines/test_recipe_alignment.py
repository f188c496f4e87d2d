"""Training sets of a recipe, aligned with the network of a model that is there already."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recognizer.data.errors import SpeechError, UsageError
from recognizer.model.bundle import ModelBundle
from recognizer.model.files import DEFAULT_MODEL
from recognizer.pipelines.recipe import Recipe, read_recipe
from recognizer.pipelines.recipe_alignment import recipe_alignment
from recognizer.stages import run_stages

SAMPLES = Path(__file__).resolve().parents[3] / "recognizer" / "samples"

RECIPE = """
name = "aligned"
language = "en-US"
licence = "Apache-2.0"
aligner = "english"

[[training]]
data = "corpus"
licence = "Apache-2.0"

[lm]
text = ["text"]

[tuning]
data = ["corpus"]
"""


def written(path: Path, text: str) -> Recipe:
    path.write_text(text)
    return read_recipe(str(path))


def test_a_model_aligns_instead_of_a_flat_start(tmp_path: Path) -> None:
    recipe = written(tmp_path / "recipe.toml", RECIPE)
    work = tmp_path / "work"
    alignment = recipe_alignment(recipe, recipe.training, SAMPLES, work, 1, {})
    stages = alignment.stages()
    assert [stage.name for stage in stages] == ["align"]
    run_stages(stages, work)
    inputs = alignment.aligned()
    model = ModelBundle(DEFAULT_MODEL)
    assert inputs.phones == model.phones
    assert inputs.topology == model.alignment.transitions.topology
    (corpus,) = inputs.corpora
    assert len(corpus.utterances) == 12
    for utterance in corpus.utterances:
        contexts = corpus.contexts[utterance.id]
        assert abs(len(contexts.phone) - len(utterance.samples()) / 160) <= 1
        spoken = contexts.phone[np.flatnonzero(np.diff(contexts.phone, prepend=0))]
        begins = [model.phones.symbols[phone] for phone in spoken if phone not in (1, 2)]
        assert sum(name.endswith(("_B", "_S")) for name in begins) == len(utterance.words)
    words = {word for utterance in corpus.utterances for word in utterance.words}
    assert all(word in alignment.lexicon() for word in words)


def test_wrong_aligners(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    with pytest.raises(SpeechError, match="corpus: bootstrap: expected nothing beside aligner"):
        written(path, RECIPE.replace("[lm]", "bootstrap = true\n\n[lm]"))
    with pytest.raises(SpeechError, match="training set with bootstrap = true, found none"):
        written(path, RECIPE.replace('aligner = "english"', ""))
    recipe = written(path, RECIPE.replace('"english"', f'"{tmp_path / "none"}"'))
    with pytest.raises((SpeechError, UsageError), match="none"):
        recipe_alignment(recipe, recipe.training, SAMPLES, tmp_path / "work", 1, {})
    other = RECIPE.replace("[lm]", "[lm]\nbooks = false").replace(
        'aligner = "english"', 'aligner = "english"\nlexicon = "graphemes"\ntext_rules = "unicode"'
    )
    recipe = written(path, other)
    with pytest.raises(UsageError, match="expected a model with the text rules 'unicode'"):
        recipe_alignment(recipe, recipe.training, SAMPLES, tmp_path / "work", 1, {})
