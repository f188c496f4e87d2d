"""CMU's dictionary of English, and its phones."""

from __future__ import annotations

from recognizer.data.lexicon.lexicon import Pronunciation, without_mark
from recognizer.data.text.english.dictionary import english_lexicon, without_stress
from recognizer.data.text.rules import text_rules

READ_D = Pronunciation("read", ("R", "EH", "D"))
READ_I = Pronunciation("read", ("R", "IY", "D"))


def test_stress_goes_from_arpabet_vowels_only() -> None:
    assert [without_stress(phone) for phone in ("AH0", "ER1", "IY2", "AH", "ZH", "SIL")] == [
        "AH",
        "ER",
        "IY",
        "AH",
        "ZH",
        "SIL",
    ]
    # Tones and numbered phones of other inventories are no stress.
    assert [without_stress(phone) for phone in ("a1", "SH1", "AH3", "AH12")] == [
        "a1",
        "SH1",
        "AH3",
        "AH12",
    ]


def test_english() -> None:
    english = english_lexicon()
    assert len(english) > 120_000
    assert len(english.phones) == 39
    assert READ_D in english["read"]
    assert READ_I in english["read"]
    assert "o'clock" in english
    assert "em" in english
    assert not any(set(word) - set("abcdefghijklmnopqrstuvwxyz'") for word in english.words)
    assert not any(word[0] == "'" or word[-1] == "'" for word in english.words)
    assert text_rules("english").dictionary() is english


def test_entries_are_written_as_transcripts_are() -> None:
    rules = text_rules("english")
    for entry, word in (
        ("READ", "read"),
        ("'EM", "em"),
        ("dogs\u2019", "dogs"),
        ("Caf\u00e9", "cafe"),
        ("<UNK>", "<unk>"),
        ("[Noise]", "[noise]"),
        ("'S", "'s"),
    ):
        assert rules.entry_word(entry) == word
        assert rules.is_word(word) == (word[0] not in "<['")


def test_entries_of_the_dictionary_are_marked_with_their_stress() -> None:
    unknown = Pronunciation("zzz", ("Z", "AH", "Z"))
    reading = Pronunciation("readerly", ("R", "IY", "R", "IY", "D", "IH", "NG"))
    entries = [READ_D, unknown, *english_lexicon()["abandon"], reading]
    stressed = list(text_rules("english").with_stress(entries))
    assert [entry.phones for entry in stressed] == [
        ("R", "EH^1", "D"),
        ("Z", "AH", "Z"),
        ("AH^0", "B", "AE^1", "N", "D", "AH^0", "N"),
        ("R", "IY", "R", "IY", "D", "IH", "NG"),
    ]
    assert [entry.word for entry in stressed] == [entry.word for entry in entries]
    bare = [tuple(map(without_mark, entry.phones)) for entry in stressed]
    assert bare == [entry.phones for entry in entries]
    assert list(text_rules("unicode").with_stress(entries)) == entries
