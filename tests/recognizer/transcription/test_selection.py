"""Which transcripts are kept: each limit on its own, and all of them on anything."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.errors import UsageError
from recognizer.data.text.rules import text_rules
from recognizer.transcription.selection import SelectionOptions, select
from recognizer.transcription.transcript import Transcript

GOOD = Transcript("u", "It's 25 past two, Mr. Jones.", (0.9, 0.8, 0.7, 1.0, 0.9, 0.8), 3.0)
ALL = SelectionOptions(min_confidence=0.0, min_rate=0.0, max_rate=1e6, max_seconds=1e6)


def reason(transcript: Transcript, options: SelectionOptions = ALL) -> str | None:
    """Why a transcript is dropped."""
    selection = select([transcript], "english", options)
    assert len(selection.kept) + selection.dropped.total() == 1
    return next(iter(selection.dropped), None)


def test_words_are_written_as_the_rules_say() -> None:
    selection = select([GOOD], "english")
    (one,) = selection.kept.values()
    assert " ".join(one.words) == "it's twenty five past two mister jones"
    assert one.confidence == pytest.approx(0.85)
    assert (one.seconds, selection.hours) == (3.0, 3.0 / 3600)


def test_other_rules_write_other_words() -> None:
    one = replace(GOOD, text="Größe 25")
    assert select([one], "unicode", ALL).kept["u"].words == ("größe", "25")
    assert reason(one) is None  # folded: grosse


@pytest.mark.parametrize(
    ("limits", "bad", "good", "expected"),
    [
        ({"min_confidence": 0.86}, {}, {"confidences": (0.86,)}, "low confidence"),
        ({"min_confidence": 0.01}, {"confidences": ()}, {"confidences": (0.01,)}, "low confidence"),
        (
            {"min_word_confidence": 0.8},
            {},
            {"confidences": (0.8, 0.9)},
            "a word of low confidence",
        ),
        ({"min_words": 8}, {}, {"text": "a b c d e f g h"}, "too few words"),
        ({}, {"text": "... [noise]"}, {"text": "oh"}, "too few words"),
        ({"min_rate": 10.0}, {"seconds": 3.3}, {}, "too few letters a second"),
        ({"max_rate": 10.0}, {}, {"seconds": 3.3}, "too many letters a second"),
        ({"max_seconds": 2.9}, {}, {"seconds": 2.9}, "too long"),
        ({}, {"error": "u.wav: no such file"}, {}, "not transcribed"),
    ],
)
def test_each_limit(
    limits: dict[str, float], bad: dict[str, object], good: dict[str, object], expected: str
) -> None:
    options = replace(ALL, **limits)
    assert reason(replace(GOOD, **bad), options) == expected
    assert reason(replace(GOOD, **good), options) is None


def test_what_cannot_be_spoken_is_dropped() -> None:
    """The rules know no word for it, so that the transcript would lack what was said."""
    for text in ("谢谢观看", "Спасибо за просмотр", "hello 谢谢 there"):
        assert reason(replace(GOOD, text=text)) == "letters of another script"
    assert reason(replace(GOOD, text="♪ ♪")) == "too few words"
    assert reason(replace(GOOD, text="♪ Naïve café, £5 & 10% ♪")) is None


def test_teachers_that_disagree() -> None:
    options = replace(ALL, max_disagreement=20.0)
    first = replace(GOOD, text="one two three four five")
    for text, kept in (
        ("ONE, two; three four 5", True),
        ("one two tree four five", True),
        ("one two tree for five", False),
        ("", False),
        ("one two three four five six", True),
        ("one two three four five six seven", False),
    ):
        second = {"u": replace(first, text=text)}
        selection = select([first], "english", options, second)
        assert bool(selection.kept) is kept, text
        assert kept or list(selection.dropped) == ["teachers disagree"]
    for second in ({}, {"u": replace(first, error="unreadable")}):
        assert not select([first], "english", options, second).kept


def test_a_limit_of_disagreement_goes_with_a_second_teacher() -> None:
    with pytest.raises(UsageError, match="both a second teacher and max_disagreement"):
        select([GOOD], "english", replace(ALL, max_disagreement=10.0))
    with pytest.raises(UsageError, match="both a second teacher and max_disagreement"):
        select([GOOD], "english", ALL, {"u": GOOD})


def test_what_people_are_told() -> None:
    low = replace(GOOD, utterance="v", confidences=(0.1,), seconds=5400.0)
    selection = select([GOOD, low], "english", replace(ALL, min_confidence=0.5))
    assert selection.lines() == (
        "1 of 2 transcripts kept, 0.00 of 1.50 hours",
        "1 dropped: low confidence",
    )


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"min_confidence": 1.1}, "min_confidence: expected 0 to 1, found 1.1"),
        ({"min_confidence": float("nan")}, "min_confidence: expected 0 to 1, found nan"),
        ({"min_word_confidence": -0.1}, "min_word_confidence: expected 0 to 1, found -0.1"),
        ({"min_words": 0}, "min_words: expected at least 1, found 0"),
        ({"min_rate": 40.0}, "expected 0 <= min_rate < max_rate, found 40.0 and 30.0"),
        ({"max_rate": float("nan")}, "expected 0 <= min_rate < max_rate"),
        ({"max_seconds": 0.0}, "max_seconds: expected above 0, found 0.0"),
        ({"max_disagreement": -1.0}, "max_disagreement: expected at least 0 percent, found -1.0"),
    ],
)
def test_impossible_limits(wrong: dict[str, float], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        SelectionOptions(**wrong)  # type: ignore[arg-type]


transcripts = st.lists(
    st.builds(
        Transcript,
        utterance=st.uuids().map(str),
        text=st.one_of(st.text(max_size=40), st.just("a few good words")),
        confidences=st.lists(st.floats(0.0, 1.0), max_size=5).map(tuple),
        seconds=st.floats(0.0, 60.0),
        error=st.one_of(st.none(), st.none(), st.just("unreadable")),
    ),
    max_size=8,
    unique_by=lambda one: one.utterance,
)


@given(made=transcripts, rules=st.sampled_from(["english", "unicode"]))
def test_all_are_kept_or_counted(made: list[Transcript], rules: str) -> None:
    selection = select(made, rules)
    assert len(selection.kept) + selection.dropped.total() == len(made)
    total = sum(one.seconds for one in made)
    assert selection.hours * 3600 + selection.dropped_seconds == pytest.approx(total)
    by_id = {one.utterance: one for one in made}
    for name, one in selection.kept.items():
        text = " ".join(one.words)
        assert text_rules(rules).normalize(text) == text
        assert one.confidence == by_id[name].confidence >= 0.7
        letters = len(text.replace(" ", ""))
        assert 3.0 * one.seconds <= letters <= 30.0 * one.seconds
