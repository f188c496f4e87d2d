"""Pictures drawn with matplotlib, which is only needed for them, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import replace_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES = ("svg", "png", "pdf")
"""Endings of the files that can be written."""


@contextmanager
def picture(output: str | os.PathLike[str], width: float, height: float) -> Iterator[Figure]:
    """A figure to draw into, which is written when the block ends without an error.

    Args:
        output: the file; its ending is one of `PICTURES`.
        width: inches.
        height: inches.

    Raises:
        UsageError: another ending.
        SpeechError: matplotlib is not installed, or the file cannot be written.
    """
    output = Path(output)
    kind = output.suffix.removeprefix(".")
    if kind not in PICTURES:
        raise UsageError(f"{output}: expected a name ending in .{', .'.join(PICTURES)}")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise SpeechError("plots need matplotlib: pip install 'recognizer[train]'") from None
    figure = Figure(figsize=(width, height), layout="constrained")
    yield figure
    # Without a date in it, the same picture makes the same file.
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    with replace_file(output) as temporary:
        figure.savefig(temporary, format=kind, metadata=metadata)
