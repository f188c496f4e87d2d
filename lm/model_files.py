"""N-gram models in files of either kind: ARPA text, or the automaton's binary (.ngram)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from data.errors import SpeechError, UsageError
from data.files import DAMAGE, open_bytes
from lm.arpa import read_arpa, write_arpa
from lm.automaton import COMPACT, FAST, NgramAutomaton
from lm.automaton_ngrams import ngram_model
from lm.ngram import NgramModel

BINARY_SUFFIX = ".ngram"
ARPA_SUFFIXES = (".arpa", ".arpa.gz")
LAYOUTS = (FAST, COMPACT)


@dataclass(frozen=True)
class WriteOptions:
    """How `write_model` writes.

    Attributes:
        decimals: digits after the point in ARPA files, 1 to 9.
        layout: of a binary: "fast" (about 16 bytes per n-gram) or "compact" (half or less).
        bits: of a quantised number in a compact binary, 8 to 16; None: exact.
    """

    decimals: int = 6
    layout: str = FAST
    bits: int | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        if not 1 <= self.decimals <= 9:
            raise UsageError(f"decimals: expected 1 to 9, found {self.decimals}")
        if self.layout not in LAYOUTS:
            raise UsageError(f"layout: expected {' or '.join(LAYOUTS)}, found {self.layout!r}")
        if self.bits is not None and not 8 <= self.bits <= 16:
            raise UsageError(f"bits: expected 8 to 16, found {self.bits}")
        if self.bits is not None and self.layout != COMPACT:
            raise UsageError(f"bits: expected with the layout {COMPACT}, found {self.layout}")


def is_binary(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as the automaton's binaries do: with the length of a JSON header.

    Raises:
        SpeechError: the file is missing or cannot be read.
    """
    with open_bytes(path) as stream:
        try:
            return stream.read(9)[8:] == b"{"
        except DAMAGE as error:
            raise SpeechError(f"{path}: damaged: {error}") from error


def read_model(path: str | os.PathLike[str]) -> NgramModel:
    """The n-grams of a file of either kind, told apart by content.

    Raises:
        SpeechError: the file is missing or damaged.
    """
    return ngram_model(NgramAutomaton.open(path)) if is_binary(path) else read_arpa(path)


def check_output(path: str | os.PathLike[str]) -> None:
    """Make sure that `write_model` can tell the kind and has a directory to write to.

    Raises:
        UsageError: another ending, or no such directory.
    """
    path = Path(path)
    if not path.name.endswith((BINARY_SUFFIX, *ARPA_SUFFIXES)):
        expected = f"a name that ends in {', '.join(ARPA_SUFFIXES)} or {BINARY_SUFFIX}"
        raise UsageError(f"{path}: expected {expected}")
    if path.is_dir():
        raise UsageError(f"{path}: expected a file to write, found a directory")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: expected a directory {path.parent}, found none")


def write_model(
    model: NgramModel | NgramAutomaton,
    path: str | os.PathLike[str],
    options: WriteOptions | None = None,
) -> None:
    """Write a model whole or not at all, as ARPA or binary by the name's ending.

    Raises:
        UsageError: see `check_output`.
        SpeechError: the file cannot be written.
    """
    options = options or WriteOptions()
    check_output(path)
    if not os.fspath(path).endswith(BINARY_SUFFIX):
        ngrams = ngram_model(model) if isinstance(model, NgramAutomaton) else model
        write_arpa(ngrams, path, decimals=options.decimals)
        return
    automaton = model if isinstance(model, NgramAutomaton) else NgramAutomaton.from_model(model)
    if options.bits is not None or options.layout != automaton.layout:
        fast = options.layout == FAST
        automaton = automaton.fast() if fast else automaton.compact(bits=options.bits)
    automaton.save(path)
