"""Derived words are spoken as their parts are."""

from __future__ import annotations

from pathlib import Path

import pytest

from recognizer.data.corpora.corpus import read_corpus
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation
from recognizer.data.text.english.derivation import derived_lexicon
from recognizer.data.text.english.dictionary import english_lexicon

CASES = {
    "huxley's": "HH AH K S L IY Z",
    "reproached": "R IY P R OW CH T",
    "stammered": "S T AE M ER D",
    "boxwood's": "B AA K S W UH D Z",
    "wretches": "R EH CH IH Z",
    "unseamed": "AH N S IY M D",
    "endeavoured": "IH N D EH V ER D",
    "rumoured": "R UW M ER D",
    "waggon": "W AE G AH N",
    "pretence": "P R IY T EH N S",
    "watchmaker": "W AA CH M EY K ER",
    "whereof": "W EH R AH V",
    "irresolute": "IH R EH Z AH L UW T",
    "abstractly": "AE B S T R AE K T L IY",
    "seem'd": "S IY M D",
    "woodcutters": "W UH D K AH T ER Z",
}


@pytest.mark.parametrize(("word", "phones"), CASES.items())
def test_cases(word: str, phones: str) -> None:
    english = english_lexicon()
    assert word not in english
    derived = derived_lexicon([word], english)
    assert phones in [" ".join(entry.phones) for entry in derived[word]]


def small(**words: str) -> Lexicon:
    return Lexicon(Pronunciation(word, tuple(phones.split())) for word, phones in words.items())


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("hopping", "HH AA P IH NG"),
        ("hoping", "HH OW P IH NG"),
        ("caller", "K AO L ER"),
        ("flies", "F L AY Z"),
        ("flier", "F L AY ER"),
        ("added", "AE D IH D"),
        ("gently", "JH EH N T AH L IY"),
        ("callhop", "K AO L HH AA P"),
    ],
)
def test_spelling_of_stems(word: str, phones: str) -> None:
    lexicon = small(
        hop="HH AA P", hope="HH OW P", call="K AO L", fly="F L AY", add="AE D",
        gentle="JH EH N T AH L",
    )  # fmt: skip
    derived = derived_lexicon([word], lexicon)
    assert [entry.phones for entry in derived[word]] == [tuple(phones.split())]


def test_only_new_words_and_only_what_the_rules_reach() -> None:
    lexicon = small(hop="HH AA P", hops="HH AA P S")
    derived = derived_lexicon(["hop", "hops", "zzyzx", "x", "hops's", "", "'s", "hopped"], lexicon)
    assert derived.words == ("hopped", "hops's")
    assert not derived_lexicon([], lexicon).words


def test_derived_words_of_the_training_text_are_mostly_as_the_dictionary_says() -> None:
    # Take every ninth inflected word out of the dictionary and derive it from the rest.
    english = english_lexicon()
    inflected = [w for w in english.words if w.endswith(("ing", "ed", "ly", "ness", "'s"))][::9]
    rest = Lexicon(entry for entry in english if entry.word not in set(inflected))
    derived = derived_lexicon(inflected, rest)
    assert len(derived) > 0.8 * len(inflected)
    right = sum(any(entry in english[word] for entry in derived[word]) for word in derived.words)
    assert right > 0.85 * len(derived)


def test_unknown_words_of_real_transcripts(corpora: Path) -> None:
    english = english_lexicon()
    words = {w for u in read_corpus(corpora / "mini-librispeech" / "train") for w in u.words}
    unknown = words - set(english.words)
    assert len(derived_lexicon(unknown, english)) > 0.5 * len(unknown)
