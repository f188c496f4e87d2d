"""N-gram models in files of either kind: ARPA text, or the automaton's binary (.ngram)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import DAMAGE, open_bytes
from recognizer.data.io.mapped_arrays import open_arrays
from recognizer.lm.arpa.files import read_arpa, write_arpa
from recognizer.lm.automaton.automaton import COMPACT, FAST, KIND, VERSION, NgramAutomaton
from recognizer.lm.automaton.build import temporary_directory
from recognizer.lm.automaton.ngrams import AutomatonSource, ngram_model
from recognizer.lm.ngram.model import NgramModel
from recognizer.lm.resources import Resources

BINARY_SUFFIX = ".ngram"
ARPA_SUFFIXES = (".arpa", ".arpa.gz")
LAYOUTS = (FAST, COMPACT)


@dataclass(frozen=True)
class WriteOptions:
    """How `write_ngrams` writes.

    Attributes:
        decimals: digits after the point in ARPA files, 1 to 9. None: 6 for a model in memory; for
            one that comes from a file, as few as it takes to have the same binary built again.
        layout: of a binary: "fast" (about 16 bytes per n-gram) or "compact" (half or less).
        bits: of a quantised number in a compact binary, 8 to 16; None: exact.
    """

    decimals: int | None = None
    layout: str = FAST
    bits: int | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        if self.decimals is not None and not 1 <= self.decimals <= 9:
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


def read_ngrams(path: str | os.PathLike[str]) -> NgramModel:
    """The n-grams of a file of either kind, told apart by content.

    Args:
        path: an ARPA file, which may be compressed by gzip, or a binary one.

    Returns:
        Words, n-grams, their log10 probabilities and back-off weights.

    Raises:
        SpeechError: the file is missing or damaged.
    """
    return ngram_model(NgramAutomaton.open(path)) if is_binary(path) else read_arpa(path)


def check_output(path: str | os.PathLike[str]) -> None:
    """Make sure that `write_ngrams` can tell the kind and has a directory to write to.

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


def write_ngrams(
    model: NgramModel | NgramAutomaton,
    path: str | os.PathLike[str],
    options: WriteOptions | None = None,
) -> None:
    """Write a model whole or not at all, as ARPA or binary by the name's ending.

    Args:
        model: n-grams, or the automaton of them.
        path: ends in .arpa, .arpa.gz or .ngram.
        options: decimals of ARPA, layout and bits of a binary file.

    Raises:
        UsageError: see `check_output`.
        SpeechError: the file cannot be written.
    """
    options, resources = options or WriteOptions(), Resources()
    check_output(path)
    if isinstance(model, NgramAutomaton):
        _write_automaton(model, path, options, resources)
    elif not os.fspath(path).endswith(BINARY_SUFFIX):
        write_arpa(model, path, decimals=6 if options.decimals is None else options.decimals)
    else:
        _write_automaton(NgramAutomaton.from_model(model), path, options, resources)


def convert(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    options: WriteOptions | None = None,
    resources: Resources | None = None,
) -> None:
    """Write a model of one file to another, whole or not at all, in bounded memory.

    Args:
        source: an ARPA file, a binary, or a directory of n-gram records
            (`recognizer.lm.arpa.source`).
        output: ARPA or binary, by the name's ending.
        options: how to write.
        resources: what may be used.

    Raises:
        UsageError: see `check_output`.
        SpeechError: the source is missing or damaged, or a disk is full.
    """
    options = options or WriteOptions()
    resources = resources or Resources()
    check_output(output)
    to_binary = os.fspath(output).endswith(BINARY_SUFFIX)
    if not Path(source).is_dir() and is_binary(source):
        resources.progress("checking", 0, None)
        _write_automaton(NgramAutomaton.open(source), output, options, resources)
    elif to_binary:
        NgramAutomaton.build(
            source, output, layout=options.layout, bits=options.bits, resources=resources
        )
    else:
        with temporary_directory(output, resources.temporary) as directory:
            binary = directory / f"model{BINARY_SUFFIX}"
            NgramAutomaton.build(source, binary, resources=resources)
            automaton = NgramAutomaton.open(binary, validate=False)
            _write_automaton(automaton, output, options, resources)


def verify(path: str | os.PathLike[str]) -> NgramAutomaton:
    """Read a binary whole: its checksums must be right, and no state or arc may lead astray.

    Raises:
        SpeechError: it is damaged; names the array.
    """
    open_arrays(path, kind=KIND, version=VERSION).verify()
    return NgramAutomaton.open(path)


def _write_automaton(
    automaton: NgramAutomaton,
    path: str | os.PathLike[str],
    options: WriteOptions,
    resources: Resources,
) -> None:
    if not os.fspath(path).endswith(BINARY_SUFFIX):
        source = AutomatonSource(automaton)
        write_arpa(source, path, decimals=options.decimals, resources=resources)
        return
    resources.progress("writing", 0, None)
    automaton.save(path, layout=options.layout, bits=options.bits, temporary=resources.temporary)
