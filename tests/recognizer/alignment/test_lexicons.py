"""Which rule set goes with which lexicon, and what the lexicons hold then."""
# ruff: noqa: RUF001

from __future__ import annotations

from pathlib import Path

import pytest

from babble_recipe import RECIPE
from recognizer.alignment.lexicons import (
    GRAPHEMES,
    chosen_rules,
    text_lexicon,
    transcript_lexicon,
    with_derived,
)
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.options import from_table
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation
from recognizer.model.config import ModelConfig
from recognizer.pipelines.recipe import read_recipe
from recognizer.pipelines.recipe_stages import recipe_stages
from recognizer.stages import run_stages


@pytest.mark.parametrize(
    ("rules", "lexicon", "expected"),
    [
        (None, None, "english"),
        (None, "lexicon.txt", "unicode"),
        (None, GRAPHEMES, "unicode"),
        ("english", "lexicon.txt", "english"),
        ("turkish", GRAPHEMES, "turkish"),
    ],
)
def test_rules_without_a_choice(rules: str | None, lexicon: str | None, expected: str) -> None:
    assert chosen_rules(rules, lexicon) == expected


def test_rules_that_do_not_go() -> None:
    with pytest.raises(UsageError, match="lexicon: expected a file or 'graphemes'"):
        chosen_rules("unicode", None)
    with pytest.raises(UsageError, match=r"text_rules: expected one of .*, found 'latin'"):
        chosen_rules("latin", "lexicon.txt")
    table = {"name": "m", "language": "fr", "licence": "x", "text_rules": "latin"}
    with pytest.raises(SpeechError, match=r"model.toml: text_rules: expected one of .*'latin'"):
        from_table(ModelConfig, table, "model.toml")


def test_tags_are_in_no_lexicon() -> None:
    spoken = Utterance("u", Path("u.wav"), "s", "Мир [noise] <unk> Ёлка", text_rules="unicode")
    assert transcript_lexicon(GRAPHEMES, "unicode", Path(), [[spoken]]) == Lexicon(
        [Pronunciation("мир", tuple("мир")), Pronunciation("ёлка", tuple("ёлка"))]
    )


def test_only_rules_that_can_derive_do(tmp_path: Path) -> None:
    known = Lexicon([Pronunciation("dog", ("D", "AO", "G"))])
    assert "dogs" in with_derived(known, "english", ["dogs", "dog"])
    assert with_derived(known, "unicode", ["dogs", "dog"]) == known
    (tmp_path / "lexicon.txt").write_text("DOG D AO1 G\n")
    english = text_lexicon("lexicon.txt", "english", tmp_path, ["dogs"])
    assert english == known  # a lexicon of one's own is taken as it is
    assert text_lexicon("lexicon.txt", "unicode", tmp_path, []).phones == ("AO1", "D", "G")


def test_sentences_of_a_recipe_follow_its_rules(tmp_path: Path) -> None:
    corpora = tmp_path / "corpora"
    corpora.mkdir()
    text = "L\u2019ÉTÉ [noise] <unk>, été!\n<sil>\n\nКто\u2011то (cough) Ёлка.\n"
    (corpora / "text.txt").write_text(text, encoding="utf-8")
    (tmp_path / "recipe.toml").write_text(RECIPE)
    recipe = read_recipe(str(tmp_path / "recipe.toml"))
    stages = [
        one for one in recipe_stages(recipe, corpora, tmp_path / "work") if one.name == "text"
    ]
    run_stages(stages, tmp_path / "work")
    (sentences,) = (tmp_path / "work").rglob("sentences.txt")
    assert sentences.read_text(encoding="utf-8") == "l'été été\nкто-то ёлка\n"
