"""A whole recipe on a made-up language: from noise, transcripts and text to recognised words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import babble
from babble_recipe import RECIPE
from recognizer.data.errors import SpeechError, UsageError
from recognizer.evaluation.word_alignment import word_error_rate
from recognizer.pipelines.recipe import read_recipe
from recognizer.recognizer import Recognizer

pytest.importorskip("torch", reason="training needs torch")


def test_the_model_recognises_its_language(made: tuple[Path, Path]) -> None:
    from recognizer.data.corpora.corpus import read_corpus

    corpora, work = made
    recognizer = Recognizer(work / "model")
    dev = read_corpus(corpora / "dev")
    answers = [recognizer.recognize(u.audio).text for u in dev]
    counts = word_error_rate([u.text.lower() for u in dev], answers)
    assert counts.words == 32
    assert counts.wer < 15.0


def test_quiet_speech_is_recognised(made: tuple[Path, Path]) -> None:
    """At -40 dB, which no training utterance was: the network's features have a running mean."""
    from recognizer.data.corpora.corpus import read_corpus

    corpora, work = made
    recognizer = Recognizer(work / "model")
    dev = list(read_corpus(corpora / "dev"))
    answers = [recognizer.recognize(u.samples() * np.float32(0.01)).text for u in dev]
    assert word_error_rate([u.text.lower() for u in dev], answers).wer < 30.0


def test_the_record_says_what_was_done(made: tuple[Path, Path]) -> None:
    _, work = made
    config = Recognizer(work / "model").bundle.config
    assert config.name == "babble"
    assert config.search.acoustic_scale in (0.1, 0.2)
    assert config.training_data[0].name == "train"
    assert config.record["acoustic"]["network"]["cells"] == 48
    assert config.record["tuning_result"]["data"] == ["dev"]
    assert (config.results[0].data, config.results[0].utterances) == ("dev", 8)
    assert config.results[0].wer < 15.0


def test_a_second_run_has_nothing_to_do(made: tuple[Path, Path]) -> None:
    from recognizer.pipelines.recipe_stages import recipe_stages
    from recognizer.stages import run_stages

    corpora, work = made
    before = {path: path.stat().st_mtime_ns for path in work.rglob("*") if path.is_file()}
    stages = recipe_stages(read_recipe(str(work.parent / "recipe.toml")), corpora, work)
    run_stages(stages, work)
    assert before == {p: p.stat().st_mtime_ns for p in work.rglob("*") if p.is_file()}


def test_built_in_recipe_is_well_formed() -> None:
    recipe = read_recipe("mini_librispeech")
    assert recipe.lm.order == 5
    assert next(one.data for one in recipe.training if one.bootstrap) == "mini-librispeech/train"


def test_bad_recipes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="mini_librispeech"):
        read_recipe("nonsense")
    path = tmp_path / "bad.toml"
    path.write_text(RECIPE.replace("cells = 48", "cels = 48"))
    with pytest.raises(SpeechError, match="unknown key 'cels'"):
        read_recipe(str(path))
    path.write_text(RECIPE.replace("bootstrap = true", "bootstrap = false"))
    with pytest.raises(SpeechError, match="bootstrap"):
        read_recipe(str(path))


def test_units_of_the_built_in_recipes() -> None:
    words, pieces = read_recipe("mini_librispeech"), read_recipe("mini_librispeech_pieces")
    assert (words.lexicon, words.pieces) == (None, None)
    assert pieces.lexicon == "graphemes"
    assert pieces.pieces is not None
    assert pieces.training == words.training
    assert pieces.lm.text == words.lm.text


def test_pieces_are_spelled(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE + "[pieces]\nsize = 30\n")
    with pytest.raises(SpeechError, match="pieces: expected lexicon = 'graphemes'"):
        read_recipe(str(path))


def test_other_languages_are_not_taken_for_english(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('text_rules = "unicode"\n' + RECIPE)
    assert read_recipe(str(path)).rules == "unicode"
    path.write_text('text_rules = "unicode"\n' + RECIPE.replace("books = false", ""))
    with pytest.raises(SpeechError, match="books: expected false with the text rules 'unicode'"):
        read_recipe(str(path))


def test_a_recipe_of_pieces_needs_no_dictionary(made: tuple[Path, Path]) -> None:
    from recognizer.data.corpora.corpus import read_corpus
    from recognizer.lm.units.pieces import begins_word
    from recognizer.pipelines.recipe_stages import recipe_stages
    from recognizer.stages import run_stages

    pytest.importorskip("sentencepiece")
    corpora, work = made
    path = work.with_name("pieces.toml")
    recipe = RECIPE.replace('"lexicon.txt"', '"graphemes"').replace("[1.0, 0.9]", "[1.0]")
    path.write_text(recipe + '[pieces]\nsize = 20\nalgorithm = "bpe"\n')
    work = work.with_name("pieces")
    run_stages(recipe_stages(read_recipe(str(path)), corpora, work), work)
    recognizer = Recognizer(work / "model")
    lexicon = recognizer.bundle.lexicon
    assert set(lexicon.phones) == set("".join(babble.LEXICON.words))
    assert recognizer.bundle.config.units == "pieces"
    assert any(map(begins_word, lexicon.words))
    assert not all(map(begins_word, lexicon.words))
    dev = read_corpus(corpora / "dev")
    answers = [recognizer.recognize(u.audio).text for u in dev]
    assert word_error_rate([u.text.lower() for u in dev], answers).wer < 30.0
