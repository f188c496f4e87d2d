"""Cues: every word once, at its time, in texts that fit; cut where it is best."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recognizer.data.errors import UsageError
from recognizer.formats.cues import SubtitleOptions, cues
from recognizer.recognition.result import Word

PLAIN = SubtitleOptions()

OPTIONS = st.builds(
    SubtitleOptions,
    max_line_length=st.integers(1, 50),
    max_lines=st.integers(1, 3),
    max_characters_per_second=st.floats(1, 40),
    min_duration=st.floats(0, 2),
    max_duration=st.floats(2, 8),
    min_gap=st.floats(0, 0.5),
    max_pause=st.floats(0, 3),
)


def said(*words: tuple[str, float, float]) -> list[Word]:
    """Words, each with the pause before it and its length in seconds."""
    result, time = [], 0.0
    for text, pause, length in words:
        result.append(Word(text, time + pause, time + pause + length, 1.0))
        time += pause + length
    return result


def evenly(text: str, length: float = 0.3, start: float = 0.0) -> list[Word]:
    return [
        Word(word, start + index * length, start + (index + 1) * length, 1.0)
        for index, word in enumerate(text.split())
    ]


SPEECH = st.lists(
    st.tuples(
        st.text("abcdefgh'", min_size=1, max_size=60) | st.sampled_from(["a", "word", "sentence"]),
        st.sampled_from([0.0, 0.0, 0.0, 0.03, 0.3, 0.8, 4.0]),
        st.floats(0.0, 1.5) | st.just(0.01) | st.just(9.0),
    ),
    max_size=40,
).map(lambda words: said(*words))


@given(SPEECH, OPTIONS, st.sampled_from([0.0, 36000.0, 360000.0]))
@example(said(("a", 0.0, 0.0), ("b", 0.0, 0.0), ("c", 0.0, 0.0)), PLAIN, 0.0)
def test_cues_have_every_word_once_at_its_time(words, options, offset):
    words = [Word(w.word, w.start + offset, w.end + offset, 1.0) for w in words]
    duration = words[-1].end if words else 1.0
    found = cues(words, duration, options)
    shown = [word for cue in found for word in cue.words]
    assert [word.text for word in shown] == [word.word for word in words]
    for word, one in zip(words, shown, strict=True):
        late = one.start - 1000 * word.start
        assert -0.5 - 1e-6 <= late <= 0.5 + len(words)  # words of no length are moved apart
    assert all(a.start < b.start for a, b in itertools.pairwise(shown))
    for cue in found:
        assert cue.start == cue.words[0].start
        assert cue.start < cue.end
        assert cue.words[-1].start < cue.end
        assert len(cue.lines) <= options.max_lines
        assert all(
            len(" ".join(word.text for word in line)) <= options.max_line_length or len(line) == 1
            for line in cue.lines
        )
        if len(cue.words) > 1:
            assert cue.words[-1].end - cue.start <= round(1000 * options.max_duration)
            pauses = (b.start - a.end for a, b in itertools.pairwise(cue.words))
            assert max(pauses) <= round(1000 * options.max_pause)
    gap = round(1000 * options.min_gap)
    for cue, after in itertools.pairwise(found):
        assert cue.end <= after.start
        half = math.ceil((after.start - cue.words[-1].start) / 2)
        assert after.start - cue.end >= min(gap, after.start - cue.words[-1].start - half)
        # Shown as long as it is spoken, read and asked for, or as long as there is time.
        need = cue.start + min(
            max(
                1000 * options.min_duration,
                1000 * len(cue.text) / options.max_characters_per_second,
            ),
            1000 * options.max_duration,
        )
        latest = min(after.start - gap, after.start)
        assert cue.end >= min(max(need - 1, cue.words[-1].end), latest)
    if found:
        assert found[-1].end >= found[-1].words[-1].end
        assert found[-1].end <= max(round(1000 * duration), found[-1].words[-1].end)


def test_times_are_exact_after_hours():
    """To the millisecond, whatever the frame shift, up to hundreds of hours."""
    for hours, frame in itertools.product((0, 9, 99, 101, 999), range(0, 300, 7)):
        start = hours * 3600 + frame * 0.03
        (cue,) = cues([Word("a", start, start + 0.03, 1.0)], start + 0.03)
        begin = hours * 3_600_000 + frame * 30
        assert (cue.start, cue.end) == (begin, begin + 30)


def texts(words: list[Word], options: SubtitleOptions = PLAIN, duration: float = 1e6) -> list[str]:
    return [cue.text for cue in cues(words, duration, options)]


def test_cues_are_cut_at_pauses():
    first = evenly("she opened the door and looked out")
    second = evenly("but nobody was there to be seen at all that day", start=first[-1].end + 0.4)
    assert texts(first + second) == [
        "she opened the door and looked out",
        "but nobody was there to\nbe seen at all that day",
    ]
    long = said(("yes", 0.0, 0.4), ("and", 1.2, 0.2), ("no", 0.0, 0.4))
    assert texts(long) == ["yes", "and no"]
    assert texts(long, SubtitleOptions(max_pause=2.0)) == ["yes and no"]


def test_lines_are_balanced_and_words_are_whole():
    words = evenly("the quick brown fox jumps over the lazy dog again")
    assert texts(words) == ["the quick brown fox jumps\nover the lazy dog again"]
    assert texts(words, SubtitleOptions(max_lines=1)) == [
        "the quick brown fox jumps",
        "over the lazy dog again",
    ]
    assert texts(evenly("a " + "long" * 20 + " b"), SubtitleOptions(max_lines=3)) == [
        "a\n" + "long" * 20 + "\nb"
    ]


def test_cues_stay_to_be_read_as_far_as_the_pause_allows():
    words = said(("immediately", 0.0, 0.3), ("gone", 1.5, 0.5))
    first, last = cues(words, 2.5)
    assert (first.start, first.end) == (0, 1000)  # shown for the shortest time that is allowed
    assert (last.start, last.end) == (1800, 2500)  # the recording's end
    slow = SubtitleOptions(max_characters_per_second=5.0)
    first, last = cues(words, 60.0, slow)
    assert first.end == 1800 - 80  # 11 characters would need 2.2 s
    assert last.end == 2800  # the shortest time again
    assert cues(evenly("abcde fghij", 0.1), 60.0, slow)[0].end == 2200


def test_a_gap_is_left_where_speech_goes_on():
    options = SubtitleOptions(max_lines=1, max_line_length=10)
    first, second = cues(evenly("aaaaaaaa bbbbbbbb", 0.6), 1.2, options)
    assert (first.start, first.end, second.start) == (0, 520, 600)
    first, second = cues(evenly("aaaaaaaa bbbbbbbb", 0.1), 1.2, options)
    assert (first.start, first.end, second.start) == (0, 50, 100)  # half of a very short word


def fewest_lines(lengths: list[int], width: int) -> int:
    """Lines of words of these lengths, by trying all ways to cut."""
    return min(
        sum(cuts) + 1
        for cuts in itertools.product((False, True), repeat=len(lengths) - 1)
        for borders in [[0, *(i + 1 for i, cut in enumerate(cuts) if cut), len(lengths)]]
        if all(sum(lengths[a:b]) + b - a - 1 <= width for a, b in itertools.pairwise(borders))
    )


@given(st.lists(st.integers(1, 12), min_size=1, max_size=9))
def test_no_more_cues_than_needed(lengths):
    """Where all words follow each other without a pause, and there is time to read."""
    options = SubtitleOptions(max_lines=1, max_line_length=20, max_duration=1000, min_gap=0)
    words = said(*(("x" * length, 0.0, 1.0) for length in lengths))
    assert len(cues(words, 1000.0, options)) == fewest_lines(lengths, 20)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_line_length": 0},
        {"max_lines": 0},
        {"max_characters_per_second": 0.0},
        {"max_duration": math.inf},
        {"max_duration": 0.5},
        {"min_duration": -1.0},
        {"min_gap": math.nan},
        {"max_pause": -0.1},
    ],
)
def test_impossible_options_are_named(wrong):
    with pytest.raises(UsageError, match=f"({next(iter(wrong))}|min_duration): expected"):
        SubtitleOptions(**wrong)
