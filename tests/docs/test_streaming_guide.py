"""The examples of docs/guides/streaming.md are run, and print what the page shows."""

from __future__ import annotations

import doctest

import pytest

from pages import DOCS, fenced_blocks
from places import ROOT
from recognizer.model.files import DEFAULT_MODEL


def test_the_page_shows_what_examples_print(monkeypatch: pytest.MonkeyPatch):
    if not (DEFAULT_MODEL / "model.toml").is_file():
        pytest.skip(f"no model at {DEFAULT_MODEL}")
    monkeypatch.chdir(ROOT)
    page = (DOCS / "guides" / "streaming.md").read_text(encoding="utf-8")
    examples = "\n".join(fenced_blocks(page, "pycon"))
    test = doctest.DocTestParser().get_doctest(examples, {}, "streaming.md", None, None)
    assert len(test.examples) > 20
    said: list[str] = []
    found = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert found.failed == 0, "".join(said)
