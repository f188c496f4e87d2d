"""The table of `benchmarks.recognition.subtitles`, from words and cues whose times are known."""

import math

from benchmarks.recognition.subtitles import compare, cue_words

_SAID = [("a", 0.0, 0.4), ("b", 0.5, 0.9), ("c", 1.0, 1.4), ("d", 3.0, 3.4), ("e", 3.5, 3.9)]


def test_cues_are_compared_with_the_words_that_they_show() -> None:
    found = [("a", 0.1, None), ("b", None, 0.8), ("c", 1.5, None), ("d", None, None)]
    row, outside = compare(_SAID, [*found, ("e", None, 3.4)])
    assert row["starts"] == row["ends"] == 2
    assert row["wer"] == 0.0
    assert row["starts_within_0.3_s"] == 50.0
    assert row["start_error_largest"] == 0.5
    assert row["ends_before_word_by_0.3_s"] == 50.0
    assert outside == [{"word": "c", "said": 1.0, "shown": 1.5}]


def test_a_word_beside_an_error_is_counted_apart() -> None:
    found = [("a", 0.0, None), ("b", None, None), ("x", None, 1.4), ("d", 4.0, None)]
    row, outside = compare(_SAID, [*found, ("e", None, 3.9)])
    assert (row["starts"], row["starts_beside_errors"]) == (1, 1)
    assert row["of_these_within_0.3_s"] == 0.0
    assert row["wer"] == 20.0
    assert not outside


def test_a_word_that_was_not_said_has_no_time_to_compare() -> None:
    said = [_SAID[0], ("b", math.nan, math.nan), *_SAID[2:]]
    found = [("a", 0.0, None), ("b", 9.0, None), ("c", 1.0, None), ("d", None, 3.4)]
    row, outside = compare(said, [*found, ("e", 3.5, 3.9)])
    assert row["starts"] == 3
    assert not outside


def test_the_words_of_cues_have_the_times_of_their_cue_at_its_ends() -> None:
    text = "1\n00:00:01,000 --> 00:00:02,500\none two\nthree\n"
    assert list(cue_words(text)) == [("one", 1.0, None), ("two", None, None), ("three", None, 2.5)]
