"""``recognizer readable train``: what it learns, and how it goes on."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from recognizer.cli.training.readable import readable
from recognizer.data.errors import SpeechError, UsageError
from recognizer.lm.tagging.tagger import Tagger
from recognizer.lm.tagging.tagger_file import read_tagger
from recognizer.pipelines.tagging import training as training_module
from recognizer.pipelines.tagging.tagged_text import number_tagged, read_tagged

SIZES = ["--width", "8", "--units", "8", "--layers", "1", "--threads", "1", "--dropout", "0"]


def paragraphs(seed: int, count: int) -> str:
    """Questions begin with a verb; Tom has a capital letter; but follows a comma."""
    rng = random.Random(seed)
    sentences = ("Does Tom know?", "He knows, but Tom waits.", "Can he wait?", "Tom waits.")
    return "\n\n".join(
        " ".join(rng.choice(sentences) for _ in range(rng.randint(1, 5))) for _ in range(count)
    )


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "train.txt").write_text(paragraphs(1, 200))
    (tmp_path / "dev.txt").write_text(paragraphs(2, 20))
    return tmp_path


def train(
    files: Path, *more: str, output: str = "tagger.safetensors", dev: str = "dev.txt"
) -> None:
    arguments = [
        "train", str(files / "train.txt"), "--dev", str(files / dev),
        "--output", str(files / output), "--learning-rate", "0.03", "--words", "80000",
        "--evaluate-every", "60000", *SIZES, *more,
    ]  # fmt: skip
    readable.main(arguments, standalone_mode=False)


def test_a_training_learns_what_the_text_shows(files, capsys):
    train(files)
    tagger = Tagger.open(files / "tagger.safetensors")
    words = ["does", "tom", "know", "he", "knows", "but", "tom", "waits", "can", "he", "wait"]
    found = " ".join(
        (one.word.capitalize() if one.case == "capital" else one.word) + one.mark
        for one in tagger.tag(words)
    )
    assert found == "Does Tom know? He knows, but Tom waits. Can he wait?"
    assert tagger.record["f1"]["?"] > 0.95
    assert "question mark 1.000" in capsys.readouterr().err


def test_an_interrupted_training_goes_on_to_the_same_bits(files, monkeypatch):
    train(files, "--words", "30000", "--evaluate-every", "15000", output="whole.safetensors")
    calls = 0

    class Impatient(training_module.Interrupt):
        def __enter__(self):
            self.signal = 15
            return self

        def __exit__(self, *_: object) -> None:
            pass

    with monkeypatch.context() as patched:
        patched.setattr(training_module, "Interrupt", Impatient)
        while calls < 3:
            with pytest.raises(SpeechError, match="the same command goes on"):
                train(files, "--words", "30000", "--evaluate-every", "15000")
            calls += 1
    with pytest.raises(SpeechError, match="learning_rate"):
        more = ["--evaluate-every", "15000", "--learning-rate", "0.5"]
        train(files, "--words", "30000", *more)
    train(files, "--words", "30000", "--evaluate-every", "15000")
    whole, parts = (read_tagger(files / f"{name}.safetensors") for name in ("whole", "tagger"))
    assert (whole.record, whole.vocabulary) == (parts.record, parts.vocabulary)
    for name, array in whole.tensors.items():
        np.testing.assert_array_equal(parts.tensors[name], array)


def test_stretches_begin_and_end_where_they_should(files):
    text = number_tagged(read_tagged(str(files / "train.txt")), 50, 50)
    assert text.begins[0] and len(text.begins) == len(text.word_ids)
    lengths, whole = set(), 0
    for number in range(60):
        batch = text.batch(64, 2, 9, [1, number])
        again = text.batch(64, 2, 9, [1, number])
        assert all(np.array_equal(one, two) for one, two in zip(batch, again, strict=True))
        count, length = batch.word_ids.shape
        assert count == 64 // length
        lengths.add(length)
        whole += bool((batch.marks[:, -1] > 0).all())
    assert lengths == set(range(2, 10))
    assert 20 <= whole <= 55  # about two thirds end with a sentence, as far as there are such


def test_wrong_input_is_one_line(files):
    (files / "empty.txt").write_text("no mark here\n")
    with pytest.raises(SpeechError, match=r"empty.txt: expected sentences"):
        train(files, dev="empty.txt")
    with pytest.raises(UsageError, match="units: expected"):
        train(files, "--units", "0")
    with pytest.raises(UsageError, match="words: expected"):
        train(files, "--words", "0")
    (files / "train.txt").write_text("")
    with pytest.raises(SpeechError, match="the training text has no sentences"):
        train(files)
    with pytest.raises(SpeechError, match="missing"):
        train(files, dev="missing.txt")
