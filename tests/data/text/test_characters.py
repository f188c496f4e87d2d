"""Sets of characters, Latin and hanzi, and transcripts spelled with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError
from recognizer.data.text.characters import CharacterSet, spelled
from recognizer.data.text.rules import text_rules

UNICODE = text_rules("unicode")
ENGLISH = CharacterSet((" ", "'", *map(chr, range(ord("a"), ord("z") + 1))))


def test_characters_of_english_transcripts() -> None:
    found = CharacterSet.of_text(["It's A dog.", "zebras!"], text_rules("english"))
    assert found.characters == tuple(" 'abdegiorstz")
    assert found.num_outputs == 14
    tokens = found.encode("it's a dog")
    assert tokens.min() > 0 and found.decode(tokens) == "it's a dog"


def test_hanzi_need_no_spaces() -> None:
    found = CharacterSet.of_text(["你好。世界。", "我 用 Python 3 和 big data。"], UNICODE)
    assert " " in found.characters and {"你", "好", "p", "3"} <= set(found.characters)
    text = UNICODE.normalize("你好, 我 用 big data 和 Python")
    assert spelled(text) == "你好我用big data和python"
    assert found.decode(found.encode(text)) == spelled(text)
    assert CharacterSet.of_text(["你好。世界。"], UNICODE).characters == tuple("世你好界")


def test_rare_characters_are_left_out() -> None:
    found = CharacterSet.of_text(["aab", "abc"], UNICODE, least=2)
    assert found.characters == ("a", "b")
    assert (found.missing("aba"), found.missing("abcd")) == ("", "c")
    with pytest.raises(SpeechError, match="'abc': expected characters of the set, found 'c'"):
        found.encode("abc")
    with pytest.raises(SpeechError, match="characters: expected at least one, found none"):
        CharacterSet.of_text(["ab"], UNICODE, least=2)


@given(st.text(st.sampled_from(ENGLISH.characters)))
def test_decoding_undoes_encoding(text: str) -> None:
    assert ENGLISH.decode(ENGLISH.encode(text)) == text


@pytest.mark.parametrize("characters", [ENGLISH, CharacterSet(tuple("世你 a\u0301"))])
def test_files(characters: CharacterSet, tmp_path: Path) -> None:
    path = tmp_path / "characters.txt"
    characters.write(path)
    assert CharacterSet.read(path) == characters
    assert path.read_text("utf-8").count("<space>\n") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected at least one, found none"),
        ("a\nbc\n", "number 2: expected one character or <space>, found 'bc'"),
        ("a\n\nb\n", "number 2: expected one character or <space>, found ''"),
        (" \n<space>\n", "expected each once, found ' ' again"),
        ("a\n\t\n", r"number 2: expected one character or <space>, found '\\t'"),
        ("a\nb\na\n", "expected each once, found 'a' again"),
    ],
)
def test_wrong_files(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "characters.txt"
    path.write_text(text, "utf-8")
    with pytest.raises(SpeechError, match=f"characters.txt: characters: {message}"):
        CharacterSet.read(path)
