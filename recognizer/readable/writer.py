"""Recognised words as they are written: punctuation, capital letters, and numbers in digits.

A small recurrent tagger says of each word which mark follows it and whether it has a capital letter
(`recognizer.lm.tagging`); rules write numbers, dates, times of day and money
(`recognizer.data.text.english.written`). Only words are looked at, not the sound.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from recognizer.data.errors import UsageError
from recognizer.data.text.english.written import written_words
from recognizer.data.text.tags import TaggedWord, with_sentence_capitals
from recognizer.lm.tagging.tagger import CONTEXT, Tagger
from recognizer.recognition.result import Result, Word

TAGGER = Path(__file__).resolve().parent.parent / "models" / "readable" / "english.safetensors"
"""The tagger of English that comes with this package."""

_TEXT_RULES = "english"
"""Of models whose words the tagger and the rules know."""


class ReadableWriter:
    """Writes recognised words so that they are easy to read. Any number of threads may use one.

    Args:
        tagger: its file, as `recognizer readable train` makes it; None is the one of this package.

    Raises:
        SpeechError: the file is missing, damaged or of another kind.
    """

    def __init__(self, tagger: str | os.PathLike[str] | None = None) -> None:
        self.tagger = Tagger.open(TAGGER if tagger is None else tagger)

    def text(self, words: Sequence[str], before: Sequence[str] = ()) -> str:
        """The words as written text; `before` as in `result`."""
        written = written_words(self.tags(words, before))
        return " ".join(one.text for one in written)

    def tags(self, words: Sequence[str], before: Sequence[str] = ()) -> list[TaggedWord]:
        """The words with their tags; a sentence begins with the first, if there are none before."""
        known = len(before[-CONTEXT:])
        tagged = self.tagger.tag([*before[-CONTEXT:], *words])
        return with_sentence_capitals(tagged, begins_sentence=True)[known:]

    def result(self, result: Result, before: Sequence[str] = ()) -> Result:
        """The result with `readable` words, in it and its segments; all else of it stays.

        Args:
            result: of a recording, or of an utterance of a stream.
            before: the words before it, if it goes on from an utterance before; the last few of
                them matter.
        """
        tagged = self.tags([word.word for word in result.words], before)
        if not result.segments:
            return replace(result, readable=_timed(result.words, tagged))
        segments, begin = [], 0
        for segment in result.segments:
            end = begin + len(segment.words)
            written = _timed(segment.words, tagged[begin:end])
            segments.append(replace(segment, readable=written))
            begin = end
        whole = tuple(word for segment in segments for word in segment.readable or ())
        return replace(result, segments=tuple(segments), readable=whole)


def check_readable(text_rules: str, model: str) -> None:
    """Refuse a model of other words than those of English.

    Raises:
        UsageError: the model has other text rules.
    """
    if text_rules != _TEXT_RULES:
        raise UsageError(
            f"readable text: expected a model with text rules {_TEXT_RULES}, "
            f"found {text_rules} in {model}"
        )


@functools.cache
def shipped_writer() -> ReadableWriter:
    """The writer of this package, read once."""
    return ReadableWriter()


def _timed(words: Sequence[Word], tagged: Sequence[TaggedWord]) -> tuple[Word, ...]:
    """What is written, with the times of the words that it stands for."""
    found, at = [], 0
    for text, count in written_words(tagged):
        spoken = words[at : at + count]
        confidence = min(word.confidence for word in spoken)
        found.append(Word(text, spoken[0].start, spoken[-1].end, confidence))
        at += count
    return tuple(found)
