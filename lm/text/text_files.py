"""Text for language models, one sentence a line, from files or standard input."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import BinaryIO

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import DAMAGE, open_bytes, read_lines
from recognizer.lm.ngram.model import BEGIN, END, SPECIAL_WORDS

STANDARD_INPUT = "-"

_BLOCK_BYTES = 1 << 22
_WORD = re.compile(r"[^ \t\n\v\f\r]+")


def split_words(line: str) -> list[str]:
    r"""The words of a line, which ASCII white space separates (space, \t, \n, \v, \f, \r).

    As in KenLM; `str.split` would also split at U+00A0 or U+3000, which are parts of words here.
    """
    return _WORD.findall(line)


def text_name(path: str | os.PathLike[str]) -> str:
    """What messages call a text file, or standard input."""
    return "standard input" if path == STANDARD_INPUT else os.fspath(path)


def read_blocks(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """The bytes of a text file (.gz, .xz and .zst are decompressed) or of standard input (`-`).

    While a block is worked on, the next one is read in another thread.

    Raises:
        SpeechError: the file is missing or damaged.
    """
    source = nullcontext(sys.stdin.buffer) if path == STANDARD_INPUT else open_bytes(path)
    with source as stream, ThreadPoolExecutor(1) as reader:
        try:
            next_block = reader.submit(stream.read, _BLOCK_BYTES)
            while block := next_block.result():
                next_block = reader.submit(stream.read, _BLOCK_BYTES)
                yield block
        except DAMAGE as error:
            raise SpeechError(f"{text_name(path)}: damaged: {error}") from error
        except OSError as error:
            raise SpeechError(f"{text_name(path)}: cannot be read: {error.strerror}") from error


def read_sentences(path: str | os.PathLike[str], *, unknown_words: bool = False) -> Iterator[str]:
    """The lines of a text file (.gz, .xz and .zst are decompressed) or of standard input (`-`).

    Args:
        path: the file.
        unknown_words: let `<unk>` stand for a word, as in text to test on.

    Raises:
        SpeechError: the file is missing, damaged or not UTF-8, or a line holds `<s>`, `</s>` or,
            unless it may, `<unk>`; names file and line.
    """
    forbidden = {BEGIN, END} if unknown_words else set(SPECIAL_WORDS)
    lines = _decoded(sys.stdin.buffer) if path == STANDARD_INPUT else read_lines(path)
    for number, line in enumerate(lines, start=1):
        if "<" in line and (special := forbidden.intersection(split_words(line))):
            raise SpeechError(f"{text_name(path)}:{number}: expected words, found {special.pop()}")
        yield line


def read_word_list(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The words of a file with one a line; `<s>`, `</s>` and `<unk>`, which are given, are skipped.

    Raises:
        SpeechError: a line has more than one word, or one that stands above; names file and line.
    """
    lines: dict[str, int] = {}
    for number, line in enumerate(read_lines(path), start=1):
        words = split_words(line)
        if len(words) > 1:
            raise SpeechError(f"{path}:{number}: expected one word, found {len(words)}")
        for word in words:
            if word in lines:
                found = f"{word!r} again (first on line {lines[word]})"
                raise SpeechError(f"{path}:{number}: expected distinct words, found {found}")
            lines[word] = number
    return tuple(word for word in lines if word not in SPECIAL_WORDS)


def _decoded(stream: BinaryIO) -> Iterator[str]:
    """Lines of UTF-8 without their ends."""
    for number, raw in enumerate(stream, start=1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            found = f"byte 0x{raw[error.start]:02x}"
            raise SpeechError(
                f"standard input:{number}: expected UTF-8 text, found {found}"
            ) from None
        yield line.rstrip("\r\n")
