"""Language models mixed of several texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import babble
from babble_recipe import RECIPE
from recognizer.data.errors import SpeechError
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.estimation.estimate import estimate_ngrams
from recognizer.lm.estimation.options import DISCOUNT_FALLBACK, EstimateOptions
from recognizer.pipelines.recipe import MixedText, read_recipe
from recognizer.pipelines.recipe_mixture import mix, mixed_file
from recognizer.pipelines.recipe_stages import recipe_stages
from recognizer.pipelines.recipe_units import word_units
from recognizer.stages import run_stages

MAIN = ["the old man sat by the sea", "the sea was old", "by the sea sat the man"] * 3
TALKS = ["hey man", "by the way hey", "hey what was the way"]
OPTIONS = EstimateOptions(order=3, discount_fallback=DISCOUNT_FALLBACK)


def test_the_mixture_is_the_weighted_sum(tmp_path: Path) -> None:
    vocabulary = sorted({word for line in MAIN + TALKS for word in line.split()} | {"unseen"})
    (tmp_path / mixed_file(0)).write_text("\n".join(TALKS) + "\n")
    main = estimate_ngrams(MAIN, vocabulary, OPTIONS).model
    mixed = MixedText(("talks.txt",), 0.25, order=2)
    found = NgramAutomaton.from_model(mix(main, [mixed], tmp_path, vocabulary, OPTIONS, 10**6))
    parts = [
        NgramAutomaton.from_model(main),
        NgramAutomaton.from_model(
            estimate_ngrams(
                TALKS, vocabulary, EstimateOptions(order=2, discount_fallback=DISCOUNT_FALLBACK)
            ).model
        ),
    ]
    for words in (["by", "the", "sea"], ["hey"]):
        states = [part.start() for part in (found, *parts)]
        for word in words:
            scores = []
            for i, part in enumerate((found, *parts)):
                log_prob, states[i] = part.score(states[i], word)
                scores.append(2.718281828459045**log_prob)
            # Exact for n-grams that a part has, as it has these.
            assert scores[0] == pytest.approx(0.75 * scores[1] + 0.25 * scores[2], rel=1e-4)
    few = mix(main, [mixed], tmp_path, vocabulary, OPTIONS, 10)
    assert sum(few.counts[1:]) == 10


def test_words_of_all_texts_are_counted_together(tmp_path: Path) -> None:
    for name, lines in (("main.txt", MAIN), ("talks.txt", TALKS)):
        (tmp_path / name).write_text("\n".join(lines) + "\n")

    def pronounce(words) -> Lexicon:
        return Lexicon(Pronunciation(word, ("A",)) for word in words)

    texts = [tmp_path / "main.txt", tmp_path / "talks.txt"]
    alone = word_units(texts[:1], 3, pronounce).vocabulary
    both = word_units(texts, 3, pronounce)
    assert set(both.vocabulary) - set(alone) == {"hey"}
    assert both.sentences == texts[0]
    assert set(both.lexicon.words) == set(both.vocabulary)
    more = word_units(texts, 3, pronounce, always=("way", "sea", "zebra"))
    assert set(more.vocabulary) - set(both.vocabulary) == {"way", "zebra"}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0.5, 0.5], "mixed: expected weights of a sum below 1, found 0.5, 0.5"),
        ([0.0], "weight: expected above 0 and below 1, found 0.0"),
    ],
)
def test_impossible_weights(tmp_path: Path, weights: list[float], message: str) -> None:
    mixed = "".join(f'[[lm.mixed]]\ntext = ["a.txt"]\nweight = {weight}\n' for weight in weights)
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.replace("[flat_start.mono]", mixed + "[flat_start.mono]"))
    with pytest.raises(SpeechError, match=message):
        read_recipe(str(path))


def test_the_stages_of_a_mixed_recipe(tmp_path: Path) -> None:
    """Names of a second text get pronunciations, and the models know them."""
    corpora, work = tmp_path / "corpora", tmp_path / "work"
    audio = corpora / "audio"
    audio.mkdir(parents=True)
    rng = np.random.default_rng(5)
    utterances = [babble.utterance(rng, f"dev{i}", audio)[0] for i in range(2)]
    for name in ("train", "dev"):
        babble.write_data(utterances, corpora / name)
    words = list(babble.LEXICON.words)
    babble.LEXICON.write(corpora / "lexicon.txt")
    lines = [" ".join(rng.choice(words[1:], 4)) for _ in range(50)]
    (corpora / "text.txt").write_text("\n".join(lines) + "\n")
    name = words[1] + words[2]
    (corpora / "talks.txt").write_text(f"{name} {words[1]}\n{words[2]} {name}\n")
    added = 'lexicon_words = true\n[[lm.mixed]]\ntext = ["talks.txt"]\nweight = 0.2\norder = 2\n'
    added += "[pronunciation]\norder = 4\n[flat_start.mono]"
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("[flat_start.mono]", added))
    stages = recipe_stages(read_recipe(str(tmp_path / "recipe.toml")), corpora, work)
    chosen = [stage for stage in stages if stage.name in ("text", "pronunciation", "lm")]
    assert [stage.name for stage in chosen] == ["text", "pronunciation", "lm"]
    run_stages(chosen, work)
    lexicon = Lexicon.read(work / "lm" / "lexicon.txt")
    assert {name, words[0]} <= set(lexicon.words)
    assert set(lexicon.phones) <= set(babble.LEXICON.phones)
    for model in ("first_pass.ngram", "rescoring.ngram"):
        automaton = NgramAutomaton.open(work / "lm" / model)
        assert set(automaton.words) - {"<unk>"} == set(lexicon.words)
        after, _ = automaton.score(automaton.start(), name)
        unseen, _ = automaton.score(automaton.start(), words[0])
        assert after > unseen
