"""``recognizer lm units``: from text to a language model and a lexicon of pieces."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from recognizer.cli.lm.units import units
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.lm.arpa.files import read_arpa
from recognizer.lm.units.pieces import MARK

TEXT = ["the reader reads", "don't read it there", "the writer writes there", "is it right"] * 5


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{line}\n" for line in TEXT))
    return path


@pytest.fixture
def pieces(text: Path, command) -> Path:
    pytest.importorskip("sentencepiece")
    path = text.with_name("pieces.model")
    ran = command(
        "recognizer", "lm", "units", "train", text, "--size", 30, "--algorithm", "bpe",
        "--output", path, "--vocabulary", text.with_name("pieces.txt"),
    )  # fmt: skip
    assert ran.code == 0, ran.err
    vocabulary = text.with_name("pieces.txt").read_text().split()
    assert ran.out == f"70 words, 11 distinct, {len(vocabulary)} pieces\n"
    assert MARK + "the" in vocabulary
    return path


@pytest.mark.parametrize("name", units.commands)
def test_every_command_shows_a_real_example(command, name: str) -> None:
    ran = command("recognizer", "lm", "units", name, "--help")
    assert ran.code == 0
    assert f"\n    recognizer lm units {name} " in ran.out


def test_pieces_go_to_a_model_and_back_to_words(text: Path, pieces: Path, command) -> None:
    cut = text.with_name("cut.txt.gz")
    assert command("recognizer", "lm", "units", "segment", pieces, text, "--output", cut).code == 0
    joined = command("recognizer", "lm", "units", "join", cut)
    assert joined.out.splitlines() == TEXT
    shown = command("recognizer", "lm", "units", "segment", pieces, text)
    assert len(shown.out.splitlines()) == len(TEXT)
    assert all(line.startswith(MARK) for line in shown.out.splitlines())

    vocabulary = text.with_name("pieces.txt")
    lexicon = text.with_name("lexicon.txt")
    ran = command("recognizer", "lm", "units", "lexicon", vocabulary, "--output", lexicon)
    assert ran.out == f"{len(vocabulary.read_text().split())} words, 12 letters\n"
    assert Lexicon.read(lexicon)[MARK + "the"][0].phones == ("t", "h", "e")

    model = text.with_name("model.arpa")
    ran = command(
        "recognizer", "lm", "estimate", cut, "--order", 3, "--vocabulary", vocabulary,
        "--discount-fallback", "--output", model,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert set(Lexicon.read(lexicon).words) == set(read_arpa(model).vocabulary[3:])


def test_words_that_cannot_be_spelled_are_named(tmp_path: Path, command) -> None:
    words, lexicon = tmp_path / "words.txt", tmp_path / "lexicon.txt"
    words.write_text("go\n2nd\ndon't\n--\n")
    ran = command("recognizer", "lm", "units", "lexicon", words, "--output", lexicon)
    assert ran.code == 0
    assert ran.err == "recognizer lm units lexicon: 2 words cannot be spelled: 2nd --\n"
    assert lexicon.read_text() == "don't 1.0 d o n t\ngo 1.0 g o\n"
    words.write_text("1\n")
    lexicon.unlink()
    ran = command("recognizer", "lm", "units", "lexicon", words, "--output", lexicon)
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert not lexicon.exists()


def test_without_sentencepiece(text: Path, command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    output = text.with_name("pieces.model")
    ran = command("recognizer", "lm", "units", "train", text, "--output", output)
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert "pip install 'recognizer[units]'" in ran.err
    assert not output.exists()
