"""Pieces of words: training, segmenting, joining."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.lexicon.graphemes import graphemes
from recognizer.lm.units.pieces import (
    MARK,
    JoinedWord,
    PieceModel,
    PieceOptions,
    begins_word,
    join_pieces,
    joined_words,
    train_pieces,
    whole_words,
)

TEXT = (
    "the reader reads what the writer writes and the writer wrote what readers read "
    "don't go o'er there where the going's good that's that isn't it"
)
COUNTS = Counter(TEXT.split() * 3)

words = st.text(alphabet="abcdeghinorstw'", min_size=1, max_size=12)


@pytest.fixture(scope="module", params=["unigram", "bpe"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> PieceModel:
    pytest.importorskip("sentencepiece")
    path = tmp_path_factory.mktemp("pieces") / "text.model"
    return train_pieces(COUNTS, path, PieceOptions(size=45, algorithm=request.param))


def test_joining_needs_only_the_mark() -> None:
    pieces = ["▁re", "cogn", "ition", "▁of", "▁don", "'t"]
    assert join_pieces(pieces) == (
        JoinedWord("recognition", 0, 3),
        JoinedWord("of", 3, 4),
        JoinedWord("don't", 4, 6),
    )
    assert joined_words(["ition", "▁of"]) == ("ition", "of")  # begins within a word
    assert join_pieces([]) == ()
    assert whole_words(["a", "b"]) == (JoinedWord("a", 0, 1), JoinedWord("b", 1, 2))


@given(st.lists(st.lists(st.text("abc'", min_size=1), min_size=1)))
def test_joining_undoes_marking(spelled: list[list[str]]) -> None:
    pieces = [MARK + part if i == 0 else part for word in spelled for i, part in enumerate(word)]
    assert joined_words(pieces) == tuple("".join(word) for word in spelled)


@given(sentence=st.lists(words))
def test_any_words_can_be_cut_and_joined(model: PieceModel, sentence: list[str]) -> None:
    pieces = model.segment(" ".join(sentence)).split()
    assert list(joined_words(pieces)) == sentence
    assert sum(map(begins_word, pieces)) == len(sentence)
    for word in sentence:
        found = model.pieces_of(word)
        spelled = [graphemes(piece) for piece in found]
        assert sum(spelled, ()) == graphemes(word)
        if graphemes(word):
            assert all(spelled), "every piece has a sound"
        else:
            assert found == (MARK + word,)


def test_frequent_words_are_single_pieces(model: PieceModel) -> None:
    assert "▁the" in model.segment("the reader").split()
    assert len(model.pieces_of("readers")) < len("readers")
    assert list(model.segment_all(["the", "", "it it"])) == [
        "▁the",
        "",
        model.segment("it") + " " + model.segment("it"),
    ]


def test_the_vocabulary_can_spell_anything(model: PieceModel) -> None:
    vocabulary = model.vocabulary({**COUNTS, "2nd": 1})
    assert len(set(vocabulary)) == len(vocabulary)
    assert all(map(graphemes, vocabulary))
    for letter in set(TEXT) - set(" '"):
        assert {letter, MARK + letter} <= set(vocabulary)
    for word in COUNTS:
        assert set(model.pieces_of(word)) <= set(vocabulary)
    assert not any("2" in piece for piece in vocabulary)


def test_the_same_text_makes_the_same_file(tmp_path: Path) -> None:
    pytest.importorskip("sentencepiece")
    path = tmp_path / "text.model"
    train_pieces(COUNTS, path, PieceOptions(size=45))
    before = path.read_bytes()
    train_pieces(dict(reversed(COUNTS.items())), path, PieceOptions(size=45))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert PieceModel.read(path).segment(TEXT) == PieceModel.read(path).segment(TEXT)


def test_impossible_training(tmp_path: Path) -> None:
    pytest.importorskip("sentencepiece")
    path = tmp_path / "text.model"
    for counts, options, fault in (
        ({}, PieceOptions(), "expected words"),
        (COUNTS, PieceOptions(min_count=1000), "expected words"),
        (COUNTS, PieceOptions(size=5), "sentencepiece: Vocabulary size is smaller"),
        ({f"{MARK}a": 1}, PieceOptions(), "expected words without U\\+2581"),
    ):
        with pytest.raises(SpeechError, match=fault):
            train_pieces(counts, path, options)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SpeechError, match="cannot be written"):
        train_pieces(COUNTS, tmp_path / "none" / "text.model", PieceOptions(size=45))


def test_files_that_are_no_models(tmp_path: Path) -> None:
    pytest.importorskip("sentencepiece")
    path = tmp_path / "text.model"
    with pytest.raises(SpeechError, match="cannot be read: No such file"):
        PieceModel.read(path)
    for content in (b"", b"no such thing" * 10):
        path.write_bytes(content)
        with pytest.raises(SpeechError, match="expected a sentencepiece model"):
            PieceModel.read(path)


def test_without_sentencepiece(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(SpeechError, match=r"pip install 'recognizer\[units\]'"):
        train_pieces(COUNTS, tmp_path / "text.model")
    with pytest.raises(SpeechError, match=r"pip install 'recognizer\[units\]'"):
        PieceModel.read(tmp_path / "text.model")


@pytest.mark.parametrize(
    "name, value", [("size", 0), ("min_count", 0), ("algorithm", "x"), ("character_coverage", 0.5)]
)
def test_impossible_options(name: Literal["size"], value: int) -> None:
    with pytest.raises(UsageError, match=name):
        PieceOptions(**{name: value})
