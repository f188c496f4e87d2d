"""Words are derived as the dictionary's own words are made."""

from __future__ import annotations

from functools import cache

import pytest

from data.derived_pronunciations import MAX_VARIANTS, Derivation, extended_lexicon
from data.errors import UsageError
from data.lexicon import Lexicon, Pronunciation, english_lexicon

CASES = {
    "huxley's": "HH AH K S L IY Z",
    "boxwood's": "B AA K S W UH D Z",
    "reproached": "R IY P R OW CH T",
    "ornamenting": "AO R N AH M AH N T IH NG",
    "abstractly": "AE B S T R AE K T L IY",
    "jerkily": "JH ER K AH L IY",
    "debaucheries": "D AH B AO CH ER IY Z",
    "unseamed": "AH N S IY M D",
    "rumoured": "R UW M ER D",
    "endeavoured": "IH N D EH V ER D",
    "waggons": "W AE G AH N Z",
    "offence": "AH F EH N S",
    "dress'd": "D R EH S T",
    "watchmaker": "W AA CH M EY K ER",
    "ladyship": "L EY D IY SH IH P",
    "whereof": "W EH R AH V",
}


@cache
def english() -> Derivation:
    return Derivation(english_lexicon())  # takes seconds


def lexicon_of(words: dict[str, str]) -> Lexicon:
    return Lexicon(Pronunciation(word, tuple(phones.split())) for word, phones in words.items())


# Stems with their inflected forms: enough to see how -ed and -s are made, and of which stem.
VERBS = {
    "hop": "HH AA P", "hopped": "HH AA P T", "stop": "S T AA P", "stopped": "S T AA P T",
    "hope": "HH OW P", "hoped": "HH OW P T", "cope": "K OW P", "coped": "K OW P T",
    "hoping": "HH OW P IH NG", "coping": "K OW P IH NG",
    "call": "K AO L", "called": "K AO L D", "mail": "M EY L", "mailed": "M EY L D",
    "add": "AE D", "added": "AE D IH D", "mend": "M EH N D", "mended": "M EH N D IH D",
    "carry": "K AE R IY", "carried": "K AE R IY D",
    "rope": "R OW P", "drop": "D R AA P", "sail": "S EY L", "bend": "B EH N D", "pity": "P IH T IY",
}  # fmt: skip


@pytest.mark.parametrize(("word", "phones"), CASES.items())
def test_words_of_books(word: str, phones: str) -> None:
    derived = english().derive(word)
    assert derived is not None
    assert derived.reliability > 0.5
    assert phones in [" ".join(variant) for variant in derived.pronunciations]


@pytest.mark.parametrize(
    ("word", "rule", "phones"),
    [
        ("roped", "-d", "R OW P T"),
        ("roping", "e-ing", "R OW P IH NG"),
        ("dropped", "double-ed", "D R AA P T"),
        ("sailed", "-ed", "S EY L D"),
        ("bended", "-ed", "B EH N D IH D"),
        ("pitied", "y-ed", "P IH T IY D"),
    ],
)
def test_sounds_and_spellings_are_learnt(word: str, rule: str, phones: str) -> None:
    derived = Derivation(lexicon_of(VERBS)).derive(word)
    assert derived is not None
    assert (derived.rule, derived.pronunciations) == (rule, (tuple(phones.split()),))


def test_what_the_dictionary_does_not_bear_out_is_unreliable() -> None:
    # Of four words in -er two are no derived words: the share is (2 + 0) / (4 + 2), beside L
    # (2 + 2 * 1/3) / (2 + 2), that is two thirds.
    words = {
        "mail": "M EY L", "mailer": "M EY L ER", "call": "K AO L", "caller": "K AO L ER",
        "corn": "K AO R N", "corner": "K AH N ER", "lad": "L AE D", "lader": "L EY D ER",
        "sail": "S EY L", "win": "W IH N",
    }  # fmt: skip
    derivation = Derivation(lexicon_of(words))
    sailer, winner = derivation.derive("sailer"), derivation.derive("winer")
    assert sailer is not None
    assert sailer.reliability == pytest.approx(2 / 3)
    assert winner is not None
    assert winner.reliability < 0.5
    extended = extended_lexicon(lexicon_of(words), ["sailer", "winer"])
    assert "sailer" in extended
    assert "winer" not in extended
    assert "winer" in extended_lexicon(lexicon_of(words), ["winer"], min_reliability=0.0)


def test_derivations_stand_on_derivations_up_to_the_given_steps() -> None:
    derivation = english()
    for steps, found in [(1, False), (3, True)]:
        derived = derivation.derive("unendeavoured", steps)
        assert (derived is not None and derived.reliability > 0.5) == found


def test_all_variants_of_the_stem_are_derived() -> None:
    lexicon = english_lexicon()
    for word, stem in [("roofless", "roof"), ("aunt's", "aunt"), ("directorless", "director")]:
        derived = english().derive(word)
        assert derived is not None
        starts = tuple(entry.phones for entry in lexicon[stem])[:MAX_VARIANTS]
        assert (
            tuple(p[: len(s)] for p, s in zip(derived.pronunciations, starts, strict=True))
            == starts
        )


def test_no_derivation() -> None:
    for word in ["", "x", "'s", "zzyzx", "xqwv", "'d"]:
        assert english().derive(word) is None
    assert Derivation(Lexicon([])).derive("words") is None


def test_the_lexicon_is_kept_and_derivation_does_not_depend_on_the_other_words() -> None:
    english_words = english_lexicon().restricted_to(english_lexicon().words[::4])
    words = ["zzyzx", *english_words.words[:3], *CASES]
    extended = extended_lexicon(english_words, words)
    assert extended.restricted_to(english_words.words) == english_words
    assert len(english_words) < len(extended) <= len(english_words) + len(CASES)
    backwards = extended_lexicon(english_words, reversed(words))
    assert backwards == extended
    assert extended_lexicon(english_words, []) == english_words


def test_reliability_is_the_share_of_words_that_come_out_right() -> None:
    # Every twentieth word is taken out of the dictionary and derived from the rest.
    lexicon = english_lexicon()
    held = lexicon.words[::20]
    derivation = Derivation(lexicon.restricted_to(set(lexicon.words) - set(held)))
    found = {word: derived for word in held if (derived := derivation.derive(word))}

    def accuracy(low: float, high: float) -> float:
        right = [
            any(entry.phones in derived.pronunciations for entry in lexicon[word])
            for word, derived in found.items()
            if low <= derived.reliability < high
        ]
        assert len(right) > 300
        return sum(right) / len(right)

    assert accuracy(0.9, 1.0) > 0.93
    assert accuracy(0.7, 0.9) > 0.75
    assert accuracy(0.5, 0.7) > 0.5
    assert accuracy(0.0, 0.5) < 0.5


def test_a_share_outside_its_range_is_an_error() -> None:
    with pytest.raises(UsageError, match="expected 0 to 1, found 2"):
        extended_lexicon(lexicon_of(VERBS), [], min_reliability=2)
