"""Scores and decisions of keywords."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_toys import word_tree
from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.keywords.index import (
    IndexBuilder,
    IndexedUtterance,
    IndexSettings,
    KeywordIndex,
)
from recognizer.decoding.keywords.postings import lattice_postings
from recognizer.decoding.lattice.arc_times import state_times
from recognizer.keywords.detections import (
    DetectionOptions,
    detections,
    keyword_threshold,
    keyword_words,
    moved_to_one_half,
    read_keywords,
    unknown_words,
)
from search_toys import SYMBOLS

A, B, C = SYMBOLS[1:4]


def index_of(text_rules: str = "") -> KeywordIndex:
    builder = IndexBuilder(IndexSettings(0.01, 0.0, text_rules), SYMBOLS)
    for number, weights in enumerate(({(1, 2): 0.9, (3,): 0.1}, {(1,): 0.4, (3,): 0.6})):
        lattice = word_tree(weights)
        postings = lattice_postings(lattice, state_times(lattice), 1.0)
        builder.add(
            IndexedUtterance(f"u{number}", "r", 5.0 * number, 500.0),
            postings,
            lattice.symbols,
            lattice.num_states,
        )
    return builder.build()


@given(st.floats(0.01, 50.0), st.floats(0.0, 1.0), st.floats(100.0, 1e6), st.floats(0.5, 1e4))
def test_a_keywords_threshold_is_where_gain_and_loss_are_equal(
    expected: float, posterior: float, seconds: float, beta: float
) -> None:
    threshold = keyword_threshold(expected, seconds, beta)
    gain = threshold / expected
    assert gain == pytest.approx(beta * (1.0 - threshold) / (seconds - expected))
    score = moved_to_one_half(posterior, threshold)
    assert 0.0 <= score <= 1.0
    if abs(posterior - threshold) > 1e-6:
        assert (score >= 0.5) == (posterior >= threshold)


def test_extreme_thresholds_and_posteriors() -> None:
    assert moved_to_one_half(0.3, 0.3) == pytest.approx(0.5)
    assert (moved_to_one_half(1.0, 0.2), moved_to_one_half(0.0, 0.2)) == (1.0, 0.0)
    assert (moved_to_one_half(1.0, 1.0), moved_to_one_half(0.9, 1.0)) == (1.0, 0.0)
    assert keyword_threshold(100.0, 10.0) == 1.0


def test_detections_have_the_times_of_recordings() -> None:
    own = DetectionOptions(thresholds="keyword")
    found = detections(index_of(), A)
    assert [(one.utterance, one.start, one.end, one.decision) for one in found] == [
        ("u0", 0.0, pytest.approx(0.01), True),
        ("u1", 5.0, pytest.approx(5.01), False),
    ]
    assert [one.score for one in found] == pytest.approx([0.9, 0.4])
    assert [one.decision for one in detections(index_of(), A, own)] == [True, False]
    # 1.3 occurrences are expected in 1000 seconds: that is a threshold of 0.57.
    threshold = keyword_threshold(1.3, 1000.0)
    scores = [moved_to_one_half(value, threshold) for value in (0.9, 0.4)]
    assert [one.score for one in detections(index_of(), A, own)] == pytest.approx(scores)
    (phrase,) = detections(index_of(), f"{A} {B}")
    assert (phrase.utterance, phrase.posterior) == ("u0", pytest.approx(0.9))


def test_rows_and_json() -> None:
    one = detections(index_of(), A)[1]
    assert one.row() == f"{A}\tu1\tr\t5.00\t5.01\t0.400000\t0.400000\tno\n"
    assert json.loads(one.json()) == {
        "keyword": A,
        "utterance": "u1",
        "recording": "r",
        "start": 5.0,
        "end": 5.01,
        "posterior": pytest.approx(0.4),
        "score": pytest.approx(0.4),
        "decision": False,
    }


def test_keywords_are_written_by_the_rules_of_the_index(tmp_path: Path) -> None:
    assert keyword_words(index_of(), "A b") == ("A", "b")
    english = index_of("english")
    assert keyword_words(english, "Twenty-1 A") == ("twenty", "one", "a")
    assert unknown_words(english, f"Nowhere {A}") == ("nowhere",)
    for keyword in ("", " ", "..."):
        with pytest.raises(UsageError, match="expected at least one word, found none"):
            keyword_words(english, keyword)
    path = tmp_path / "list"
    path.write_text("a  b\n\nc\na b\n")
    assert read_keywords(path) == ("a b", "c")
    path.write_text("\n")
    with pytest.raises(SpeechError, match="expected keywords, one a line, found none"):
        read_keywords(path)


@pytest.mark.parametrize(
    ("option", "value"),
    [("thresholds", "none"), ("threshold", 1.1), ("beta", 0.0), ("max_gap", -1.0)],
)
def test_impossible_options_are_refused(option: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"^{option}: expected"):
        DetectionOptions(**{option: value})
