"""Tags in transcripts are no words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.corpora.corpus import Utterance
from recognizer.data.text.rules import text_rules
from recognizer.data.text.transcripts import is_tag, spoken_tokens, spoken_words

RULES = [text_rules("english"), text_rules("unicode")]


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: rules.name)
@pytest.mark.parametrize(
    ("transcript", "tokens"),
    [
        # Noise and speech that nobody could write down.
        ("hello [noise] world", "hello [noise] world"),
        ("<UNK> said", "<unk> said"),
        ("yes (cough) no (Laughter).", "yes (cough) no (laughter)"),
        ("{laughter} well", "{laughter} well"),
        ("[door slams] who [INAUDIBLE 00:01]", "[door_slams] who [inaudible_00:01]"),
        ("[vocalized-noise] a <foreign>", "[vocalized-noise] a <foreign>"),
        ("yes[noise] [noise]no", "yes [noise] [noise] no"),
        ("one,<noise>two<other>{x}three", "one <noise> two <other> {x} three"),
        ("<laugh><cough>", "<laugh> <cough>"),
        ("%hesitation well", "%hesitation well"),
        # Silence, punctuation that nobody reads and markup vanish.
        ("<sil> a <SIL>", "a"),
        ("<s> a b </s>", "a b"),
        ("a [pause] b (short pause) c <p:>", "a b c"),
        ("!SIL a !SIL", "a"),
        ("hello <comma> world <period>", "hello world"),
        ("<b>bold</b> word", "bold word"),
        ("<foreign lang=fr> oui </foreign>", "oui"),
        # Words in brackets.
        ("he said (and so on)", "he said and so on"),
        ("a [laughter-fine] day", "a fine day"),
        ("((perhaps this))", "perhaps this"),
        # No tags at all.
        ("five < six > four", "five six four"),
        ("f[r]iend [] <> {}", "f r iend"),
        ("wait!", "wait"),
    ],
)
def test_each_tag_has_its_rule(rules, transcript: str, tokens: str) -> None:
    found = spoken_tokens(rules, transcript)
    assert found == tuple(tokens.split())
    words = tuple(token for token in tokens.split() if not is_tag(token))
    assert spoken_words(rules, transcript) == words
    utterance = Utterance("u", Path("u.wav"), "s", transcript, text_rules=rules.name)
    assert (utterance.words, utterance.tokens) == (words, found)


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: rules.name)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(["[noise]", "<unk>", "(cough)", "{laughter}", "<sil>", "</s>"]),
            st.text("abc'", min_size=1, max_size=4),
        )
    )
)
def test_tags_change_no_words(rules, parts: list[str]) -> None:
    words = [part for part in parts if part[0] not in "[<({"]
    assert list(spoken_words(rules, " ".join(parts))) == rules.normalize(" ".join(words)).split()
    tags = [token for token in spoken_tokens(rules, " ".join(parts)) if is_tag(token)]
    assert tags == [part for part in parts if part in ("[noise]", "<unk>", "(cough)", "{laughter}")]


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: rules.name)
@given(st.text(), st.text())
def test_any_text_has_words_of_the_rules(rules, one: str, other: str) -> None:
    for text in (one, f"{one} [noise] {other}", f"{one}<{other}>"):
        assert all(map(rules.is_word, spoken_words(rules, text)))
