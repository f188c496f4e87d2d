"""Numbers in text files of programs that write them in the way of their user's language."""

from __future__ import annotations

import re

_DECIMAL_COMMA = re.compile(r"([+-]?\d+),(\d+)")


def decimal(text: str) -> float:
    """A decimal number with a point or, as some programs write in many languages, a comma.

    Raises:
        ValueError: it is no number, such as 1,234.5 and 1,234,567, or is not finite.
    """
    match = _DECIMAL_COMMA.fullmatch(text)
    number = float(f"{match[1]}.{match[2]}" if match else text)
    if not abs(number) < float("inf"):
        raise ValueError(text)
    return number
