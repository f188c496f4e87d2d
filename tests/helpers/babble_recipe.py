"""A whole recipe on the made-up language of `babble`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import babble

RECIPE = """
name = "babble"
language = "art"
licence = "CC0-1.0"
lexicon = "lexicon.txt"

[[training]]
data = "train"
licence = "CC0-1.0"
bootstrap = true

[lm]
text = ["text.txt"]
books = false
min_count = 1
order = 3
discount_fallback = true
first_pass_ngrams = 20
rescoring_ngrams = 200

[flat_start.mono]
passes = 8
realign = [1, 2, 3, 4, 6]
gaussians = 60
growing = 5
[[flat_start.triphone]]
passes = 4
realign = [2]
gaussians = 100
growing = 3
leaves = 40

[acoustic]
speeds = [1.0, 0.9]
[acoustic.tree]
num_leaves = 40
min_count = 20.0
[acoustic.network]
layers = 1
cells = 48
projection = 24
mean_window = 300
mean_prior = 5
[acoustic.training]
epochs = 12
streams = 8
learning_rate = 1e-2
final_learning_rate = 1e-3
held_out_fraction = 0.1
initial_range = 0.1
threads = 1

[tuning]
data = ["dev"]
[tuning.grid]
acoustic_scales = [0.1, 0.2]
lm_scales = [1.0]
word_insertion_penalties = [0.0]
"""


def make(root: Path) -> tuple[Path, Path]:
    """Corpora of the language below a directory, and the work directory of a whole run."""
    from recognizer.pipelines.recipe import read_recipe
    from recognizer.pipelines.recipe_stages import recipe_stages
    from recognizer.stages import run_stages

    corpora = root / "corpora"
    corpora.mkdir()
    rng = np.random.default_rng(3)
    for name, count in (("train", 60), ("dev", 8)):
        audio = corpora / f"{name}-audio"
        audio.mkdir()
        utterances = [babble.utterance(rng, f"{name}{i:02d}", audio)[0] for i in range(count)]
        babble.write_data(utterances, corpora / name)
    babble.LEXICON.write(corpora / "lexicon.txt")
    sentences = [" ".join(rng.choice(babble.LEXICON.words, 4)) for _ in range(200)]
    (corpora / "text.txt").write_text("".join(f"{sentence}\n" for sentence in sentences))
    (root / "recipe.toml").write_text(RECIPE)
    stages = recipe_stages(read_recipe(str(root / "recipe.toml")), corpora, root / "work")
    run_stages(stages, root / "work")
    return corpora, root / "work"
