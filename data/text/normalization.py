"""The names of the ways in which transcripts and text become words; `english.normalize` has them.

Apart from them, since recognition reads a name and starts quicker without the ways.
"""

from __future__ import annotations

from typing import Literal

Normalization = Literal["english", "letters"]
