"""What a recogniser is given at run time, as one object: its values, checks and plain form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recognizer import Adaptation, Grammar, NewWord, Phrase, Recognizer, UsageError


def test_strings_stand_for_words_phrases_grammars_and_paths(tmp_path: Path) -> None:
    found = Adaptation().updated(words=["Tow"], boost=["go left"], lm=tmp_path / "a.arpa")
    assert found == Adaptation(
        words=(NewWord("Tow"),), boost=(Phrase(("go", "left")),), lm=str(tmp_path / "a.arpa")
    )
    assert found.given == ("words", "boost", "lm")
    changed = found.updated(lm=None, grammar="go left", words=[])
    assert changed == Adaptation(boost=found.boost, grammar=Grammar("go left"))
    assert found.updated() == found
    assert Adaptation().given == ()
    assert len({found, found.updated(), changed}) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"words": "Tow"}, "words: expected a list, found the string 'Tow'"),
        ({"boost": "go left"}, "boost: expected a list, found the string 'go left'"),
        ({"neural_lm": "x", "neural_weight": 1.5}, "neural_weight: expected a number from 0 to 1"),
        ({"grammar": "go", "neural_lm": "x"}, "neural_lm: expected none with a grammar"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Adaptation().updated(**given)


def test_what_is_not_given_stays(toy_model: Path) -> None:
    words = [NewWord("Tow", ("T", "OW"))]
    base = Recognizer(toy_model, adaptation=Adaptation(boost=(Phrase(("go",)),)), words=words)
    assert base.adaptation.given == ("words", "boost")
    assert base.adapted(boost=[]).adaptation == Adaptation(words=tuple(words))
    assert base.adapted(Adaptation(), boost=["stop"]).adaptation.given == ("boost",)
    assert base.adapted(Adaptation()).decoder.graph is Recognizer(base.bundle).decoder.graph
    with pytest.raises(TypeError, match="vocabulary"):
        base.adapted(vocabulary=["Tow"])  # type: ignore[call-arg]
