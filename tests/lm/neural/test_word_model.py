"""Neural language models: torch and numpy agree, files are checked, mixtures are right."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from lm_models import random_model
from recognizer.data.errors import SpeechError, UsageError
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.neural.word_file import WordNetworkFile, read_word_network, write_word_network
from recognizer.lm.neural.word_model import NeuralLanguageModel
from recognizer.lm.neural.word_network import RecurrentWordNetwork
from recognizer.lm.neural.word_options import END_ID, WordNetworkOptions
from recognizer.lm.neural.word_perplexity import (
    mixed_perplexity,
    neural_perplexity,
    ngram_log_probs,
)
from recognizer.lm.ngram.model import END, UNKNOWN

WORDS = (END, UNKNOWN, *"abcdefghi")

SHAPES = {
    "lstm": WordNetworkOptions(width=6, units=8, cutoffs=(4, 8), divisor=2),
    "untied": WordNetworkOptions(width=6, units=6, layers=2, cutoffs=(5,), tied=False),
    "no clusters": WordNetworkOptions(width=4, units=5, cutoffs=(100,)),
    "ntm": WordNetworkOptions(
        core="ntm", width=6, units=5, layers=2, cutoffs=(4,), slots=5, slot_width=3, read_heads=2
    ),
}


def network(name: str) -> RecurrentWordNetwork:
    torch.manual_seed(1)
    made = RecurrentWordNetwork(SHAPES[name], len(WORDS))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.uniform_(-1.0, 1.0)
    return made


def model_file(name: str) -> WordNetworkFile:
    return WordNetworkFile(SHAPES[name], WORDS, network(name).arrays())


def model(name: str) -> NeuralLanguageModel:
    return NeuralLanguageModel(model_file(name))


@pytest.mark.parametrize("name", SHAPES)
def test_numpy_gives_what_torch_gives(name: str) -> None:
    sentences = [["a", "i", "d", "nowhere"], [], ["h", "h", "c"], ["f"]]
    found = model(name).score_sentences(sentences)
    made = network(name)
    for words, scores in zip(sentences, found, strict=True):
        ids = [END_ID, *(WORDS.index(word) if word in WORDS else 1 for word in words), END_ID]
        inputs = torch.tensor(ids)[:, None]
        with torch.no_grad():
            outputs, _ = made.outputs(inputs[:-1], made.blank(1))
            expected = made.softmax(outputs[:, 0], inputs[1:, 0])
        np.testing.assert_allclose(scores, expected.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SHAPES)
def test_probabilities_of_all_words_sum_to_one(name: str) -> None:
    lm = model(name)
    outputs, states = lm.advance(lm.blank(2), np.array([END_ID, END_ID]))
    outputs, _ = lm.advance(states, np.array([3, 9]))
    words = np.arange(len(WORDS))
    for row in range(2):
        log_probs = lm.log_probs(outputs, np.full(len(words), row), words)
        assert np.exp(log_probs).sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("name", SHAPES)
def test_a_carried_state_is_that_of_all_words_before(name: str) -> None:
    lm = model(name)
    one, two = lm.score_sentences([["a", "b"], ["c"]], carry=True)
    # A sentence's end is read where the next one begins.
    whole = lm.score_sentences([["a", "b"], ["c"]])
    np.testing.assert_allclose(one, whole[0], rtol=1e-5)
    assert abs(two - whole[1]).max() > 1e-3
    states = lm.blank(1)
    for word in (END_ID, 2, 3, END_ID):
        outputs, states = lm.advance(states, np.array([word]))
    assert two[0] == pytest.approx(
        float(lm.log_probs(outputs, np.array([0]), np.array([4]))[0]), rel=1e-5
    )


def test_gradients_reach_every_weight() -> None:
    for name in SHAPES:
        made = network(name)
        words = torch.arange(len(WORDS))[:, None]
        outputs, _ = made.outputs(words[:-1], made.blank(1))
        (-made.softmax(outputs[:, 0], words[1:, 0]).sum()).backward()
        for parameter_name, parameter in made.named_parameters():
            gradient = parameter.grad
            assert gradient is not None, parameter_name
            assert gradient.to_dense().abs().sum() > 0, parameter_name


def test_a_file_comes_back(tmp_path: Path) -> None:
    written = replace(model_file("lstm"), record={"words": 3})
    write_word_network(written, tmp_path / "lm.safetensors")
    found = read_word_network(tmp_path / "lm.safetensors")
    assert (found.options, found.words) == (written.options, written.words)
    assert found.record == {"words": 3}
    for name, tensor in written.tensors.items():
        np.testing.assert_array_equal(found.tensors[name], tensor)


@pytest.mark.parametrize("name", SHAPES)
def test_eight_bits_are_as_near_as_half_a_step(name: str, tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    made = model_file(name)
    write_word_network(made, path, "int8")
    found = read_word_network(path)
    assert (found.options, found.words) == (made.options, made.words)
    for tensor, array in made.tensors.items():
        if array.ndim != 2:
            assert np.array_equal(found.tensors[tensor], array)
            continue
        step = np.abs(array).max(axis=1, keepdims=True) / 127
        assert np.all(np.abs(found.tensors[tensor] - array) <= 0.5001 * step)
        # The largest of a row comes back, so that writing it again changes nothing.
        assert np.allclose(np.abs(found.tensors[tensor]).max(axis=1), np.abs(array).max(axis=1))
    again = tmp_path / "again.safetensors"
    write_word_network(found, again, "int8")
    for tensor, array in load_file(path).items():
        if array.dtype == np.int8:
            assert np.array_equal(load_file(again)[tensor], array)


def test_eight_bits_without_a_row_or_its_scale_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    made = model_file("lstm")
    matrix = np.zeros_like(made.tensors["core.weight_hh_l0"])
    zeros = replace(made, tensors={**made.tensors, "core.weight_hh_l0": matrix})
    write_word_network(zeros, path, "int8")
    assert np.array_equal(read_word_network(path).tensors["core.weight_hh_l0"], matrix)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    scales = tensors.pop("core.weight_hh_l0.scale")
    for wrong, message in (
        ({}, r"tensor core.weight_hh_l0.scale: expected float32 \[32\], found none"),
        ({"core.weight_hh_l0.scale": scales[:3]}, r"expected float32 \[32\], found float32 \[3\]"),
        ({"core.weight_hh_l0.scale": scales * np.nan}, "tensor core.weight_hh_l0: expected finite"),
        ({"core.weight_hh_l0.scale": scales, "x.scale": scales}, "unknown tensor x.scale"),
    ):
        save_file({**tensors, **wrong}, path, metadata=metadata)
        with pytest.raises(SpeechError, match=message):
            read_word_network(path)


def test_wrong_files_are_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "lm.safetensors"
    with pytest.raises(SpeechError, match=r"lm\.safetensors: expected a neural .* found nothing"):
        read_word_network(path)
    write_word_network(model_file("lstm"), path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(SpeechError, match="not a whole safetensors file"):
        read_word_network(path)
    path.write_bytes(whole)
    tensors = load_file(path)
    save_file(tensors, path)
    with pytest.raises(SpeechError, match="expected a neural language model of format"):
        read_word_network(path)
    with pytest.raises(SpeechError, match=r"head\.bias: expected float32 \[6\], found .* \[3\]"):
        replace(
            model_file("lstm"),
            tensors={**model_file("lstm").tensors, "softmax.head.bias": np.zeros(3, np.float32)},
        )
    with pytest.raises(SpeechError, match="distinct words"):
        replace(model_file("lstm"), words=WORDS[1:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"core": "ntm", "slots": 0}, "slots: expected a number above 0, found 0"),
        ({"width": 0}, "width: expected a number above 0, found 0"),
        ({"units": 100}, "units: expected at least the width of 256, found 100"),
        ({"cutoffs": (10, 10)}, "cutoffs: expected rising numbers"),
    ],
)
def test_impossible_shapes_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        WordNetworkOptions(**change)  # type: ignore[arg-type]


def test_the_perplexity_leaves_out_unknown_words() -> None:
    lm = model("lstm")
    lines = ["a b", "nowhere c", ""]
    found = neural_perplexity(lm, lines)
    scores = lm.score_sentences([line.split() for line in lines])
    assert (found.sentences, found.words, found.oov) == (3, 4, 1)
    expected = sum(map(float, map(np.sum, scores))) - float(scores[1][0])
    assert found.log_prob == pytest.approx(expected, rel=1e-5)
    assert found.oov_log_prob == pytest.approx(float(scores[1][0]), rel=1e-5)


LINES = ["a b c", "b a", "c a d", "a a b", "e", "b c d"]


def test_a_mixture_is_the_weighted_sum_of_probabilities() -> None:
    lm, ngram = model("untied"), NgramAutomaton.from_model(random_model(3))
    found = mixed_perplexity(lm, ngram, LINES, weight=0.3)
    sentences = [line.split() for line in LINES]
    expected = 0.0
    for words, scores in zip(sentences, lm.score_sentences(sentences), strict=True):
        state = ngram.start()
        for word, score in zip(words, scores, strict=False):
            other, state = ngram.score(state, word)
            expected += math.log(0.3 * math.exp(score) + 0.7 * math.exp(other))
        expected += math.log(0.3 * math.exp(scores[-1]) + 0.7 * math.exp(ngram.final(state)))
    assert found.mixed.log_prob == pytest.approx(expected, rel=1e-5)
    assert found.neural == neural_perplexity(lm, LINES)
    assert found.ngram.log_prob == pytest.approx(
        sum(float(one.sum()) for one in ngram_log_probs(ngram, sentences)), rel=1e-6
    )
    for weight, part in ((0.0, found.ngram), (1.0, found.neural)):
        alone = mixed_perplexity(lm, ngram, LINES, weight=weight)
        assert alone.mixed.log_prob == pytest.approx(part.log_prob, rel=1e-6)


def test_each_half_of_a_text_has_the_weight_that_suits_the_other_best() -> None:
    lm, ngram = model("untied"), NgramAutomaton.from_model(random_model(3))
    found = mixed_perplexity(lm, ngram, LINES)
    for half in (0, 1):
        chosen, others = found.weights[half], LINES[1 - half :: 2]
        best = mixed_perplexity(lm, ngram, others, weight=chosen).mixed.log_prob
        for weight in (chosen - 0.02, chosen + 0.02):
            worse = mixed_perplexity(lm, ngram, others, weight=min(max(weight, 0.0), 1.0))
            assert worse.mixed.log_prob <= best + 1e-9
    with pytest.raises(SpeechError, match="expected two sentences, found 1"):
        mixed_perplexity(lm, ngram, LINES[:1])
