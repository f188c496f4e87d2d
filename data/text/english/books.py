"""Sentences for language models out of raw book text."""

from __future__ import annotations

import multiprocessing
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice

from recognizer.data.errors import UsageError
from recognizer.data.io.files import read_lines
from recognizer.data.text.english.normalize import normalize
from recognizer.data.text.english.sentences import sentences

PARAGRAPHS_PER_TASK = 4000

_HEADER = re.compile(r"(?:Title|Author|Year|Translator|Editor): ")
_RULE = re.compile(r"-{5,}\s*")
_BRACKETED = re.compile(
    r"\[\s*(?:\*|[0-9]+|[a-z]|(?:Illustration|Footnote|Note|Sidenote|Transcriber)\b[^\]]*)\s*\]"
    r"|\{[^}]*\}"
)
# "Ciruela?3 Well": the mark of a footnote, glued to the punctuation before it.
_FOOTNOTE_MARK = re.compile(r"(?<=[a-z]{4}[.,;:?!\"])[0-9]{1,3}(?=\s|$)")
_SPEAKER = re.compile(r"\A\s*\*\*[^*\n]{1,40}\*\*[ \t]*(?=\n|\Z|\[)")
_VERSE_NUMBER = re.compile(r"\*\*\s*[0-9]+(?:[.:][0-9]+)?\s*\*\*")
_NUMERAL_ALONE = re.compile(r"\W*(?:[ivxlcIVXLC]+|[0-9]+)\W*")
_LEADING_NUMERAL = re.compile(
    r"\A\W*(?:[IVXLC]{2,}|[0-9]{1,3}|[IVX](?=\.))\\?[.)]?\s*(?:-+\s+)?(?=\W*[A-Z])"
)
_MOJIBAKE = re.compile("[\u00c2\u00c3][\u0080-\u00bf]")


def book_sentences(paths: Iterable[str | os.PathLike[str]], *, processes: int = 1) -> Iterator[str]:
    """Normalised sentences of raw book files, in order, without empty ones.

    A file (plain, .gz, .xz, .zst) holds books one after the other; a book may begin with lines
    `Title: `, `Author: `, `Year: ` and a rule of dashes, which are left out. Blank lines part
    paragraphs; other line ends are white space. Marks of footnotes, names of speakers in plays,
    numbers of verses and headings that are only a number are left out too.

    Args:
        paths: the files.
        processes: worker processes that normalise; 1 works in this one. The order of the
            sentences does not depend on it.
    """
    if processes < 1:
        raise UsageError(f"expected at least 1 process, found {processes}")
    tasks = _tasks(paths)
    if processes == 1:
        for task in tasks:
            yield from _normalized(task)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        # Only a few tasks ahead, so that a slow consumer does not fill the memory.
        pending: deque[Future[list[str]]] = deque(
            pool.submit(_normalized, task) for task in islice(tasks, 2 * processes)
        )
        while pending:
            done = pending.popleft().result()
            pending.extend(pool.submit(_normalized, task) for task in islice(tasks, 1))
            yield from done


def book_paragraphs(path: str | os.PathLike[str]) -> Iterator[str]:
    """Raw paragraphs of a file of books, line ends inside them kept, headers left out."""
    lines: list[str] = []
    in_header = False
    for line in read_lines(path):
        if in_header:
            if _RULE.fullmatch(line):
                in_header = False
                continue
            if not line.strip() or _HEADER.match(line):
                continue
            in_header = False
        elif line.startswith("Title: "):
            in_header = True
            line = ""
        if line.strip():
            lines.append(line)
        elif lines:
            yield "\n".join(lines)
            lines = []
    if lines:
        yield "\n".join(lines)


def _tasks(paths: Iterable[str | os.PathLike[str]]) -> Iterator[list[str]]:
    for path in paths:
        paragraphs = book_paragraphs(path)
        while task := list(islice(paragraphs, PARAGRAPHS_PER_TASK)):
            yield task


def _normalized(paragraphs: list[str]) -> list[str]:
    found = (
        normalize(sentence)
        for paragraph in paragraphs
        for sentence in sentences(cleaned(paragraph))
    )
    return [sentence for sentence in found if sentence]


def cleaned(paragraph: str) -> str:
    """The paragraph without what no reader would speak."""
    if _NUMERAL_ALONE.fullmatch(paragraph):
        return ""
    if not paragraph.isascii():
        paragraph = _MOJIBAKE.sub(_recoded, paragraph)
    if "*" in paragraph:
        paragraph = _SPEAKER.sub("", _VERSE_NUMBER.sub("", paragraph)).replace("*", "")
    if "[" in paragraph or "{" in paragraph:
        paragraph = _BRACKETED.sub(" ", paragraph)
    paragraph = _FOOTNOTE_MARK.sub("", paragraph)
    return _LEADING_NUMERAL.sub("", paragraph)


def _recoded(match: re.Match[str]) -> str:
    """UTF-8 that was once read as Latin-1."""
    return match[0].encode("latin-1").decode("utf-8")
