"""The documentation's pages, and the code blocks that tests run."""

from __future__ import annotations

import re

from places import ROOT

DOCS = ROOT / "docs"


def fenced_blocks(page: str, language: str) -> list[str]:
    """The contents of a page's code blocks of one language, such as "console"."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
