"""SRT and WebVTT, read back by pysubs2 and webvtt-py."""

from __future__ import annotations

import io
import itertools
import re

import pysubs2
import pytest
import webvtt
from hypothesis import given
from hypothesis import strategies as st

from recognizer.formats.cues import SubtitleOptions, cues
from recognizer.formats.subtitles import srt, vtt
from recognizer.recognition.result import Hypothesis, Result, TranscriptSegment, Word

NOTHING = Hypothesis((), 0.0, 0.0)
STAMPED = SubtitleOptions(word_timestamps=True)


def result(words: list[Word]) -> Result:
    duration = words[-1].end + 1.0 if words else 1.0
    segment = TranscriptSegment(0.0, duration, tuple(words))
    return Result(tuple(words), duration, 1, NOTHING, NOTHING, segments=(segment,))


def spoken(text: str, start: float = 0.0, frames: int = 11) -> list[Word]:
    """Words that follow each other, each of so many frames of 30 ms."""
    length = 0.03 * frames
    return [
        Word(word, start + index * length, start + (index + 1) * length, 1.0)
        for index, word in enumerate(text.split())
    ]


RESULTS = st.builds(
    lambda words, start, frames: result(spoken(" ".join(words), start, frames)),
    st.lists(st.text("abcäß'-.é\u0623", min_size=1, max_size=15), max_size=30),
    st.sampled_from([0.0, 0.37, 3599.99, 9 * 3600.0, 99 * 3600.0 - 0.01]),
    st.integers(1, 30),
)


@given(RESULTS)
def test_srt_is_read_back(found: Result):
    expected = cues(found.words, found.duration)
    read = pysubs2.SSAFile.from_string(srt(found), "srt")
    assert [(one.start, one.end, one.plaintext) for one in read] == [
        (cue.start, cue.end, cue.text) for cue in expected
    ]


def ms(time: str) -> int:
    hours, minutes, seconds = time.split(":")
    return (int(hours) * 60 + int(minutes)) * 60_000 + round(1000 * float(seconds))


@given(RESULTS)
def test_vtt_is_read_back(found: Result):
    for options in (SubtitleOptions(), STAMPED):
        read = webvtt.from_buffer(io.StringIO(vtt(found, options)))
        assert [(ms(one.start), ms(one.end), one.text) for one in read.captions] == [
            (cue.start, cue.end, cue.text) for cue in cues(found.words, found.duration)
        ]


@given(RESULTS)
def test_each_word_is_underlined_in_turn(found: Result):
    read = pysubs2.SSAFile.from_string(srt(found, STAMPED), "srt")
    underlined = [re.findall(r"\{\\u1\}(.*?)\{\\u0\}", one.text) for one in read]
    assert underlined == [[word.word] for word in found.words]
    assert [one.start for one in read] == [round(1000 * word.start) for word in found.words]
    ends = iter(read)
    for cue in cues(found.words, found.duration):
        part = [next(ends) for _ in cue.words]
        assert {one.plaintext for one in part} == {cue.text}
        assert part[-1].end == cue.end
        assert all(a.end == b.start for a, b in itertools.pairwise(part))


@given(RESULTS)
def test_words_have_time_stamps_within_their_cue(found: Result):
    text = vtt(found, STAMPED)
    parts = text.split("\n\n")[1:-1]
    assert len(parts) == len(cues(found.words, found.duration))
    for part, cue in zip(parts, cues(found.words, found.duration), strict=True):
        stamps = [ms(stamp) for stamp in re.findall(r"<([\d:.]+)>", part)]
        assert stamps == [word.start for word in cue.words[1:]]
        assert all(cue.start < stamp < cue.end for stamp in stamps)


def test_hours_have_as_many_digits_as_they_need():
    words = spoken("late", 123 * 3600 + 59 * 60 + 59.97)
    assert "123:59:59,970 --> 124:00:00,970\nlate\n" in srt(result(words))
    (caption,) = webvtt.from_buffer(io.StringIO(vtt(result(words)))).captions
    assert (caption.start, caption.end) == ("123:59:59.970", "124:00:00.970")


def test_what_is_markup_in_vtt_is_escaped():
    words = spoken("<unk> at&t --> b")
    text = vtt(result(words))
    assert "&lt;unk&gt; at&amp;t --&gt; b" in text
    (caption,) = webvtt.from_buffer(io.StringIO(text)).captions
    assert caption.text == "&lt;unk&gt; at&amp;t --&gt; b"  # this reader leaves escapes as they are
    assert "<unk> at&t --> b" in srt(result(words))


def test_no_words_are_no_cues():
    assert srt(result([])) == ""
    assert vtt(result([])) == "WEBVTT\n\n"
    assert list(webvtt.from_buffer(io.StringIO(vtt(result([]))))) == []


@pytest.mark.parametrize("width", [10, 30])
def test_options_reach_the_files(width: int):
    found = result(spoken("all of these words are short but they are many"))
    options = SubtitleOptions(max_line_length=width, max_lines=1)
    for text in (srt(found, options), vtt(found, options)):
        lines = [line for line in text.split("\n") if line and not re.search(r"^\d|WEBVTT", line)]
        assert max(map(len, lines)) <= width
        assert " ".join(lines).split() == found.text.split()
