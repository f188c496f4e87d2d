"""Writes Kaldi's archives of integer vectors, as its programs do."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt


def write_int_vectors(
    path: Path, vectors: Mapping[str, npt.ArrayLike], *, text: bool = False
) -> None:
    """Write int32 vectors, gzipped if the name ends in .gz."""
    content = b""
    for key, given in vectors.items():
        values = np.asarray(given, np.int32)
        if text:
            content += f"{key} {''.join(f'{value} ' for value in values)}\n".encode()
            continue
        # The size of a number in bytes stands before each of them, and before their count.
        entries = np.empty(1 + len(values), [("size", "i1"), ("value", "<i4")])
        entries["size"] = 4
        entries["value"] = [len(values), *values]
        content += f"{key} ".encode() + b"\0B" + entries.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
