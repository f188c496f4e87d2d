"""Written English as spoken words with tags: what a tagger of punctuation and case learns from."""

from __future__ import annotations

import re
from functools import lru_cache

from recognizer.data.text.english.books import cleaned
from recognizer.data.text.english.normalize import fold, normalize
from recognizer.data.text.english.sentences import sentences
from recognizer.data.text.tags import TaggedWord

_TOKEN = re.compile(r"--+|[^\s-]+(?:-[^\s-]+)*-?|-")
_ENDING = re.compile(r"[^A-Za-z0-9%$]*\Z")
_PARTS = re.compile(r"[A-Za-z']+")

_MIN_OF_HEADING = 3
"""Words from which on a sentence in capital letters alone is a heading."""


def tagged_sentences(paragraph: str) -> list[list[TaggedWord]]:
    """The sentences of a paragraph that can be tagged; none of one that is no running text.

    The words are those of `recognizer.data.text.english.normalize.normalize`. A dash is taken for a
    comma, and quotation marks and brackets are left out. Numbers and abbreviations are the words
    that are spoken, in small letters unless the abbreviation begins with a large one. Left out are
    headings, paragraphs that do not end with a mark, and sentences whose words depend on more than
    the one between two spaces ("May 3").
    """
    found = []
    for sentence in sentences(fold(cleaned(paragraph)).replace("_", "")):
        tagged = _tagged(sentence)
        if tagged:
            found.append(tagged)
    ended = bool(found) and found[-1][-1].mark != ""
    return found if ended else []


def _tagged(sentence: str) -> list[TaggedWord]:
    """One sentence; nothing where it has to be left out."""
    tagged: list[TaggedWord] = []
    for token in _TOKEN.findall(sentence):
        words = _token_words(token)
        if words:
            tagged.extend(words)
        elif tagged:
            # A dash, or a mark that stands alone, belongs to the word before it.
            mark = _mark(token)
            if mark and not tagged[-1].mark:
                tagged[-1] = tagged[-1]._replace(mark=mark)
    if not tagged or [one.word for one in tagged] != normalize(sentence).split():
        return []
    # A point inside a sentence is one of an abbreviation.
    inner = [one._replace(mark="") if one.mark == "." else one for one in tagged[:-1]]
    large = sum(one.case == "upper" for one in tagged)
    heading = len(tagged) >= _MIN_OF_HEADING and 2 * large > len(tagged)
    return [] if heading else [*inner, tagged[-1]]


@lru_cache(maxsize=200_000)
def _token_words(token: str) -> tuple[TaggedWord, ...]:
    """What stands between two spaces."""
    words = normalize(token).split()
    if not words:
        return ()
    parts = [part.strip("'") for part in _PARTS.findall(token)]
    parts = [part for part in parts if part]
    if [part.lower() for part in parts] == words:
        cases = [_case(part) for part in parts]
    else:
        # An abbreviation of one word keeps its large letter: "Mr." is "Mister".
        name = len(words) == 1 and token.lstrip("\"'([{")[:1].isupper()
        cases = ["capital" if name and not token.isupper() else "lower"] * len(words)
    tagged = [TaggedWord(word, "", case) for word, case in zip(words, cases, strict=True)]
    tagged[-1] = tagged[-1]._replace(mark=_mark(token))
    return tuple(tagged)


def _case(part: str) -> str:
    if not part[0].isupper():
        return "lower"
    letters = part.replace("'", "")
    return "upper" if len(letters) > 1 and letters.isupper() else "capital"


def _mark(token: str) -> str:
    """The mark at a token's end."""
    ending = _ENDING.search(token)
    marks = ending[0] if ending else ""
    for mark in ("?", "!", ";", ":", ","):
        if mark in marks:
            return mark
    if "." in marks:
        return "."
    return "," if "--" in marks or marks == "-" else ""
