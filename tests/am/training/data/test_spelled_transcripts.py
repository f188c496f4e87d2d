from __future__ import annotations

from recognizer.am.training.data.transcripts import spell_transcripts
from recognizer.data.text.characters import CharacterSet
from recognizer.data.text.rules import text_rules


def test_targets_and_what_cannot_be_spelled() -> None:
    characters = CharacterSet(tuple(" abc"))
    transcripts = {"one": "A cab!", "two": "bad", "three": "", "four": "Abba"}
    spelled = spell_transcripts(transcripts, characters, text_rules("unicode"))
    assert list(spelled.targets) == ["one", "four"]
    assert spelled.targets["one"].tokens.tolist() == [2, 1, 4, 2, 3]
    assert spelled.targets["four"].fault(characters.num_outputs) == ""
    assert spelled.dropped == (
        "two: 'bad': expected characters of the set, found 'd'",
        "three: expected words, found none",
    )
