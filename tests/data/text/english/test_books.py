"""Sentences out of raw book files."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.text.english.books import book_paragraphs, book_sentences

BOOKS = """Title: The First Book

Author: A. Writer

Year: 1901

-------

I

CHAPTER I - THE START

It was 1665. Mr. Smith -- of _St. Ives_ --
said: "Stop!"[1] They stopped.1 Then (see
[Illustration: a ship] below) they went on.

**81.11** And it was so.

**FIRST LORD**
Who goes there?

XII. The End

Title: The Second Book

Author: Nobody

-------
_Translated by Someone_

Title: is a word. {kappa alpha iota} na\u00c3\u00afve
"""

SENTENCES = [
    "chapter one the start",
    "it was sixteen sixty five",
    "mister smith of saint ives said stop",
    "they stopped",
    "then see below they went on",
    "and it was so",
    "who goes there",
    "the end",
    "translated by someone",
]


@pytest.fixture
def books(tmp_path: Path) -> Path:
    path = tmp_path / "books.txt.xz"
    path.write_bytes(lzma.compress(BOOKS.encode()))
    return path


def test_sentences_of_books(books: Path) -> None:
    found = list(book_sentences([books]))
    assert found[: len(SENTENCES)] == SENTENCES
    assert list(book_sentences([books, books])) == found * 2
    assert list(book_sentences([])) == []


def test_paragraphs_without_headers(tmp_path: Path) -> None:
    path = tmp_path / "books.txt"
    path.write_text(BOOKS, encoding="utf-8")
    paragraphs = list(book_paragraphs(path))
    assert paragraphs[:2] == ["I", "CHAPTER I - THE START"]
    assert not any("Author" in paragraph or "Year" in paragraph for paragraph in paragraphs)
    assert paragraphs[3:6] == [
        "**81.11** And it was so.",
        "**FIRST LORD**\nWho goes there?",
        "XII. The End",
    ]


def test_what_ends_a_header_without_a_rule(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("Title: A\n\nAuthor: B\n\nText begins.\n\nAnd goes on.\n")
    assert list(book_paragraphs(path)) == ["Text begins.", "And goes on."]


def test_processes_do_not_change_the_result(
    books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recognizer.data.text.english.books.PARAGRAPHS_PER_TASK", 2)
    alone = list(book_sentences([books, books]))
    assert list(book_sentences([books, books], processes=2)) == alone


def test_faults(books: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 1 process"):
        next(book_sentences([books], processes=0))
    with pytest.raises(SpeechError, match="no such file"):
        next(book_sentences([tmp_path / "no.txt"]))
    books.write_bytes(books.read_bytes()[:100])
    with pytest.raises(SpeechError, match="damaged"):
        list(book_sentences([books]))


def test_real_books(corpora: Path) -> None:
    source = book_sentences([corpora / "text-classic-books" / "books-03.txt.xz"])
    found = [next(source) for _ in range(5000)]
    words = [word for sentence in found for word in sentence.split()]
    assert set("".join(words)) <= set("abcdefghijklmnopqrstuvwxyz'")
    assert 8 < len(words) / len(found) < 30
    # Letters that stand alone are left-overs of abbreviations: there must be few.
    assert sum(len(word) == 1 and word not in "aio" for word in words) < 0.005 * len(words)
