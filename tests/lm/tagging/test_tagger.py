"""The tagger: numpy against torch, its file, long texts."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.text.tags import TaggedWord
from recognizer.lm.tagging.options import TaggerOptions
from recognizer.lm.tagging.tag_scores import CAPITALS, TagScores
from recognizer.lm.tagging.tagger import CONTEXT, WINDOW, Tagger
from recognizer.lm.tagging.tagger_file import TaggerFile, read_tagger, rounded, write_tagger
from recognizer.lm.tagging.vocabulary import UNKNOWN, TaggerVocabulary

VOCABULARY = TaggerVocabulary((UNKNOWN, "go", "left", "now"), (UNKNOWN, "go", "eft"))
OPTIONS = TaggerOptions(width=5, units=4, layers=2)


def random_tagger() -> TaggerFile:
    random = np.random.default_rng(3)
    shapes = OPTIONS.shapes(len(VOCABULARY.words), len(VOCABULARY.endings))
    tensors = {
        name: random.uniform(-1.5, 1.5, shape).astype(np.float32) for name, shape in shapes.items()
    }
    return TaggerFile(OPTIONS, VOCABULARY, tensors, {"words": 7})


def test_scores_are_those_of_torch():
    torch = pytest.importorskip("torch")
    from recognizer.lm.tagging.network import TaggerNetwork

    model = random_tagger()
    network = TaggerNetwork(OPTIONS, len(VOCABULARY.words), len(VOCABULARY.endings))
    assert dict(network.named_parameters()).keys() == model.tensors.keys()
    with torch.no_grad():
        for name, value in network.named_parameters():
            value.copy_(torch.from_numpy(model.tensors[name]))
        word_ids = np.array([[1, 2, 0, 3, 1], [0, 0, 3, 2, 2]])
        ending_ids = np.array([[1, 2, 0, 0, 1], [0, 2, 1, 2, 2]])
        expected = network.eval()(torch.from_numpy(word_ids), torch.from_numpy(ending_ids))
    np.testing.assert_allclose(
        Tagger(model).scores(word_ids, ending_ids), expected.numpy(), atol=1e-5
    )


def test_numbers_of_words_and_endings():
    words, endings = VOCABULARY.numbers(["left", "cleft", "go", "right"])
    assert (list(words), list(endings)) == ([2, 0, 1, 0], [2, 2, 1, 0])
    made = TaggerVocabulary.of_counts([("left", 3), ("cleft", 1), ("b", 3), ("go", 9)], 4, 2)
    assert made == TaggerVocabulary((UNKNOWN, "go", "b", "left"), (UNKNOWN, "go"))


def test_the_file_has_the_rounded_weights(tmp_path):
    model = random_tagger()
    path = tmp_path / "tagger.safetensors"
    write_tagger(model, path)
    found = read_tagger(path)
    assert (found.options, found.vocabulary, found.record) == (OPTIONS, VOCABULARY, {"words": 7})
    for name, array in rounded(model).tensors.items():
        np.testing.assert_array_equal(found.tensors[name], array)
        largest = np.abs(model.tensors[name]).max()
        np.testing.assert_allclose(array, model.tensors[name], atol=largest / 254 + 1e-6)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda arrays: arrays.pop("output.bias"), "tensor output.bias: expected"),
        (lambda arrays: arrays.pop("output.weight.scale"), "tensor output.weight.scale: expected"),
        (lambda arrays: arrays.update(words=arrays["words"][:-2]), "tensor words.weight: expected"),
        (lambda arrays: arrays.update(more=np.zeros(2, np.float32)), "unknown tensor more"),
        (lambda arrays: arrays["output.bias"].fill(np.nan), "tensor output.bias: expected finite"),
        (lambda arrays: arrays.pop("words"), "words: expected <unk>"),
        (lambda arrays: arrays.update(words=np.array([255, 10], np.uint8)), "expected UTF-8 text"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, change, complaint):
    from safetensors import safe_open

    path = tmp_path / "tagger.safetensors"
    write_tagger(random_tagger(), path)
    arrays = load_file(path)
    with safe_open(path, "numpy") as file:
        metadata = file.metadata()
    change(arrays)
    save_file(arrays, path, metadata)
    with pytest.raises(SpeechError, match=complaint) as error:
        read_tagger(path)
    assert str(path) in str(error.value)


def test_what_is_no_tagger_is_refused(tmp_path):
    path = tmp_path / "tagger.safetensors"
    with pytest.raises(SpeechError, match="found nothing"):
        read_tagger(path)
    with pytest.raises(SpeechError, match="found a directory"):
        read_tagger(tmp_path)
    save_file({"x": np.zeros(1)}, path)
    with pytest.raises(SpeechError, match="found another file"):
        read_tagger(path)
    path.write_bytes(b"something")
    with pytest.raises(SpeechError, match="not a whole safetensors"):
        read_tagger(path)
    with pytest.raises(UsageError, match="units: expected"):
        TaggerOptions(units=0)


def test_long_texts_are_read_in_windows():
    tagger = Tagger(random_tagger())
    random = np.random.default_rng(5)
    words = [("go", "left", "now", "cleft", "x")[n] for n in random.integers(0, 5, 5 * WINDOW + 17)]
    found = tagger.tag(words)
    assert [one.word for one in found] == words
    assert tagger.tag([]) == []
    assert found[: WINDOW - CONTEXT] == tagger.tag(words[:WINDOW])[: WINDOW - CONTEXT]
    assert found[CONTEXT - WINDOW :] == tagger.tag(words[-WINDOW:])[CONTEXT:]
    begin = 2 * (WINDOW - 2 * CONTEXT)
    middle = slice(begin + CONTEXT, begin + WINDOW - CONTEXT)
    inner = tagger.tag(words[begin : begin + WINDOW])[CONTEXT : WINDOW - CONTEXT]
    assert found[middle] == inner
    assert tagger.tag(words[:9]) == tagger.tag(words[:9])


def test_scores_count_what_is_right_missing_and_too_much():
    def word(mark: str, case: str = "lower") -> TaggedWord:
        return TaggedWord("w", mark, case)

    scores = TagScores()
    reference = [word(","), word(",", "capital"), word("."), word("", "upper")]
    scores.add(reference, [word(","), word(".", "capital"), word("."), word(",")])
    assert scores.score(",") == (0.5, 0.5, 0.5, 2)
    assert scores.score(".") == (0.5, 1.0, 2 / 3, 1)
    assert scores.score(CAPITALS) == (1.0, 0.5, 2 / 3, 2)
    assert scores.score("?") == (0.0, 0.0, 0.0, 0)
    scores.add_pairs([(word("?"), None), (None, word("?"))])
    assert scores.score("?") == (0.0, 0.0, 0.0, 1)
    assert scores.words == 5
