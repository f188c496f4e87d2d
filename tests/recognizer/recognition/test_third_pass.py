"""The third pass of a recogniser, and the commands that have it, with the whistled language."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import toy
from commands_run import Command
from neural_models import random_network
from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.rescoring.neural import NeuralRescoringOptions
from recognizer.lm.neural.word_file import write_word_network
from recognizer.lm.neural.word_model import NeuralLanguageModel
from recognizer.model.bundle import ModelBundle, write_config
from recognizer.recognizer import Recognizer

SENTENCE = "go right now stop left"

EVERYTHING = NeuralRescoringOptions(weight=1.0, beam=1000.0, history_words=0)


@pytest.fixture(scope="module")
def neural_lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("neural") / "neural.safetensors"
    write_word_network(random_network(sorted(toy.WORDS), seed=5), path)
    return path


def test_words_that_sound_alike_are_those_that_the_network_prefers(
    toy_model: Path, neural_lm: Path
) -> None:
    network = NeuralLanguageModel.open(neural_lm)
    samples = toy.whistle(SENTENCE)
    sentences = [SENTENCE.split(), SENTENCE.replace("right", "write").split()]
    scores = [float(one.sum()) for one in network.score_sentences(sentences)]
    preferred = sentences[0] if scores[0] > scores[1] else sentences[1]
    recognizer = Recognizer(toy_model, neural_lm=network, neural_rescoring=EVERYTHING)
    result = recognizer.recognize_samples(samples)
    assert result.rescored.words == tuple(preferred)
    # Where the words are does not change, and what they compete with is in the lattice.
    plain = Recognizer(toy_model).recognize_samples(samples)
    assert [(word.start, word.end) for word in result.words] == [
        (word.start, word.end) for word in plain.words
    ]
    assert result.first_pass == plain.first_pass
    assert all(0.0 < word.confidence <= 1.0 for word in result.words)
    # Words of one's own keep the score of the n-gram model.
    adapted = recognizer.adapted(words=[])
    assert adapted.recognize_samples(samples).rescored == result.rescored


def test_without_weight_nothing_changes(toy_model: Path, neural_lm: Path) -> None:
    samples = toy.whistle(SENTENCE)
    options = NeuralRescoringOptions(weight=0.0, beam=1000.0, history_words=2)
    recognizer = Recognizer(toy_model, neural_lm=neural_lm, neural_rescoring=options)
    result = recognizer.recognize_samples(samples)
    plain = Recognizer(toy_model).recognize_samples(samples)
    assert result.text == plain.text
    for one, other in zip(result.words, plain.words, strict=True):
        assert (one.start, one.end) == (other.start, other.end)
        assert one.confidence == pytest.approx(other.confidence, abs=1e-6)
    stream = recognizer.stream(endpointing=None)
    stream.accept(samples, 16000)
    (final,) = (event for event in stream.finish() if event.text)
    assert final.text == plain.text


def test_a_network_of_another_vocabulary_is_refused_in_a_line(
    toy_model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.safetensors"
    write_word_network(random_network(["go", "left"]), path)
    with pytest.raises(SpeechError, match=r"other\.safetensors: expected the vocabulary of .*"):
        Recognizer(toy_model, neural_lm=path)
    for given in ({"neural_rescoring": EVERYTHING}, {"neural_weight": 0.5}, {"neural_weight": 0.0}):
        message = f"{next(iter(given))}: expected a neural language model, found none"
        with pytest.raises(UsageError, match=message):
            Recognizer(toy_model, **given)  # type: ignore[arg-type]
    recognizer = Recognizer(toy_model)
    with pytest.raises(UsageError, match="expected a recogniser with neural_lm, found none"):
        recognizer.third_pass(
            recognizer.second_pass(
                recognizer.first_pass(recognizer.acoustic_scores(toy.whistle("go")))
            )
        )


def test_a_part_of_the_model_rescores_by_default(
    toy_model: Path, neural_lm: Path, tmp_path: Path, command: Command
) -> None:
    model = tmp_path / "model"
    shutil.copytree(toy_model, model)
    ran = command("recognizer", "lm", "neural", "quantize", neural_lm, model / "neural.safetensors")
    assert ran.code == 0, ran.err
    assert (model / "neural.safetensors").stat().st_size < neural_lm.stat().st_size
    with pytest.raises(SpeechError, match="recognizer model record"):
        ModelBundle(model)
    ran = command("recognizer", "model", "record", model)
    assert ran.code == 0, ran.err
    assert ModelBundle(model).has_neural_lm
    write_config(model, replace(ModelBundle(model).config, neural_rescoring=EVERYTHING))
    samples = toy.whistle(SENTENCE)
    given = Recognizer(
        toy_model, neural_lm=model / "neural.safetensors", neural_rescoring=EVERYTHING
    ).recognize_samples(samples)
    own = Recognizer(model).recognize_samples(samples)
    assert own.rescored == given.rescored
    assert own.words == given.words
    plain = Recognizer(toy_model).recognize_samples(samples)
    assert Recognizer(model, neural_weight=0.0).recognize_samples(samples).words == plain.words
    assert own.words != plain.words
    shown = command("recognizer", "model", "check", model)
    assert shown.code == 0, shown.err


def test_commands_rescore(
    toy_model: Path,
    neural_lm: Path,
    whistled: Callable[..., Path],
    whistled_set: Path,
    tmp_path: Path,
    command: Command,
) -> None:
    model = tmp_path / "model"
    shutil.copytree(toy_model, model)
    audio = whistled(SENTENCE)
    ran = command(
        "recognize", "--model", model, "--neural-lm", neural_lm, "--neural-weight", 1, audio
    )
    assert ran.code == 0, ran.err
    assert len(ran.out.split()) == 5
    for wrong, code, message in (
        (["--neural-weight", 1], 2, "neural_weight: expected a neural language model, found none"),
        (["--neural-lm", tmp_path / "none"], 1, "expected a neural language model, found nothing"),
        (["--neural-lm", model / "model.toml"], 1, "not a whole safetensors file"),
    ):
        ran = command("recognize", "--model", model, *wrong, audio)
        assert (ran.code, ran.out) == (code, "")
        assert message in ran.err
        assert ran.err.count("\n") == 1
    out = tmp_path / "files"
    ran = command(
        "recognize", "--model", model, "--neural-lm", neural_lm, "--output-dir", out, audio
    )
    assert ran.code == 0, ran.err
    ran = command(
        "recognizer", "evaluate", whistled_set, "--model", model, "--neural-lm", neural_lm
    )
    assert ran.code == 0, ran.err
    assert "rescored" in ran.out
    scales = ["--acoustic-scales", "0.1", "--lm-scales", "1", "--penalties", "0"]
    ran = command(
        "recognizer", "tune", model, whistled_set, *scales,
        "--neural-lm", neural_lm, "--neural-weights", "0.25,0",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    chosen = float(ran.out.split("neural weight ")[-1].split()[0])
    assert chosen in (0.0, 0.25)
    config = ModelBundle(model).config
    assert config.neural_rescoring.weight == chosen
    assert "neural_tuning_result" in config.record
