"""English text to spoken words."""

from __future__ import annotations

import re

from data.files import read_lines

__all__ = ["normalize", "read_lines"]

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


def normalize(text: str) -> str:
    """Lower-case words separated by single spaces."""
    return " ".join(_WORD.findall(text.lower().replace("\u2019", "'")))
