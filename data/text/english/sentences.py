"""English text to sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator

from recognizer.data.text.english.abbreviations import BEFORE_NUMBER, SHORT_MONTHS, TITLES

# A sentence may end at . ! ? (with closing quotes and brackets), before white space and what may
# begin a sentence: a capital letter or a digit, behind opening quotes and the like.
_BOUNDARY = re.compile(
    "[.!?\u2026][\"')\\]}*_\u2019\u201d]*\\s+"
    "(?=[\"'(\\[{*_\u2018\u201c-]*[A-Z0-9\u00c0-\u00d6\u00d8-\u00de])"
)
_LAST_TOKEN = re.compile(r"[A-Za-z.&]*$")
_PARAGRAPH = re.compile(r"\n[ \t\r]*\n\s*")

_MAY_BE_WORDS = {"no", "nos", "art", "pt", "sec", "sect"}
# After these a point does not end the sentence, whatever follows.
_NEVER_LAST = frozenset(
    {"mr", "mrs", "ms", "dr", "messrs", "st", "vs", "viz", "cf", "e.g", "i.e"}
    | {name.lower() for name in (*TITLES, *BEFORE_NUMBER)} - _MAY_BE_WORDS
)
# After these it does not when a number follows.
_NOT_BEFORE_NUMBER = frozenset(_MAY_BE_WORDS | {name.lower() for name in SHORT_MONTHS} | {"a.d"})


def sentences(text: str) -> Iterator[str]:
    """Split a text into sentences, as they stand but with runs of white space made one space.

    Blank lines always end a sentence. Points after abbreviations (Mr., St., vol.) and initials
    (J. R. Smith) do not; nor does anything before a lower-case word ("Stop!" he cried).
    """
    for paragraph in _PARAGRAPH.split(text):
        begin = 0
        for match in _BOUNDARY.finditer(paragraph):
            if _ends_sentence(paragraph, match):
                yield " ".join(paragraph[begin : match.end()].split())
                begin = match.end()
        last = " ".join(paragraph[begin:].split())
        if last:
            yield last


def _ends_sentence(paragraph: str, match: re.Match[str]) -> bool:
    end = match.start()
    if paragraph[end] != "." or paragraph[end - 1 : end] == ".":
        return True
    token_match = _LAST_TOKEN.search(paragraph, max(0, end - 12), end)
    token = token_match[0].lower() if token_match else ""
    if token in _NEVER_LAST:
        return False
    if len(token) == 1 or (len(token) > 2 and token[-2] == "."):
        # An initial (J. Smith, U.S. Navy), but "It is I. He" ends a sentence.
        return token == "i" and paragraph[end - 2 : end - 1] == " "
    following = paragraph[match.end() : match.end() + 1]
    return not (token in _NOT_BEFORE_NUMBER and following.isdigit())
