"""``recognizer lm neural``: training that goes on after an interruption, and perplexities."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from recognizer.cli.lm.main import lm
from recognizer.data.errors import SpeechError, UsageError
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.estimation.estimate import EstimateOptions, estimate_ngrams
from recognizer.lm.neural.word_file import read_word_network
from recognizer.lm.neural.word_options import END_ID
from recognizer.pipelines.language_model import training as training_module
from recognizer.pipelines.language_model.word_text import IGNORED, WordText, number_text

WORDS = ["the", "a", "cook", "gull", "peeled", "watched", "onions", "ferry", "never"]

SIZES = ["--width", "8", "--units", "12", "--cutoffs", "4", "--streams", "4", "--steps", "3"]
SIZES += ["--threads", "1"]


def sentences(seed: int, count: int) -> list[str]:
    """Who does what: each word tells much about the next one."""
    rng = random.Random(seed)
    parts = (["the", "a"], ["cook", "gull"], ["peeled", "watched"])
    lines = [" ".join(rng.choice(part) for part in parts) for _ in range(count)]
    return [f"{line} the {'onions' if 'peeled' in line else 'ferry'}" for line in lines]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, lines in (
        ("train", sentences(1, 80)),
        ("dev", [*sentences(2, 10), "the captain watched the ferry"]),
        ("words", WORDS),
    ):
        (tmp_path / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
    return tmp_path


def train(files: Path, *more: str, output: str = "lm.safetensors") -> None:
    arguments = [
        "neural", "train", str(files / "train.txt"), "--dev", str(files / "dev.txt"),
        "--vocabulary", str(files / "words.txt"), "--output", str(files / output),
        "--learning-rate", "0.02", "--words", "2400", "--evaluate-every", "800", *SIZES, *more,
    ]  # fmt: skip
    lm.main(arguments, standalone_mode=False)


@pytest.mark.parametrize(
    "more",
    [
        [],
        ["--core", "ntm", "--slots", "4"],
        ["--core", "ntm", "--slots", "4", "--precision", "bfloat16"],
        ["--untied", "--carry"],
        ["--precision", "bfloat16"],
        ["--untied", "--precision", "bfloat16"],
    ],
)
def test_a_training_learns_which_words_follow(
    files: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    train(files, *more)
    found = read_word_network(files / "lm.safetensors")
    assert set(found.words[2:]) == set(WORDS)
    assert found.words[2] == "the"  # the most frequent
    assert found.words[-1] == "never"  # which the text lacks
    out = capsys.readouterr().out
    # Three of the six words and ends have two choices each: 2 ** (3 / 6) is as good as can be.
    assert 1.3 < float(out.rsplit(" ", 1)[1]) < 2.0


@pytest.mark.parametrize(
    "more", [("--dropout", "0.1"), ("--untied", "--carry"), ("--precision", "bfloat16")]
)
def test_an_interrupted_training_goes_on_to_the_same_bits(
    files: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    train(files, *more, output="whole")

    class Impatient(training_module.Interrupt):
        @property
        def signal(self) -> int | None:  # type: ignore[override]
            self.asked += 1
            return 2 if self.asked > 40 else None

        @signal.setter
        def signal(self, value: object) -> None:
            self.asked = 0

    with monkeypatch.context() as patch:
        patch.setattr(training_module, "Interrupt", Impatient)
        for _ in range(2):
            with pytest.raises(SpeechError, match=r"interrupted after .* words; the same command"):
                train(files, *more, output="parts")
    train(files, *more, output="parts")
    one, two = (read_word_network(files / name) for name in ("whole", "parts"))
    assert one.record == two.record
    for name, tensor in one.tensors.items():
        np.testing.assert_array_equal(two.tensors[name], tensor)
    # A finished training has nothing to do; one of another shape is not taken for it.
    train(files, *more, output="parts")
    with pytest.raises(SpeechError, match=r"parts\.checkpoint: expected a training with units 13"):
        train(files, *more, "--units", "13", output="parts")


def test_bfloat16_rounds_the_products_and_little_else(files: Path) -> None:
    train(files, "--words", "100", output="float32")
    train(files, "--words", "100", "--precision", "bfloat16", output="bfloat16")
    exact, rounded = (read_word_network(files / name) for name in ("float32", "bfloat16"))
    for name, tensor in exact.tensors.items():
        assert rounded.tensors[name].dtype == tensor.dtype == np.float32
        assert not np.array_equal(rounded.tensors[name], tensor)
    found, expected = (each.record["perplexities"][-1] for each in (rounded, exact))
    assert found == pytest.approx(expected, rel=0.02)


def test_training_ends_when_tests_get_no_better(files: Path) -> None:
    train(files, "--patience", "1", "--learning-rate", "0.3", "--evaluate-every", "100")
    perplexities = read_word_network(files / "lm.safetensors").record["perplexities"]
    assert min(perplexities) == perplexities[-1]
    assert len(perplexities) < 20
    with pytest.raises(SpeechError, match="the training diverges: its cost is"):
        train(files, "--learning-rate", "1e6", output="wild")
    assert not (files / "wild").exists()


def test_wrong_use_is_one_line(files: Path) -> None:
    with pytest.raises(UsageError, match="slots: expected a number above 0, found 0"):
        train(files, "--core", "ntm", "--slots", "0")
    with pytest.raises(UsageError, match="streams: expected a number above 0, found 0"):
        train(files, "--streams", "0")
    with pytest.raises(SpeechError, match="--device nonsense: torch cannot use it"):
        train(files, "--device", "nonsense")
    (files / "words.txt").write_text("other\nwords\n")
    with pytest.raises(SpeechError, match="expected words of the vocabulary, found none"):
        train(files)
    assert not (files / "lm.safetensors").exists()


def test_perplexities_beside_an_ngram_model(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(files)
    options = EstimateOptions(order=2, discount_fallback=(0.5, 1.0, 1.5))
    ngram = files / "two.ngram"
    NgramAutomaton.from_model(estimate_ngrams(sentences(1, 80), options=options).model).save(ngram)
    capsys.readouterr()
    command = ["neural", "perplexity", str(files / "lm.safetensors"), str(files / "dev.txt")]
    lm.main(command, standalone_mode=False)
    header, row = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    alone = dict(zip(header, row, strict=True))
    assert (alone["sentences"], alone["words"], alone["oov"]) == ("11", "55", "1")
    lm.main([*command, "--ngram", str(ngram)], standalone_mode=False)
    header, *rows = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    found = [dict(zip(header, row, strict=True)) for row in rows]
    assert [one["model"].split(",")[0] for one in found] == ["neural", "n-gram", "mixture"]
    assert found[0]["perplexity"] == alone["perplexity"]
    # A bigram does not know what was peeled; the network does.
    assert float(found[0]["perplexity"]) < float(found[1]["perplexity"])
    assert float(found[2]["perplexity"]) < float(found[1]["perplexity"])


def test_chunks_have_every_word_once_in_its_context() -> None:
    lines = ["a b c d e", "b", "", "c c", "a"]
    text = number_text(list("abcde"), lambda: lines)
    assert text.words[:4] == ("</s>", "<unk>", "c", "a")
    expected = sorted(tuple(text.words.index(w) for w in line.split()) for line in lines if line)
    for steps in (1, 2, 10):
        found = sorted(tuple(row) for batch in batches(text, 3, steps) for row in batch)
        assert found == expected
    carried = list(text.carried_chunks(1, 4))
    read = [int(word) for chunk in carried for word in chunk.inputs[:, 0]]
    after = [int(word) for chunk in carried for word in chunk.targets[:, 0]]
    assert read[1:] == after[:-1]
    assert len(read) == text.events
    assert [chunk.fresh for chunk in carried] == [True, *[False] * (len(carried) - 1)]


def batches(text: WordText, streams: int, steps: int) -> list[list[list[int]]]:
    """The sentences of each batch, put together from its chunks."""
    found: list[list[list[int]]] = []
    for chunk in text.chunks(streams, steps, np.random.default_rng(1)):
        if chunk.fresh:
            found.append([[] for _ in range(chunk.inputs.shape[1])])
            assert (chunk.inputs[0] == END_ID).all()
        for row, targets in zip(found[-1], chunk.targets.T, strict=True):
            row.extend(int(word) for word in targets if word not in (IGNORED, END_ID))
    return found
