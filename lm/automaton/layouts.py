"""Automata from one layout to the other: through files, so that neither has to fit into memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import UsageError
from recognizer.data.io.mapped_arrays import ArrayFile
from recognizer.lm import _builder
from recognizer.lm.automaton.value_table import exact_table, nearest_table

Arrays = Mapping[str, npt.NDArray[Any]]
ArrayFiles = dict[str, "ArrayFile | npt.NDArray[Any]"]

_ROWS_PER_CHUNK = 1 << 22


def pack(arrays: Arrays, directory: Path, *, bits: int | None = None) -> ArrayFiles:
    """The arrays of the compact layout from those of the fast one.

    Args:
        arrays: see `recognizer.lm.automaton.automaton.NgramAutomaton`.
        directory: an empty one, for the files.
        bits: of a quantised log probability or back-off weight, 8 to 16; None: exact.

    Raises:
        UsageError: bits are not 8 to 16.
        OSError: the directory cannot be written to or is full.
    """
    if bits is not None and not 8 <= bits <= 16:
        raise UsageError(f"bits of quantised values: expected 8 to 16, found {bits}")
    if bits is None:
        log_prob_table = exact_table(_log_probs(arrays))
        backoff_table = exact_table(_backoffs(arrays))
    else:
        log_prob_table = nearest_table(_log_probs(arrays), bits)
        backoff_table = nearest_table(_backoffs(arrays), bits)
    sizes = _builder.pack(arrays, log_prob_table, backoff_table, os.fspath(directory))
    return {
        "sizes": np.array(sizes, dtype=np.uint64),
        "unigrams": ArrayFile(directory / "unigrams", np.float32),
        "arcs": ArrayFile(directory / "arcs", np.uint8),
        "spells_state": ArrayFile(directory / "spells_state", np.uint64),
        "first_arcs": ArrayFile(directory / "first_arcs", np.uint64),
        "offsets": ArrayFile(directory / "offsets", np.uint8),
        "states": ArrayFile(directory / "states", np.uint8),
        "log_prob_table": log_prob_table,
        "backoff_table": backoff_table,
    }


def unpack(arrays: Arrays, directory: Path) -> ArrayFiles:
    """The arrays of the fast layout from those of the compact one; see `pack`."""
    _builder.unpack(arrays, os.fspath(directory))
    return {**fast_files(directory)}


def fast_files(directory: Path) -> dict[str, ArrayFile]:
    """The arrays of the fast layout in a directory that the native code has written them to."""
    return {
        "states": ArrayFile(directory / "states", np.uint64, columns=2),
        "arcs": ArrayFile(directory / "arcs", np.uint32, columns=3),
        "finals": ArrayFile(directory / "finals", np.float32),
    }


def loaded(files: ArrayFiles) -> dict[str, npt.NDArray[Any]]:
    """All in memory."""
    return {
        name: array.load() if isinstance(array, ArrayFile) else array
        for name, array in files.items()
    }


def _log_probs(arrays: Arrays) -> Iterator[npt.NDArray[np.float32]]:
    """Those of all arcs but unigrams, and of all explicit `</s>`."""
    arcs, finals = arrays["arcs"], arrays["finals"]
    for start in range(_num_words(arrays), len(arcs), _ROWS_PER_CHUNK):
        column = arcs[start : start + _ROWS_PER_CHUNK, 1]
        yield np.ascontiguousarray(column).view(np.float32)
    for start in range(0, len(finals), _ROWS_PER_CHUNK):
        chunk = finals[start : start + _ROWS_PER_CHUNK]
        yield chunk[~np.isnan(chunk)]


def _backoffs(arrays: Arrays) -> Iterator[npt.NDArray[np.float32]]:
    states = arrays["states"][:-1, 1]
    for start in range(0, len(states), _ROWS_PER_CHUNK):
        halves = states[start : start + _ROWS_PER_CHUNK] & np.uint64(0xFFFFFFFF)
        yield halves.astype(np.uint32).view(np.float32)


def _num_words(arrays: Arrays) -> int:
    """The arcs of the empty history, which end where those of `<s>` begin."""
    return int(arrays["states"][1, 0] & np.uint64(FIRST_ARC_MASK))


FIRST_ARC_MASK = (1 << 40) - 1
"""Of what `states` holds beside the number of the first arc: `lm/csrc/automaton/arc_index.h`."""
